"""What unevaluated averages have in common."""

from __future__ import annotations

from typing import Any

import sympy as sp

__all__ = ["UnevaluatedAverage"]


class UnevaluatedAverage(sp.Expr):
    """An average that is kept as it is written; its first argument is the integrand.

    Its arguments are SymPy objects, so that SymPy's own substitution and comparison work.
    """

    @classmethod
    def _from_arguments(cls, *args: Any) -> Any:
        return sp.Expr.__new__(cls, *args)

    @property
    def func(self) -> Any:
        """Rebuild from ``args`` (SymPy's traversal protocol)."""
        return self._from_arguments

    @property
    def integrand(self) -> sp.Expr:
        """The function averaged."""
        return self.args[0]
