"""SymPy expressions as NumPy functions, averages over a spectrum's atoms included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.algebra.computable import ARRAY_MODULES
from replica.algebra.softmax_weight import with_exponentials
from replica.algebra.spectrum_average import SpectrumAverage
from replica.common.errors import InvalidArgument

__all__ = ["ONE_ATOM", "SpectrumAtoms", "WeightSide", "array_function"]

SpectrumAtoms = Sequence[tuple[float, Mapping[str, float]]]
"""Weight of every atom of a covariance spectrum, and the values of its symbols by name."""

ONE_ATOM: SpectrumAtoms = ((1.0, {}),)


def array_function(arguments: Sequence[sp.Symbol], expressions: Sequence[Any], what: str) -> Callable[..., np.ndarray]:
    """Return a function of scalars and arrays (n,) that stacks the expressions' values, (m, n) or (m,).

    Raises
    ------
    ValueError
        If an expression holds a symbol that is no argument.
    """
    explicit = [with_exponentials(sp.sympify(x)) for x in expressions]
    unknown = set().union(*(x.free_symbols for x in explicit)) - set(arguments)
    if unknown:
        raise InvalidArgument(f"{what} holds symbols without a value: {sorted(map(str, unknown))}")
    compiled = sp.lambdify(list(arguments), explicit, modules=list(ARRAY_MODULES), cse=True)

    def evaluate(*values: Any) -> np.ndarray:
        # Exponentials of softmax weights may overflow: the weight is then zero.
        with np.errstate(over="ignore"):
            results = compiled(*values)
        shape = np.broadcast_shapes(*(np.shape(x) for x in values))
        return np.stack([np.broadcast_to(np.asarray(x, dtype=float), shape) for x in results])

    return evaluate


@dataclass(frozen=True)
class WeightSide:
    """Expressions in numbers alone and in averages over the atoms of a covariance spectrum.

    Attributes
    ----------
    arguments
        Symbols whose values are given with every call.
    expressions
        What is computed.
    atom_symbols
        Symbols that differ from atom to atom and stand outside any average: for :meth:`atom_values` only.
    """

    arguments: tuple[sp.Symbol, ...]
    expressions: tuple[sp.Expr, ...]
    atom_symbols: tuple[sp.Symbol, ...] = ()

    @cached_property
    def _averages(self) -> dict[Any, sp.Dummy]:
        found = sorted({x for e in self.expressions for x in e.atoms(SpectrumAverage)}, key=sp.default_sort_key)
        return {node: sp.Dummy("spectrum_average", real=True) for node in found}

    @cached_property
    def _inside(self) -> WeightSide:
        """The expressions averaged over atoms."""
        found = tuple(dict.fromkeys(s for node in self._averages for s in node.atom_symbols))
        return WeightSide(self.arguments, tuple(node.integrand for node in self._averages), found)

    @cached_property
    def _function(self) -> Callable[..., np.ndarray]:
        known = (*self.arguments, *self.atom_symbols, *self._averages.values())
        return array_function(known, [x.xreplace(self._averages) for x in self.expressions], "the weight side")

    def values(self, arguments: Mapping[sp.Symbol, float], atoms: SpectrumAtoms) -> np.ndarray:
        """Return the expressions' values, (m,)."""
        averages: list[float] = []
        if self._averages:
            weights = np.array([weight for weight, _ in atoms])
            averages = (self._inside.atom_values(arguments, atoms) @ weights).tolist()
        return self._function(*(float(arguments[s]) for s in self.arguments), *averages)

    def atom_values(self, arguments: Mapping[sp.Symbol, float], atoms: SpectrumAtoms) -> np.ndarray:
        """Return the expressions' values on every atom, (m, atoms).

        Raises
        ------
        ValueError
            If an atom has no value of a symbol.
        """
        missing = [s.name for s in self.atom_symbols for _, values in atoms if s.name not in values]
        if missing:
            raise InvalidArgument(f"atoms of the spectrum have no value of {missing[0]!r}: {list(atoms)!r}")
        columns = [np.array([values[s.name] for _, values in atoms], dtype=float) for s in self.atom_symbols]
        values = self._function(*(float(arguments[s]) for s in self.arguments), *columns)
        return np.broadcast_to(values.reshape(len(self.expressions), -1), (len(self.expressions), len(atoms)))
