"""Stages of long work, told to whoever listens: ``logging.getLogger("attention_phase")``, at info."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["recorded", "stage", "told"]

LOGGER = logging.getLogger("attention_phase")
# Of the work that goes on here: work in another thread or task has its own.
RECORDS: ContextVar[tuple[dict[str, float], ...]] = ContextVar("records", default=())


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Tell how many seconds a stage took, when it ends; also where it was interrupted or failed."""
    begun = time.perf_counter()
    try:
        yield
    except BaseException:
        told(f"{what} (not finished)", time.perf_counter() - begun)
        raise
    told(what, time.perf_counter() - begun)


def told(what: str, seconds: float) -> None:
    """Tell how many seconds a stage took."""
    LOGGER.info("%s: %.3f s", what, seconds)
    for record in RECORDS.get():
        record[what] = record.get(what, 0.0) + seconds


@contextmanager
def recorded() -> Iterator[Mapping[str, float]]:
    """Keep the seconds of all stages that end in the block, those of one name added up."""
    record: dict[str, float] = {}
    token = RECORDS.set((*RECORDS.get(), record))
    try:
        yield record
    finally:
        RECORDS.reset(token)
