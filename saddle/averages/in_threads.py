"""Do independent tasks in threads: kernels release the interpreter's lock, and what is around them overlaps, too."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads", "spread", "workers_of"]

T = TypeVar("T")
R = TypeVar("R")


def workers_of(threads: int) -> int:
    """Return how many threads a number of threads means: 0 is one per core that this process may use."""
    return threads or _usable_cores()


def _usable_cores() -> int:
    """Return how many cores this process may use: on a cluster, or under ``taskset``, not all of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(function: Callable[[T], R], tasks: Sequence[T], threads: int) -> Iterator[R]:
    """Yield what a function returns for each task, in the order of the tasks.

    Parameters
    ----------
    function
        Depends on its argument alone, so that results do not depend on the number of threads.
    tasks
        Its arguments.
    threads
        How many; 0 for one per core.

    Notes
    -----
    After an exception, Ctrl-C among them, tasks that have not begun are given up.
    """
    workers = min(workers_of(threads), len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        for future in [pool.submit(function, task) for task in tasks]:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def spread(function: Callable[[T], object], tasks: Sequence[T], workers: int) -> None:
    """Do short tasks, in any order, on this thread and some helpers that live as long as this call.

    A pool would take a millisecond to begin and end, and one that stays would be missing in a forked process.

    Parameters
    ----------
    function
        What is done with each task.
    tasks
        Its arguments.
    workers
        Number of threads, this one among them.

    Notes
    -----
    After an exception, Ctrl-C among them, tasks that have not begun are given up.
    """
    # The next element of a list is taken under the interpreter's lock: none is done twice.
    remaining = iter(list(tasks))
    failures: list[BaseException] = []

    def give_up() -> None:
        for _ in remaining:
            pass

    def help_out() -> None:
        try:
            for task in remaining:
                function(task)
        except BaseException as failure:  # noqa: BLE001  raised again below
            failures.append(failure)
            give_up()

    helpers = [threading.Thread(target=help_out, daemon=True) for _ in range(min(workers, len(tasks)) - 1)]
    try:
        for helper in helpers:
            helper.start()
        for task in remaining:
            function(task)
    finally:
        give_up()
        for helper in helpers:
            if helper.ident is not None:
                helper.join()
    if failures:
        raise failures[0]
