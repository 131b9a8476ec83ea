"""A SymPy expression as a function of numbers, with its gradient and Hessian."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from replica.common.errors import InvalidArgument

__all__ = ["ScalarFunction"]


@functools.lru_cache(maxsize=64)
def _compiled(
    expression: sp.Expr, variables: tuple[sp.Symbol, ...], constants: tuple[sp.Symbol, ...]
) -> Callable[..., Any]:
    gradient = [sp.diff(expression, x) for x in variables]
    # Half of a symmetric matrix.
    hessian = [sp.diff(gradient[i], variables[j]) for i in range(len(variables)) for j in range(i, len(variables))]
    return sp.lambdify([*variables, *constants], [expression, *gradient, *hessian], "numpy", cse=True)


@dataclass(frozen=True)
class ScalarFunction:
    """A function of variables at given constants.

    Attributes
    ----------
    expression
        Its value.
    variables
        What it is differentiated in.
    constants
        Its other arguments.

    Raises
    ------
    InvalidArgument
        If the expression has other symbols.

    Examples
    --------
    >>> x, y, a = sp.symbols("x y a")
    >>> ScalarFunction(a * x**2 * y, (x, y), (a,)).evaluate([1.0, 2.0], [3.0])
    (6.0, array([12.,  3.]), array([[12.,  6.],
           [ 6.,  0.]]))
    """

    expression: sp.Expr
    variables: tuple[sp.Symbol, ...]
    constants: tuple[sp.Symbol, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an expression of something else."""
        unknown = self.expression.free_symbols - {*self.variables, *self.constants}
        if unknown:
            raise InvalidArgument(f"the expression has symbols that are no arguments: {sorted(map(str, unknown))}")

    def evaluate(
        self, variables: Sequence[float] | ArrayLike, constants: Sequence[float] | ArrayLike = ()
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Return value, gradient (n,) and Hessian (n, n) at numbers in the order of ``variables`` and ``constants``.

        Raises
        ------
        InvalidArgument
            If there are too few or too many numbers.
        """
        at, given = np.asarray(variables, dtype=float), np.asarray(constants, dtype=float)
        n = len(self.variables)
        if at.shape != (n,) or given.shape != (len(self.constants),):
            raise InvalidArgument(
                f"expected {n} variables {self.variables} and {len(self.constants)} constants {self.constants}, "
                f"got {at.shape} and {given.shape}"
            )
        value, *rest = _compiled(self.expression, self.variables, self.constants)(*at, *given)
        hessian = np.zeros((n, n))
        hessian[np.triu_indices(n)] = rest[n:]
        return float(value), np.array(rest[:n], dtype=float), hessian + np.triu(hessian, 1).T
