"""The Moreau envelope at one point, minimised to as many digits as mpmath works with."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.inverse_matrices import upper_triangle
from replica.checks.check import function_of, random_state, random_values
from replica.equations.free_entropy import FreeEntropy

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["ChannelPoint", "channel_point"]


@dataclass(frozen=True)
class ChannelFunctions:
    """Functions of mpmath numbers for one free entropy, all of the same arguments."""

    phi: FreeEntropy

    @cached_property
    def names(self) -> list[sp.Symbol]:
        """Arguments after z, in order."""
        phi = self.phi
        used = {*self.written_out(phi.channel.objective).free_symbols, *self.susceptibilities} - set(
            phi.channel.proximal_point
        )
        return sorted({*used, *phi.channel.fields}, key=str)

    @cached_property
    def susceptibilities(self) -> list[sp.Symbol]:
        """Entries of V."""
        return list(dict.fromkeys(x for matrix in self.phi.channel.susceptibilities for x in matrix))

    def written_out(self, expression: sp.Expr) -> sp.Expr:
        """Replace forces and inverses of V by what they stand for."""
        channel = self.phi.channel
        definitions = {x: y for inverse in channel.inverse_susceptibilities for x, y in inverse.definitions.items()}
        return expression.xreplace(dict(channel.forces)).xreplace(definitions)

    def compiled(self, expressions: Any) -> Any:
        """Return a function of (z, names)."""
        flat = [self.written_out(x) for x in expressions]
        return function_of([*self.phi.channel.proximal_point, *self.names], flat)

    @cached_property
    def value_and_derivatives(self) -> Any:
        """Objective, gradient and upper Hessian in z."""
        phi, z = self.phi, self.phi.channel.proximal_point
        objective = self.written_out(phi.channel.objective)
        gradient = [sp.diff(objective, x) for x in z]
        hessian = [sp.diff(gradient[i], z[j]) for i, j in upper_triangle(len(z))]
        return self.compiled([objective, *gradient, *hessian])

    @cached_property
    def slopes(self) -> dict[sp.Symbol, Any]:
        """The saddle-point derivation's partial derivatives of the envelope."""
        arguments = (*self.phi.channel.fields, *self.susceptibilities)
        return {x: self.compiled([self.phi.channel.slope(x)]) for x in arguments}

    @cached_property
    def outputs(self) -> Any:
        """Outputs as a function of (teacher fields, parameters)."""
        parameters = [x.symbol for x in self.phi.parameters]
        return function_of([*self.phi.teacher_fields, *parameters], list(self.phi.target))


@dataclass(frozen=True)
class ChannelPoint:
    """A local minimum of the Moreau objective at given fields, susceptibilities, outputs and parameters."""

    functions: ChannelFunctions
    values: dict[sp.Symbol, Any]
    z: list[Any]

    def _at(self, z: list[Any]) -> list[Any]:
        return self.functions.value_and_derivatives(*z, *(self.values[x] for x in self.functions.names))

    def objective(self, z: list[Any]) -> Any:
        """Return what the envelope minimises."""
        return self._at(z)[0]

    @cached_property
    def minimum(self) -> Any:
        """The envelope."""
        return self.objective(self.z)

    @property
    def susceptibilities(self) -> list[sp.Symbol]:
        """Entries of V."""
        return self.functions.susceptibilities

    def susceptibility_matrices(self) -> list[Any]:
        """Return V of every token."""
        phi = self.functions.phi
        matrices = [phi.channel.susceptibilities[group] for group in phi.layout.groups]
        return [
            mpmath.matrix([[self.values[x] for x in matrix[i, :]] for i in range(matrix.rows)]) for matrix in matrices
        ]

    def hessian(self) -> Any:
        """Return the Hessian at the minimum."""
        size = len(self.z)
        matrix, entries = mpmath.matrix(size, size), self._at(self.z)[1 + size :]
        for (i, j), entry in zip(upper_triangle(size), entries, strict=True):
            matrix[i, j] = matrix[j, i] = entry
        return matrix

    def slope(self, x: sp.Symbol) -> Any:
        """Return the derivation's derivative of the envelope in a field or a susceptibility."""
        (value,) = self.functions.slopes[x](*self.z, *(self.values[y] for y in self.functions.names))
        return value

    def polished(self) -> ChannelPoint | None:
        """Return the minimum that Newton's method, damped where the Hessian is indefinite, finds from here."""
        z, size = mpmath.matrix(self.z), len(self.z)
        for _ in range(200):
            found = self._at(list(z))
            gradient = mpmath.matrix(found[1 : 1 + size])
            trial = dataclasses.replace(self, z=list(z))
            hessian, shift = trial.hessian(), mpmath.mpf(0)
            while True:
                try:
                    mpmath.cholesky(hessian + shift * mpmath.eye(size))
                    break
                except ValueError:
                    shift = max(2 * shift, mpmath.mpf("0.01"))
            step = mpmath.lu_solve(hessian + shift * mpmath.eye(size), -gradient)
            scale = mpmath.mpf(1)
            # So close to the minimum that the objective's digits cannot tell two points apart, Newton needs no search.
            close = shift == 0 and mpmath.norm(step) < mpmath.mpf(10) ** (-mpmath.mp.dps // 6)
            while not close and self.objective(list(z + scale * step)) > found[0] and scale > 1e-6:
                scale /= 2
            z = z + (scale if scale > 1e-6 else 1) * step
            if shift == 0 and mpmath.norm(step) < mpmath.mpf(10) ** (5 - mpmath.mp.dps):
                return dataclasses.replace(self, z=list(z))
        return None

    def moved(
        self, changes: dict[sp.Symbol, Any], teacher: dict[sp.Symbol, Any] | None = None, start: list[Any] | None = None
    ) -> ChannelPoint:
        """Return the minimum that this one becomes when values, or the teacher's fields, change.

        Raises
        ------
        ArithmeticError
            If Newton's method does not converge.
        """
        values = {**self.values, **changes}
        phi = self.functions.phi
        if teacher is not None:
            numbers = [*(teacher[x] for x in phi.teacher_fields), *(values[x.symbol] for x in phi.parameters)]
            values |= dict(zip(phi.channel.target_symbols, self.functions.outputs(*numbers), strict=True))
        moved = dataclasses.replace(self, values=values, z=start or self.z).polished()
        if moved is None:
            raise ArithmeticError("the minimisation of the Moreau objective did not converge")
        return moved


def channel_point(derivation: Theory, generator: np.random.Generator) -> ChannelPoint:
    """Return the envelope at random fields and susceptibilities, with the model's parameters where they are known."""
    phi = derivation.free_entropy
    known = derivation.parameter_values
    values: dict[Any, Any] = random_values((x.symbol for x in phi.parameters), generator, 0.2, 0.9)
    values |= {x.symbol: sp.Rational(repr(known[x.name])) for x in phi.parameters if x.name in known}
    variance = _teacher_variance(phi, values)
    values |= random_state(phi.layout, generator, variance)
    numbers = {x: mpmath.mpf(sp.Rational(y).p) / sp.Rational(y).q for x, y in values.items()}
    numbers |= {x: mpmath.mpf(generator.normal() * 0.7) for x in phi.channel.fields}
    functions = ChannelFunctions(phi)
    teacher = {x: mpmath.mpf(generator.normal() * 0.7) for x in phi.teacher_fields}
    outputs = functions.outputs(*(teacher[x] for x in phi.teacher_fields), *(numbers[x.symbol] for x in phi.parameters))
    numbers |= dict(zip(phi.channel.target_symbols, outputs, strict=True))
    size = len(phi.channel.proximal_point)
    starts = [[mpmath.mpf(s) * mpmath.mpf("0.7") for s in signs] for signs in itertools.product((1, -1), repeat=size)]
    starts = [[numbers[x] for x in phi.channel.fields], *starts[:8]]
    found = [p for start in starts if (p := ChannelPoint(functions, numbers, start).polished()) is not None]
    return min(found, key=lambda p: p.minimum)


def _teacher_variance(phi: FreeEntropy, values: dict[Any, Any]) -> float:
    """Make the teacher's variances multiples of the identity, and return their least."""
    least = []
    for matrix in phi.model.token_law.teacher_variances:
        for i, j in upper_triangle(matrix.rows):
            if matrix[i, j].is_Symbol and matrix[i, j] in values and i != j:
                values[matrix[i, j]] = sp.Integer(0)
        least += [float(matrix[i, i].xreplace(values)) for i in range(matrix.rows)]
    return min(least)
