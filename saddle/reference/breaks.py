"""Where a target jumps or has a kink: linear forms of the teacher's fields, found in the expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from replica.equations.free_entropy import FreeEntropy

__all__ = ["breaks_of"]

# Correlation of forms that are taken to be uncorrelated.
NONE = 1e-12


def breaks_of(free_entropy: FreeEntropy, given: Mapping[sp.Symbol, float]) -> tuple[sp.Expr, ...]:
    """Return linear forms at whose zeros outputs are not smooth, as many as are uncorrelated with one another.

    Parameters
    ----------
    given
        Values of the parameters.

    Notes
    -----
    Forms of mean zero in arguments of ``sign``, ``Heaviside`` and ``Abs``, in differences of the arguments of ``Max``
    and ``Min``, and in conditions of ``Piecewise`` are seen; other ones make averages converge slowly, and no worse.
    """
    law = free_entropy.law
    teacher = [x for x in law.variables if x not in free_entropy.channel.fields]
    places = [law.variables.index(x) for x in teacher]
    numbers = {symbol: sp.Float(value) for symbol, value in given.items()}
    covariance = np.array(law.covariance.extract(places, places).xreplace(numbers).tolist(), dtype=float)
    if sp.Matrix(law.mean).extract(places, [0]).xreplace(numbers) != sp.zeros(len(teacher), 1):
        return ()
    kept: list[tuple[sp.Expr, np.ndarray]] = []
    for form in dict.fromkeys(_rough_arguments(free_entropy.target)):
        row = _coefficients(form, teacher, numbers)
        if row is None:
            continue
        row = row / np.sqrt(row @ covariance @ row)
        overlaps = [abs(row @ covariance @ other) for _, other in kept]
        if all(overlap < NONE for overlap in overlaps):
            kept.append((form, row))
    return tuple(form for form, _ in kept)


def _rough_arguments(target: Any) -> Iterator[sp.Expr]:
    for atom in sorted(target.atoms(sp.sign, sp.Heaviside, sp.Abs), key=sp.default_sort_key):
        yield atom.args[0]
    for atom in sorted(target.atoms(sp.Max, sp.Min), key=sp.default_sort_key):
        if len(atom.args) == 2:
            yield atom.args[0] - atom.args[1]
    for atom in sorted(target.atoms(sp.core.relational.Relational), key=sp.default_sort_key):
        yield atom.lhs - atom.rhs


def _coefficients(form: sp.Expr, teacher: list[sp.Symbol], numbers: Mapping[sp.Symbol, Any]) -> np.ndarray | None:
    """Return the coefficients of a linear form of the teacher's fields, or None if it is something else."""
    explicit = sp.expand(form.xreplace(dict(numbers)))
    row = [sp.diff(explicit, x) for x in teacher]
    rest = sp.expand(explicit - sp.Add(*(c * x for c, x in zip(row, teacher, strict=True))))
    if rest != 0 or not all(c.is_number for c in row):
        return None
    values = np.array(row, dtype=float)
    return values if np.any(values) else None
