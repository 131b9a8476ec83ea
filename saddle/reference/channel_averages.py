"""The equations of a SaddleSystem as NumPy functions: every Gaussian average is a sum over nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.gaussian_average import GaussianAverage, GaussianLaw
from saddle.reference.minimiser import Objective, minimise_from, spread_starts
from saddle.reference.normal_rules import GaussHermite, LegendrePanels, NormalRule, field_loadings, tensor_rule

__all__ = ["ChannelSums", "ReferenceRule"]


@dataclass(frozen=True)
class ReferenceRule:
    """How Gaussian averages are computed.

    Parameters
    ----------
    student, teacher
        Rules along the normals that enter only the student's fields, and along those of the teacher.
    break_along
        Linear forms of the teacher's fields at whose zeros the loss jumps, uncorrelated with one another: the
        argument of the sign in ``sign(h)``.
    broken
        Rule along these forms.
    start_height
        The minimiser starts from the student's field and, unless this is None, from this height in every orthant.
        None suits a loss that is convex in z.
    chunk
        Nodes handled at a time.
    """

    student: NormalRule = GaussHermite(24)
    teacher: NormalRule = GaussHermite(24)
    break_along: tuple[sp.Expr, ...] = ()
    broken: NormalRule = LegendrePanels()
    start_height: float | None = 0.7
    chunk: int = 50_000


def _function(arguments: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], what: str) -> Callable[..., np.ndarray]:
    """Return a function of scalars and arrays (n,) that stacks the expressions' values, (m, n)."""
    unknown = set().union(*(sp.sympify(e).free_symbols for e in expressions)) - set(arguments)
    if unknown:
        raise ValueError(f"{what} holds symbols without a value: {sorted(map(str, unknown))}")
    compiled = sp.lambdify(list(arguments), list(expressions), modules="numpy", cse=True)

    def evaluate(*values: Any) -> np.ndarray:
        return np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in compiled(*values))))

    return evaluate


@dataclass(frozen=True)
class ChannelSums:
    """Averages of functions of (w, h*, z*) under the fields' law, at numbers for everything else.

    Attributes
    ----------
    free_entropy
        What says which fields there are, their law, and what is minimised over z.
    scalars
        Symbols whose values are given with every call.
    integrands
        Functions to average.
    rule
        Quadrature rule.
    """

    free_entropy: Any
    scalars: tuple[sp.Symbol, ...]
    integrands: tuple[sp.Expr, ...]
    rule: ReferenceRule

    @property
    def law(self) -> GaussianLaw:
        """Joint law of student and teacher fields."""
        return self.free_entropy.law

    @cached_property
    def _forms(self) -> sp.ImmutableMatrix:
        """Coefficients of the linear forms with breaks, (k, n)."""
        variables = list(self.law.variables)
        rows = []
        for form in self.rule.break_along:
            row = [sp.diff(form, x) for x in variables]
            rest = sp.simplify(form - sp.Add(*(c * x for c, x in zip(row, variables, strict=True))))
            if rest != 0 or any(c.has(*variables) for c in row) or not any(row):
                raise ValueError(f"break_along must be linear in the fields {variables}, got {form}")
            rows.append(row)
        return sp.ImmutableMatrix(len(rows), len(variables), [c for row in rows for c in row])

    @cached_property
    def _law_function(self) -> Callable[..., np.ndarray]:
        numbers = [*self.law.mean, *self.law.covariance, *self._forms]
        return _function(self.scalars, numbers, "the law of the fields")

    @cached_property
    def _target_function(self) -> Callable[..., np.ndarray]:
        phi = self.free_entropy
        return _function((*self.scalars, *self.law.variables), tuple(phi.target), "the target")

    @cached_property
    def _problem_functions(self) -> tuple[Callable[..., np.ndarray], ...]:
        """Value, gradient and Hessian of the objective in z, and the integrands."""
        phi = self.free_entropy
        known = (*self.scalars, *phi.target_symbols, *self.law.variables, *phi.points)
        gradient = [sp.diff(phi.objective, z) for z in phi.points]
        hessian = [sp.diff(slope, z) for slope in gradient for z in phi.points]
        parts = ((phi.objective,), gradient, hessian, self.integrands)
        return tuple(_function(known, part, "the channel") for part in parts)

    @cached_property
    def _standard_rule(self) -> tuple[np.ndarray, np.ndarray]:
        teacher = len(self.law.variables) - len(self.free_entropy.fields)
        breaks = len(self.rule.break_along)
        if breaks > teacher:
            raise ValueError(f"{breaks} forms with breaks for {teacher} teacher fields: {self.rule.break_along}")
        rules = [self.rule.broken] * breaks + [self.rule.teacher] * (teacher - breaks)
        return tensor_rule(rules + [self.rule.student] * len(self.free_entropy.fields))

    def _objective(self, known: list[Any]) -> Objective:
        value, gradient, hessian, _ = self._problem_functions
        size = len(self.free_entropy.points)

        def with_points(function: Callable[..., np.ndarray], z: np.ndarray, width: int) -> np.ndarray:
            return np.broadcast_to(function(*known, *z.T), (width, len(z))).T

        return Objective(
            value=lambda z: with_points(value, z, 1)[:, 0].copy(),
            gradient=lambda z: with_points(gradient, z, size),
            hessian=lambda z: with_points(hessian, z, size**2).reshape(-1, size, size),
            select=lambda some: self._objective([x[some] if np.ndim(x) else x for x in known]),
        )

    def averages(self, values: Mapping[sp.Symbol, float]) -> np.ndarray:
        """Return the averages of the integrands, (m,).

        Raises
        ------
        DegenerateLaw
            If the covariance of the fields is not positive definite.
        """
        scalars = [float(values[s]) for s in self.scalars]
        n, fields = len(self.law.variables), len(self.free_entropy.fields)
        numbers = self._law_function(*scalars)
        mean, covariance = numbers[:n], numbers[n : n + n * n].reshape(n, n)
        forms = numbers[n + n * n :].reshape(-1, n)
        loadings = field_loadings(covariance, forms, (*range(fields, n), *range(fields)))
        nodes, weights = self._standard_rule
        total = np.zeros(len(self.integrands))
        for low in range(0, len(nodes), self.rule.chunk):
            part = slice(low, low + self.rule.chunk)
            total += self._chunk_sums(scalars, mean + nodes[part] @ loadings.T) @ weights[part]
        return total

    def _chunk_sums(self, scalars: list[float], variables: np.ndarray) -> np.ndarray:
        """Return the integrands (m, n) at fields (n, k)."""
        columns = list(variables.T)
        w = variables[:, : len(self.free_entropy.fields)]
        target = np.broadcast_to(
            self._target_function(*scalars, *columns), (len(self.free_entropy.target_symbols), len(w))
        )
        known = [*scalars, *target, *columns]
        starts = [np.array(w)]
        if self.rule.start_height is not None:
            orthants = spread_starts(w.shape[1], self.rule.start_height)
            starts += [np.broadcast_to(corner, w.shape) for corner in orthants]
        z, _ = minimise_from(self._objective(known), starts)
        return np.broadcast_to(self._problem_functions[3](*known, *z.T), (len(self.integrands), len(w)))


def split_averages(expressions: Sequence[sp.Expr]) -> tuple[list[sp.Expr], dict[sp.Dummy, sp.Expr]]:
    """Return expressions with a symbol in the place of every Gaussian average, and what each symbol averages."""
    symbols: dict[Any, sp.Dummy] = {}
    for expression in expressions:
        for average in sorted(expression.atoms(GaussianAverage), key=str):
            symbols.setdefault(average, sp.Dummy(f"average_{len(symbols)}", real=True))
    replaced = [expression.xreplace(symbols) for expression in expressions]
    return replaced, {symbol: average.integrand for average, symbol in symbols.items()}
