"""NumPy's floating-point settings belong to the process around us; in here they are NumPy's defaults."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

__all__ = ["numpy_defaults"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def numpy_defaults(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function that runs with NumPy's default floating-point settings.

    With ``np.seterr(all="raise")`` in the process, an exponential that underflows to zero, as it should, would raise.
    """

    @functools.wraps(function)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            return function(*args, **kwargs)

    return wrapped
