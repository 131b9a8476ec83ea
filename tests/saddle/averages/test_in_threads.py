"""Tasks in threads: all are done, in order, and what goes wrong comes out."""

import threading

import pytest

from saddle.averages.in_threads import in_threads, spread

THREADS = (1, 2, 5)


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
