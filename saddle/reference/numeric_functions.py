"""SymPy expressions as NumPy functions, averages over a spectrum's atoms included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.attention import with_exponentials

__all__ = ["SpectrumAtoms", "WeightSide", "array_function", "inlined"]

SpectrumAtoms = Sequence[tuple[float, Mapping[str, float]]]
"""Weight of every atom of a covariance spectrum, and the values of its symbols by name."""

ONE_ATOM: SpectrumAtoms = ((1.0, {}),)


def inlined(expression: Any, definitions: Mapping[sp.Symbol, sp.Expr]) -> Any:
    """Return an expression with defined symbols written out; a definition may use the ones before it."""
    for symbol, value in reversed(list(definitions.items())):
        expression = expression.xreplace({symbol: value})
    return expression


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
        raise ValueError(f"{what} holds symbols without a value: {sorted(map(str, unknown))}")
    compiled = sp.lambdify(list(arguments), explicit, modules="numpy", cse=True)

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
    spectrum_averages
        Node types that stand for an average over atoms: they have an ``integrand`` and ``atom_symbols``.
    """

    arguments: tuple[sp.Symbol, ...]
    expressions: tuple[sp.Expr, ...]
    spectrum_averages: tuple[type, ...] = ()

    @cached_property
    def _averages(self) -> dict[Any, sp.Dummy]:
        found: set[Any] = set()
        for expression in self.expressions:
            for kind in self.spectrum_averages:
                found |= expression.atoms(kind)
        return {node: sp.Dummy("spectrum_average", real=True) for node in sorted(found, key=sp.default_sort_key)}

    @cached_property
    def _atom_symbols(self) -> tuple[sp.Symbol, ...]:
        return tuple(dict.fromkeys(s for node in self._averages for s in node.atom_symbols))

    @cached_property
    def _functions(self) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
        inside = array_function(
            (*self.arguments, *self._atom_symbols), [node.integrand for node in self._averages], "an atom's average"
        )
        outside = array_function(
            (*self.arguments, *self._averages.values()),
            [x.xreplace(self._averages) for x in self.expressions],
            "the weight side",
        )
        return inside, outside

    def values(self, arguments: Mapping[sp.Symbol, float], atoms: SpectrumAtoms) -> np.ndarray:
        """Return the expressions' values, (m,)."""
        numbers = [float(arguments[s]) for s in self.arguments]
        inside, outside = self._functions
        if not self._averages:
            return outside(*numbers)
        missing = [s.name for s in self._atom_symbols for _, values in atoms if s.name not in values]
        if missing:
            raise ValueError(f"atoms of the spectrum have no value of {missing[0]!r}: {list(atoms)!r}")
        columns = [np.array([values[s.name] for _, values in atoms], dtype=float) for s in self._atom_symbols]
        averages = inside(*numbers, *columns) @ np.array([weight for weight, _ in atoms])
        return outside(*numbers, *averages)
