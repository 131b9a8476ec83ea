"""What the channel's functions share: the saddle system's channel term in line coordinates, and its derivatives.

How the proximal point follows the line, the order parameters and the model's parameters is derived here, by implicit
differentiation of its stationarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

from replica.algebra.differentiation import partial_derivative
from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.inverse_matrices import InverseMatrix, Stage, differentiate, sweep_stages, upper_triangle
from replica.code.line_coordinates import LineCoordinates, cholesky
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.quantities.loss_structure import CONSTANT_STEPS

__all__ = ["ChannelTerms", "gradient"]

# Largest matrix whose inverse is written as adjugate over determinant, which grow as the factorial of the size.
LARGEST_ADJUGATE = 3


def gradient(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """Return the partial derivatives of an expression."""
    return [partial_derivative(expression, x) for x in variables]


STEPS = tuple(getattr(sp, name) for name in CONSTANT_STEPS)
BY_FLOORS = (sp.Mod, sp.frac)


@lru_cache(maxsize=1 << 16)
def _has_steps(expression: sp.Basic) -> bool:
    """Return whether there are steps in an expression, looking at every part of it once."""
    return isinstance(expression, (*STEPS, *BY_FLOORS)) or any(map(_has_steps, expression.args))


def _with_floors(expression: sp.Expr) -> sp.Expr:
    """Return an expression with remainders written by steps of height one."""
    return expression.replace(sp.Mod, lambda a, b: a - b * sp.floor(a / b)).replace(sp.frac, lambda a: a - sp.floor(a))


@dataclass(frozen=True)
class ChannelTerms:
    """A saddle system's channel term in line coordinates, with what several functions share."""

    system: SaddleSystem
    line: LineCoordinates

    @property
    def free_entropy(self) -> FreeEntropy:
        """What the saddle system was derived from."""
        return self.system.free_entropy

    @cached_property
    def state(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the order parameters."""
        return tuple(x.symbol for x in self.system.order_parameters)

    @cached_property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the model's numeric parameters."""
        return tuple(x.symbol for x in self.free_entropy.parameters)

    @cached_property
    def at_node(self) -> tuple[sp.Symbol, ...]:
        """Coordinates of a node, without the proximal point."""
        phi = self.free_entropy
        return (*self.line.common, self.line.line, *phi.teacher_fields, *phi.channel.target_symbols, *self.state)

    @cached_property
    def hessian(self) -> sp.Matrix:
        """Symbols of the Moreau objective's Hessian at the proximal point."""
        size = len(self.free_entropy.channel.proximal_point)
        return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"H_{min(i, j) + 1}{max(i, j) + 1}", real=True))

    @cached_property
    def hessian_entries(self) -> tuple[sp.Symbol, ...]:
        """Its entries on and above the diagonal."""
        return tuple(self.hessian[i, j] for i, j in upper_triangle(self.hessian.rows))

    @cached_property
    def inverse(self) -> sp.Matrix:
        """Symbols of the Hessian's inverse."""
        size = self.hessian.rows
        return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"K_{min(i, j) + 1}{max(i, j) + 1}", real=True))

    @cached_property
    def inverse_stages(self) -> tuple[Stage, ...]:
        """The inverse of the Hessian at the proximal point, symbol by symbol."""
        if self.hessian.rows > LARGEST_ADJUGATE:
            return sweep_stages(self.hessian, self.inverse)
        determinant = sp.Symbol("inverse_determinant", real=True)
        adjugate = self.hessian.adjugate()
        entries = ((self.inverse[i, j], adjugate[i, j] * determinant) for i, j in upper_triangle(self.hessian.rows))
        return (((determinant, 1 / self.hessian.det()),), tuple(entries))

    def on_line(self, expression: sp.Expr) -> sp.Expr:
        """Write the local fields in line coordinates."""
        return expression.xreplace(self.line.fields)

    @cached_property
    def inverses(self) -> tuple[InverseMatrix, ...]:
        """Inverses whose entries stand as symbols in the integrands; none for rank one."""
        return (*self.free_entropy.channel.inverse_susceptibilities, *self.free_entropy.covariance_inverses)

    @cached_property
    def forces(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbols g in the integrands, and their values; none for rank one."""
        return {x: self.on_line(value) for x, value in self.free_entropy.channel.forces.items()}

    @cached_property
    def definition_stages(self) -> tuple[Stage, ...]:
        """Definitions of these symbols."""
        stages = (*(inverse.definitions for inverse in self.inverses), self.forces)
        return tuple(tuple(stage.items()) for stage in stages if stage)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What functions that follow the proximal point compute first."""
        return (*self.definition_stages, *self.inverse_stages)

    def derivative(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        """Differentiate through the symbols of inverses and forces."""
        return differentiate(expression, x, self.inverses, self.forces)

    @cached_property
    def objective(self) -> sp.Expr:
        """The Moreau objective on a line."""
        return self.on_line(self.free_entropy.channel.objective)

    @cached_property
    def conjugates(self) -> list[sp.Expr]:
        """The conjugates' integrands on a line."""
        return [self.on_line(self.system.conjugate_integrand(x.symbol)) for x in self.system.conjugates]

    @cached_property
    def test_error(self) -> sp.Expr:
        """The test error's integrand: a function of w, not of z*, so that it follows no jump."""
        (average,) = self.system.test_error.atoms(GaussianAverage)
        return self.on_line(self.system.test_error.xreplace({average: average.integrand}))

    @property
    def odd_pairs(self) -> list[tuple[sp.Symbol, sp.Symbol]]:
        """The conjugates that vanish with m or theta, each with its order parameter."""
        pairs = zip(self.system.conjugates, self.system.order_parameters, strict=True)
        odd = ("positional_overlap", "semantic_overlap")
        return [(hat.symbol, x.symbol) for hat, x in pairs if x.kind in odd]

    def integrands(self) -> list[sp.Expr]:
        """Return what is averaged: conjugates per alpha, envelope, loss at z*, test error, odd blocks.

        The odd blocks are the derivatives of the two odd conjugates in their own order parameters where those
        vanish (their zeros are pitchforks), by the route that needs no jumps.
        """
        phi, system = self.free_entropy, self.system
        odd_blocks = [
            GaussianAverage(system.conjugate_integrand(hat), phi.law).derivative_by_density(x, self.inverses).integrand
            for hat, x in self.odd_pairs
        ]
        odd_blocks = map(self.on_line, odd_blocks)
        return [*self.conjugates, self.objective, self.on_line(phi.channel.loss), self.test_error, *odd_blocks]

    @cached_property
    def envelope_derivatives(self) -> list[sp.Expr]:
        """Derivatives of the Moreau envelope in the local fields, by the envelope theorem."""
        channel = self.free_entropy.channel
        if not channel.forces:
            return gradient(channel.objective, channel.fields)
        return [channel.slope(x) for x in channel.fields]

    @cached_property
    def envelope_curvature(self) -> sp.Matrix:
        """Second derivatives of the Moreau envelope in the local fields where z* is smooth, z* following."""
        phi, size = self.free_entropy, len(self.proximal_point)

        def change(slope: sp.Expr, x: sp.Symbol) -> sp.Expr:
            return differentiate(slope, x, phi.channel.inverse_susceptibilities, phi.channel.forces)

        slopes = self.envelope_derivatives
        mixed = sp.Matrix(size, size, lambda i, j: change(slopes[i], phi.channel.proximal_point[j]))
        explicit = sp.Matrix(size, size, lambda i, j: change(slopes[i], phi.channel.fields[j]))
        return explicit - mixed * self.inverse * mixed.T

    def response(self, variables: Sequence[sp.Symbol]) -> sp.Matrix:
        """Return dz*/d(variables) by implicit differentiation of the stationarity of z*, node fixed."""
        mixed = sp.Matrix(
            [[self.total(self.derivative(self.objective, z), x) for x in variables] for z in self.proximal_point]
        )
        return -self.inverse * mixed

    @property
    def proximal_point(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the proximal point."""
        return self.free_entropy.channel.proximal_point

    @cached_property
    def target_derivatives(self) -> dict[tuple[sp.Symbol, sp.Symbol], sp.Symbol]:
        """Symbols of the derivatives of the target's entries in the parameters it depends on, node fixed."""
        slopes = {}
        for entry, value in zip(self.free_entropy.channel.target_symbols, self.free_entropy.target, strict=True):
            for x in self.parameters:
                if self.along_node(value, x) != 0:
                    slopes[entry, x] = sp.Symbol(f"d{entry}_d{x}", real=True)
        return slopes

    def along_node(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        r"""Differentiate with :math:`h^\star/\sqrt\rho` fixed: a node is standard normal, so h* moves with rho.

        A step of the outputs, as that of a sign, contributes nothing as long as it stays at its node; where it moves,
        the derivative is not that of an integrand, and nan.
        """
        if not _has_steps(expression):
            moved = (self.derivative(expression, h) * change for h, change in self.teacher_drift(x).items())
            return self.derivative(expression, x) + sp.Add(*moved)
        expression = _with_floors(expression)
        steps = sorted(expression.atoms(*STEPS), key=sp.default_sort_key)
        for step in steps:
            change = self.along_node(step.args[0], x)
            if change != 0 and not self._vanishes_where_it_steps(step, change):
                return sp.nan
        heights = {step: sp.Dummy() for step in steps}
        back = {height: step for step, height in heights.items()}
        return self.along_node(expression.xreplace(heights), x).xreplace(back)

    def _vanishes_where_it_steps(self, step: sp.Expr, change: sp.Expr) -> bool:
        """Whether a change is in proportion to the argument, and the step where that is zero; a floor has others."""
        if isinstance(step, (sp.floor, sp.ceiling)):
            return False
        ratio = sp.simplify(change / step.args[0])
        return not ratio.free_symbols & set(self.free_entropy.teacher_fields)

    def teacher_drift(self, x: sp.Symbol) -> dict[sp.Symbol, sp.Expr]:
        """Return how the teacher fields of a node move with a parameter, by way of their covariance."""
        model, layout = self.free_entropy.model, self.free_entropy.layout
        t = layout.teacher_rank
        drift: dict[sp.Symbol, sp.Expr] = {}
        for token, group in enumerate(layout.groups):
            variance = sp.Matrix(model.token_law.teacher_variances[group])
            if variance.diff(x).is_zero_matrix:
                continue
            own = model.teacher_fields[token * t : (token + 1) * t]
            factor = cholesky(variance)
            change = factor.diff(x) * factor.inv() * sp.Matrix(own)
            drift |= dict(zip(own, change.applyfunc(sp.simplify), strict=True))
        return drift

    def total(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        """Differentiate at a fixed node and fixed z, the target's entries following the parameter."""
        if x not in self.parameters:
            return self.derivative(expression, x)
        if _has_steps(expression):
            # A loss that jumps with its outputs: what matters is whether they move where it does.
            channel = self.free_entropy.channel
            outputs = dict(zip(channel.target_symbols, self.free_entropy.target, strict=True))
            return self.along_node(expression.xreplace(outputs), x)
        slopes = ((entry, slope) for (entry, y), slope in self.target_derivatives.items() if y == x)
        by_target = sp.Add(*(partial_derivative(expression, entry) * slope for entry, slope in slopes))
        return self.along_node(expression, x) + by_target

    def following(self, expressions: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> list[sp.Expr]:
        """Differentiate functions of the proximal point, which follows the variables."""
        response = self.response(variables)
        derivatives: list[sp.Expr] = []
        for f in expressions:
            row = sp.Matrix([[self.derivative(f, z) for z in self.proximal_point]]) * response
            derivatives += [self.total(f, x) + row[0, k] for k, x in enumerate(variables)]
        return derivatives
