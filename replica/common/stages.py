"""Stages of long work, told to whoever listens: ``logging.getLogger("attention_phase")``, at info."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stage", "told"]

LOGGER = logging.getLogger("attention_phase")


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
