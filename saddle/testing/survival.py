"""What a result must survive: pickles, copies, files, its own text."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from replica.common.by_value import same

__all__ = ["losses_of"]


def losses_of(result: Any) -> Iterator[str]:
    """Yield in words what of a result is lost in copies, pickles, files or its text.

    Whatever is raised on the way is a sentence, too, so that one loss does not hide the others.

    Parameters
    ----------
    result
        A diagram, a branch, a solved point, lines, a sweep, a model. What has no ``save`` is not saved.
    """
    for what, made in _ways(result):
        try:
            again = made()
        except Exception as failure:  # noqa: BLE001
            yield f"{what}: {type(failure).__name__}: {failure}"
            continue
        if not same(again, result):
            yield f"{what}: what comes back is another {type(result).__name__}"
            continue
        if _hash(again) != _hash(result):
            yield f"{what}: what comes back has another hash"
        writable = [name for name, value in _arrays(result).items() if not value.flags.writeable]
        lost = [name for name in writable if _arrays(again)[name].flags.writeable]
        if lost:
            yield f"{what}: {lost[0]} was read-only, and can be written to"
    try:
        _ = repr(result), str(result)
    except Exception as failure:  # noqa: BLE001
        yield f"text: {type(failure).__name__}: {failure}"


def _ways(result: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "pickle", lambda: pickle.loads(pickle.dumps(result))
    yield "copy", lambda: copy.copy(result)
    yield "deep copy", lambda: copy.deepcopy(result)
    if hasattr(result, "save") and hasattr(type(result), "load"):
        yield "save and load", lambda: _read_back(result)


def _read_back(result: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.nc"
        result.save(path)
        return type(result).load(path)


def _hash(value: Any) -> int | None:
    try:
        return hash(value)
    except TypeError:
        return None


def _arrays(value: Any) -> dict[str, np.ndarray]:
    return {name: entry for name, entry in vars(value).items() if isinstance(entry, np.ndarray)}
