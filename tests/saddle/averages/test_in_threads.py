"""Tasks in threads: all are done, in order, and what goes wrong comes out."""

import os
import threading

import pytest

from saddle.averages.in_threads import in_threads, spread, workers_of

THREADS = (1, 2, 5)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be kept to some cores here")
def test_by_default_a_process_takes_the_cores_that_it_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert workers_of(0) == 1
    finally:
        os.sched_setaffinity(0, before)
    assert workers_of(0) == len(before)
    assert workers_of(3) == 3


@pytest.mark.parametrize("threads", THREADS)
def test_results_come_in_the_order_of_the_tasks(threads):
    assert list(in_threads(lambda x: x * x, range(30), threads)) == [x * x for x in range(30)]
    assert list(in_threads(lambda x: x, [], threads)) == []


@pytest.mark.parametrize("threads", THREADS)
def test_every_task_is_done_once(threads):
    done, lock = [], threading.Lock()

    def note(task):
        with lock:
            done.append(task)

    spread(note, range(100), threads)
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("failing", [0, 7, 19])
def test_a_failure_is_raised_and_leaves_no_thread(threads, failing):
    before = threading.active_count()

    def fail(task):
        if task == failing:
            raise KeyboardInterrupt(f"task {task}")

    with pytest.raises(KeyboardInterrupt, match=f"task {failing}"):
        spread(fail, range(20), threads)
    with pytest.raises(KeyboardInterrupt, match=f"task {failing}"):
        list(in_threads(fail, range(20), threads))
    assert threading.active_count() == before
