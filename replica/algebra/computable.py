"""Whether there is numerical code for an expression: SymPy knows more functions than NumPy, SciPy and mpmath do."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.softmax_weight import with_exponentials
from replica.common.errors import InvalidModel

__all__ = ["ARRAY_MODULES", "check_computable"]

ARRAY_MODULES = ("scipy", "numpy")
"""Where functions of arrays are looked for."""

# What stands for a computation that is yet to be done.
UNFINISHED = (sp.Derivative, sp.Integral, sp.Limit, sp.Product, sp.Subs, sp.Sum)
# Where expressions are tried. Whether they have a value there does not matter.
TRIAL, TRIAL_STEP = 0.7123, 0.0371


def check_computable(name: str, expression: sp.Expr, variables: Sequence[sp.Symbol] = ()) -> None:
    """Refuse an expression that cannot be computed with arrays, for solving, and with many digits, for checks.

    Parameters
    ----------
    name
        What the expression is, for messages.
    variables
        In which it is differentiated twice.

    Raises
    ------
    InvalidModel
        Naming the smallest piece for which there is no code.
    """
    unfinished = sorted(expression.atoms(*UNFINISHED), key=sp.default_sort_key)
    if unfinished:
        raise InvalidModel(f"{name} must be explicit, got {unfinished[0]}; call .doit() on it")
    slopes = [sp.diff(expression, x) for x in variables]
    needed = [expression, *slopes, *(sp.diff(slope, x) for slope in slopes for x in variables)]
    if _fault(tuple(needed)) is None:
        return
    functions = sorted(
        {f for x in needed for f in x.atoms(sp.Function)}, key=lambda f: (sp.count_ops(f), sp.default_sort_key(f))
    )
    for function in functions:
        fault = _fault((function,))
        if fault is not None:
            own = function in expression.atoms(sp.Function)
            where = "" if own else f", which is in its derivatives: {expression}"
            raise InvalidModel(f"{name} must have numerical code, and there is none for {function}{where} ({fault})")
    raise InvalidModel(f"{name} must have numerical code, and there is none for {expression} ({_fault(tuple(needed))})")


@functools.lru_cache(maxsize=64)
def _fault(expressions: tuple[sp.Expr, ...]) -> str | None:
    """Return why expressions cannot be computed, or None if they can.

    It is remembered: models that differ by a number hold the same expressions, and each is checked when it is made.
    """
    explicit = [with_exponentials(x) for x in expressions]
    symbols = sorted(set().union(*(x.free_symbols for x in explicit)), key=str)
    trials = [TRIAL + TRIAL_STEP * k for k in range(len(symbols))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arrays = sp.lambdify(symbols, explicit, modules=list(ARRAY_MODULES), cse=True)
            # Two values each, because code that decides by a value fails on arrays only.
            found: list[Any] = [np.asarray(x) for x in arrays(*(np.array([x, x / 2]) for x in trials))]
        digits = sp.lambdify(symbols, explicit, modules="mpmath", cse=True)
    except Exception as error:  # noqa: BLE001
        # Printers and generated code fail in their own ways.
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    try:
        digits(*map(mpmath.mpf, trials))
    except (ArithmeticError, ValueError):
        pass  # no value here, perhaps a pole: that there is code is all that is asked
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if any(x.dtype.kind not in "fiub" for x in found):
        return "its values are not real numbers"
    return None
