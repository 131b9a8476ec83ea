"""The equations of a SaddleSystem as NumPy functions: every Gaussian average is a sum over nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianLaw
from replica.common.errors import InvalidArgument
from replica.equations.free_entropy import FreeEntropy
from saddle.reference.minimiser import Objective, minimise_from, spread_starts
from saddle.reference.normal_rules import (
    GaussHermite,
    LegendrePanels,
    NormalRule,
    field_loadings,
    repeated,
    tensor_rule,
)
from saddle.reference.numeric_functions import array_function

__all__ = ["ChannelSums", "ReferenceRule"]


@dataclass(frozen=True)
class ReferenceRule:
    """How Gaussian averages are computed.

    Parameters
    ----------
    student, teacher
        Rules along the normals that the student's fields add to the broken forms, and along the rest: those of the
        teacher and of noise. Where outputs depend on the broken forms alone, averages over the rest are of
        polynomials of degree one, and a single node is exact.
    break_along
        Linear forms of the teacher's fields at whose zeros the loss jumps, uncorrelated with one another: the
        argument of the sign in ``sign(h)``. Symbols are known by name.
    broken
        Rule along these forms.
    start_height
        The minimiser starts from the student's field and, unless this is None, from this height in every orthant.
        None suits a loss that is convex in z.
    from_origin
        Start the minimiser at z = 0 instead, and nowhere else. It then finds *a* minimum, which is not always the
        lowest: for retracing published calculations that did so, and for nothing else.
    chunk
        Nodes handled at a time.
    """

    student: NormalRule = GaussHermite(24)
    teacher: NormalRule = GaussHermite(24)
    break_along: tuple[sp.Expr | str, ...] = ()
    broken: NormalRule = LegendrePanels()
    start_height: float | None = 0.7
    from_origin: bool = False
    chunk: int = 50_000


@dataclass(frozen=True)
class ChannelSums:
    """Averages of functions of (w, h*, z*) under the fields' law, at numbers for everything else.

    Attributes
    ----------
    free_entropy
        What says which fields there are, their law and the target.
    objective
        What is minimised over z.
    scalars
        Symbols whose values are given with every call.
    integrands
        Functions to average.
    rule
        Quadrature rule.
    """

    free_entropy: FreeEntropy
    objective: sp.Expr
    scalars: tuple[sp.Symbol, ...]
    integrands: tuple[sp.Expr, ...]
    rule: ReferenceRule

    @property
    def law(self) -> GaussianLaw:
        """Joint law of student and teacher fields."""
        return self.free_entropy.law

    @cached_property
    def _forms(self) -> list[sp.Expr]:
        """Coefficients of the linear forms with breaks, (k n) in a row."""
        variables, teacher = self.law.variables, set(self.law.variables) - set(self.free_entropy.channel.fields)
        by_name = {x.name: x for x in (*variables, *self.scalars)}
        coefficients: list[sp.Expr] = []
        for given in self.rule.break_along:
            form: Any = sp.sympify(given)
            form = form.xreplace({x: by_name[x.name] for x in form.free_symbols if x.name in by_name})
            row = [sp.diff(form, x) for x in variables]
            rest = sp.expand(form - sp.Add(*(c * x for c, x in zip(row, variables, strict=True))))
            entering = form.free_symbols & set(variables)
            if rest != 0 or not entering or not entering <= teacher or any(c.has(*variables) for c in row):
                raise InvalidArgument(f"break_along must be linear in the teacher's fields {variables}, got {given!r}")
            coefficients += row
        return coefficients

    @cached_property
    def _law_function(self) -> Callable[..., np.ndarray]:
        numbers = [*self.law.mean, *self.law.covariance, *self._forms]
        return array_function(self.scalars, numbers, "the law of the fields")

    @cached_property
    def _target_function(self) -> Callable[..., np.ndarray]:
        return array_function((*self.scalars, *self.law.variables), [*self.free_entropy.target], "the target")

    @cached_property
    def _channel_functions(self) -> tuple[Callable[..., np.ndarray], ...]:
        """Value, gradient and Hessian of the objective in z, and the integrands."""
        phi = self.free_entropy
        known = (*self.scalars, *phi.channel.target_symbols, *self.law.variables, *phi.channel.proximal_point)
        gradient = [sp.diff(self.objective, z) for z in phi.channel.proximal_point]
        hessian = [sp.diff(slope, z) for slope in gradient for z in phi.channel.proximal_point]
        parts = ((self.objective,), gradient, hessian, self.integrands)
        return tuple(array_function(known, part, "the channel") for part in parts)

    @cached_property
    def normals(self) -> tuple[NormalRule, ...]:
        """The rules along the standard normals that the fields are made of, in their order."""
        students, breaks = len(self.free_entropy.channel.fields), len(self.rule.break_along)
        rest = len(self.law.variables) - students - breaks
        rule = self.rule
        return (*repeated(rule.broken, breaks), *repeated(rule.student, students), *repeated(rule.teacher, rest))

    @cached_property
    def _standard_rule(self) -> tuple[np.ndarray, np.ndarray]:
        return tensor_rule(self.normals)

    def _objective(self, known: list[Any]) -> Objective:
        value, gradient, hessian, _ = self._channel_functions
        size = len(self.free_entropy.channel.proximal_point)
        return Objective(
            value=lambda z: value(*known, *z.T)[0],
            gradient=lambda z: gradient(*known, *z.T).T,
            hessian=lambda z: hessian(*known, *z.T).T.reshape(-1, size, size),
            select=lambda some: self._objective([x[some] if np.ndim(x) else x for x in known]),
        )

    def averages(self, values: Mapping[sp.Symbol, float], normals: Sequence[NormalRule] | None = None) -> np.ndarray:
        """Return the averages of the integrands, (m,), on the rule or on other rules along the normals.

        Raises
        ------
        DegenerateLaw
            If the covariance of the fields is not positive definite.
        """
        scalars = [float(values[s]) for s in self.scalars]
        n, phi = len(self.law.variables), self.free_entropy
        numbers = self._law_function(*scalars)
        mean, covariance, forms = numbers[:n], numbers[n : n + n * n].reshape(n, n), numbers[n + n * n :]
        if np.any(forms.reshape(-1, n) @ mean):
            raise InvalidArgument(f"forms with breaks must have mean zero: {self.rule.break_along!r}")
        students = [self.law.variables.index(w) for w in phi.channel.fields]
        others = [k for k in range(n) if k not in students]
        loadings = field_loadings(covariance, forms.reshape(-1, n), students + others)
        nodes, weights = self._standard_rule if normals is None else tensor_rule(normals)
        total = np.zeros(len(self.integrands))
        for low in range(0, len(nodes), self.rule.chunk):
            part = slice(low, low + self.rule.chunk)
            columns = list((mean + nodes[part] @ loadings.T).T)
            known = [*scalars, *self._target_function(*scalars, *columns), *columns]
            z = self._proximal_points(known, np.stack([columns[k] for k in students], axis=1))
            total += self._channel_functions[3](*known, *z.T) @ weights[part]
        return total

    def _proximal_points(self, known: list[Any], fields: np.ndarray) -> np.ndarray:
        """Return the global minimiser of the objective at every node, (n, k)."""
        if self.rule.from_origin:
            return minimise_from(self._objective(known), [np.zeros_like(fields)])
        starts = [fields]
        if self.rule.start_height is not None:
            corners = spread_starts(fields.shape[1], self.rule.start_height)
            starts += [np.broadcast_to(corner, fields.shape) for corner in corners]
        return minimise_from(self._objective(known), starts)
