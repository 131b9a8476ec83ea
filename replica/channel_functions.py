"""What the kernel evaluates at the nodes of the channel's Gaussian integral, as SymPy expressions.

All derivatives are taken here, by SymPy: Newton's method on the Moreau objective, how the proximal point follows
the line, the order parameters and the model's parameters (implicit differentiation), and how fast a jump moves.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica import symbols
from replica.attention import SoftmaxWeight
from replica.channel_coordinates import LineCoordinates, line_coordinates
from replica.free_energy import FreeEntropy
from replica.function_specification import FunctionSpecification, Stage
from replica.gaussian_average import GaussianAverage
from replica.moreau import MoreauProblem
from replica.saddle_equations import SaddleSystem
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX

__all__ = ["channel_functions", "objective_function"]


def _gradient(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> list[sp.Expr]:
    return [sp.diff(expression, x) for x in variables]


def _upper_triangle(size: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(size) for j in range(i, size)]


def objective_function(problem: MoreauProblem) -> FunctionSpecification:
    r"""Return value, gradient and upper Hessian in z of the Moreau objective, by the chain rule through the logits.

    The loss depends on z through the logits X of the softmax weights (and directly, if it does):
    :math:`\partial_a\ell = \sum_k A_k \partial_a X_k` and :math:`\partial_a\partial_b\ell =
    \sum_{kl} B_{kl}\,\partial_a X_k\partial_b X_l + \sum_k A_k\partial_a\partial_b X_k`.
    Kept as stages, so that every exponential is computed once and derivatives stay short for any length and rank.
    """
    z, loss, objective = problem.points, problem.loss, problem.objective
    logits: dict[sp.Expr, sp.Symbol] = {}
    weights: dict[sp.Expr, sp.Symbol] = {}
    for weight in sorted(loss.atoms(SoftmaxWeight), key=sp.default_sort_key):
        index, *values = weight.args
        renamed = [logits.setdefault(x, sp.Symbol(f"X_{len(logits)}", real=True)) if x != 0 else x for x in values]
        weights[SoftmaxWeight(index, *renamed)] = sp.Symbol(f"P_{len(weights)}", real=True)
    inner = loss.xreplace(
        {weight: SoftmaxWeight(weight.args[0], *(logits.get(x, x) for x in weight.args[1:]))
         for weight in loss.atoms(SoftmaxWeight)}
    )  # fmt: skip
    direct = [x for x in z if inner.has(x)]
    variables = [*logits.values(), *direct]
    values = [*logits, *direct]
    first = _gradient(inner, variables)
    second = {(k, n): sp.diff(first[k], variables[n]) for k, n in _upper_triangle(len(variables))}
    slopes = [sp.Symbol(f"A_{k}_", real=True) for k in range(len(variables))]
    curvatures = {key: sp.Symbol(f"B_{key[0]}_{key[1]}_", real=True) for key, value in second.items() if value != 0}

    def compact(expression: sp.Expr) -> sp.Expr:
        return sp.factor_terms(expression.xreplace(weights))

    quadratic = sp.expand(objective - loss)
    gradient = [
        sp.factor_terms(sp.diff(objective - loss, x))
        + sp.Add(*(slope * sp.diff(value, x) for slope, value in zip(slopes, values, strict=True)))
        for x in z
    ]
    hessian = []
    for a, b in _upper_triangle(len(z)):
        entry = sp.diff(quadratic, z[a], z[b])
        for (k, n), symbol in curvatures.items():
            product = sp.diff(values[k], z[a]) * sp.diff(values[n], z[b])
            if k != n:
                product += sp.diff(values[n], z[a]) * sp.diff(values[k], z[b])
            entry += symbol * product
        entry += sp.Add(*(s * sp.diff(value, z[a], z[b]) for s, value in zip(slopes, values, strict=True)))
        hessian.append(entry)
    V = symbols.ORDER_PARAMETERS[2].symbol
    stages: tuple[Stage, ...] = (
        tuple((symbol, value) for value, symbol in logits.items()),
        tuple((symbol, weight) for weight, symbol in weights.items()),
        (
            *((symbol, compact(value)) for symbol, value in zip(slopes, first, strict=True)),
            *((symbol, compact(second[key])) for key, symbol in curvatures.items()),
        ),
    )
    return FunctionSpecification(
        "moreau_objective",
        "Value, gradient and upper Hessian in z of what the Moreau envelope minimises.",
        (*z, *problem.fields, V, *problem.target_symbols),
        ((objective - loss) + inner.xreplace(weights), *gradient, *hessian),
        tuple(stage for stage in stages if stage),
        tuple(x.symbol for x in problem.parameters),
        many_nodes=True,
    )


@dataclass(frozen=True)
class _Channel:
    """A saddle system's channel term in line coordinates, with what several functions share."""

    system: SaddleSystem
    line: LineCoordinates

    @property
    def free_entropy(self) -> FreeEntropy:
        return self.system.free_entropy

    @cached_property
    def state(self) -> tuple[sp.Symbol, ...]:
        return tuple(x.symbol for x in symbols.ORDER_PARAMETERS)

    @cached_property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        return tuple(x.symbol for x in self.free_entropy.parameters)

    @cached_property
    def at_node(self) -> tuple[sp.Symbol, ...]:
        """Coordinates of a node, without the proximal point."""
        phi = self.free_entropy
        return (*self.line.common, self.line.line, *phi.teacher_fields, *phi.target_symbols, *self.state)

    @cached_property
    def hessian(self) -> sp.Matrix:
        size = len(self.free_entropy.points)
        return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"H_{min(i, j) + 1}{max(i, j) + 1}", real=True))

    @cached_property
    def hessian_entries(self) -> tuple[sp.Symbol, ...]:
        return tuple(self.hessian[i, j] for i, j in _upper_triangle(self.hessian.rows))

    @cached_property
    def inverse(self) -> sp.Matrix:
        size = self.hessian.rows
        return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"K_{min(i, j) + 1}{max(i, j) + 1}", real=True))

    @cached_property
    def inverse_stages(self) -> tuple[Stage, ...]:
        """The inverse of the Hessian at the proximal point, symbol by symbol."""
        determinant = sp.Symbol("inverse_determinant", real=True)
        adjugate = self.hessian.adjugate()
        entries = ((self.inverse[i, j], adjugate[i, j] * determinant) for i, j in _upper_triangle(self.hessian.rows))
        return (((determinant, 1 / self.hessian.det()),), tuple(entries))

    def on_line(self, expression: sp.Expr) -> sp.Expr:
        return expression.xreplace(self.line.fields)

    @cached_property
    def objective(self) -> sp.Expr:
        return self.on_line(self.free_entropy.objective)

    @cached_property
    def conjugates(self) -> list[sp.Expr]:
        return [self.on_line(self.system.conjugate_integrand(x.symbol)) for x in symbols.CONJUGATES]

    @cached_property
    def test_error(self) -> sp.Expr:
        """The test error's integrand: a function of w, not of z*, so that it follows no jump."""
        (average,) = self.system.test_error.atoms(GaussianAverage)
        return self.on_line(self.system.test_error.xreplace({average: average.integrand}))

    def integrands(self) -> list[sp.Expr]:
        """Return what is averaged: conjugates per alpha, envelope, loss at z*, test error, odd blocks.

        The odd blocks are the derivatives of the two odd conjugates in their own order parameters where those
        vanish (their zeros are pitchforks), by the route that needs no jumps.
        """
        phi = self.free_entropy
        odd_blocks = [
            GaussianAverage(self.system.conjugate_integrand(symbols.CONJUGATES[index].symbol), phi.law)
            .derivative_by_density(symbols.ORDER_PARAMETERS[index].symbol)
            .integrand
            for index in (POSITIONAL_INDEX, SEMANTIC_INDEX)
        ]
        odd_blocks = map(self.on_line, odd_blocks)
        return [*self.conjugates, self.objective, self.on_line(phi.loss), self.test_error, *odd_blocks]

    @cached_property
    def envelope_slopes(self) -> list[sp.Expr]:
        """Derivatives of the Moreau envelope in the local fields, by the envelope theorem."""
        return _gradient(self.free_entropy.objective, self.free_entropy.fields)

    @cached_property
    def envelope_curvature(self) -> sp.Matrix:
        """Second derivatives of the Moreau envelope in the local fields where z* is smooth, z* following."""
        fields = self.free_entropy.fields
        mixed = sp.Matrix([_gradient(slope, self.points) for slope in self.envelope_slopes])
        explicit = sp.Matrix([_gradient(slope, fields) for slope in self.envelope_slopes])
        return explicit - mixed * self.inverse * mixed.T

    def response(self, variables: Sequence[sp.Symbol]) -> sp.Matrix:
        """Return dz*/d(variables) by implicit differentiation of the stationarity of z*, node fixed."""
        mixed = sp.Matrix([[self.total(sp.diff(self.objective, z), x) for x in variables] for z in self.points])
        return -self.inverse * mixed

    @property
    def points(self) -> tuple[sp.Symbol, ...]:
        return self.free_entropy.points

    @cached_property
    def target_slopes(self) -> dict[tuple[sp.Symbol, sp.Symbol], sp.Symbol]:
        """Symbols of the derivatives of the target's entries in the parameters it depends on, node fixed."""
        slopes = {}
        for entry, value in zip(self.free_entropy.target_symbols, self.free_entropy.target, strict=True):
            for x in self.parameters:
                if self.along_node(value, x) != 0:
                    slopes[entry, x] = sp.Symbol(f"d{entry}_d{x}", real=True)
        return slopes

    def along_node(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        r"""Differentiate with :math:`h^\star/\sqrt\rho` fixed: a node is standard normal, so h* moves with rho."""
        law = self.free_entropy.law
        length = len(self.free_entropy.teacher_fields)
        variance = law.covariance[len(law.variables) - length, len(law.variables) - length]
        rate = sp.diff(variance, x) / (2 * variance)
        moved = sp.Add(*(sp.diff(expression, h) * h for h in self.free_entropy.teacher_fields))
        return sp.diff(expression, x) + rate * moved

    def total(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        """Differentiate at a fixed node and fixed z, the target's entries following the parameter."""
        if x not in self.parameters:
            return sp.diff(expression, x)
        slopes = ((entry, slope) for (entry, y), slope in self.target_slopes.items() if y == x)
        by_target = sp.Add(*(sp.diff(expression, entry) * slope for entry, slope in slopes))
        return self.along_node(expression, x) + by_target

    def following(self, expressions: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> list[sp.Expr]:
        """Differentiate functions of the proximal point, which follows the variables."""
        response = self.response(variables)
        derivatives: list[sp.Expr] = []
        for f in expressions:
            row = sp.Matrix([_gradient(f, self.points)]) * response
            derivatives += [self.total(f, x) + row[0, k] for k, x in enumerate(variables)]
        return derivatives


def channel_functions(system: SaddleSystem) -> list[FunctionSpecification]:
    """Return the channel's functions of a saddle system."""
    phi = system.free_entropy
    channel = _Channel(system, line_coordinates(phi))
    z, state, parameters = channel.points, channel.state, channel.parameters
    line, common = channel.line.line, channel.line.common
    dynamic = (*z, *channel.hessian_entries, *channel.at_node)
    slopes = tuple(channel.target_slopes.values())
    on_slopes = [channel.along_node(dict(zip(phi.target_symbols, phi.target, strict=True))[entry], x)
                 for entry, x in channel.target_slopes]  # fmt: skip
    tangent = channel.response([line])
    squared = sp.Add(*(channel.inverse[i, j] ** 2 for i in range(len(z)) for j in range(len(z))))
    spread = sp.Add(*(sp.diff(field, line) ** 2 for field in channel.line.fields.values()))
    envelope, susceptibility = channel.objective, state[2]
    specification = functools.partial(FunctionSpecification, parameters=parameters)
    return [
        specification(
            "target_matrix", "Entries of the target T(h*), row by row.", phi.teacher_fields, tuple(phi.target)
        ),
        specification(
            "target_parameter_derivatives",
            "Derivatives of the target's entries in the parameters they depend on, node fixed.",
            phi.teacher_fields,
            tuple(on_slopes),
        ),
        objective_function(phi),
        specification(
            "local_fields",
            "Local fields w at a node of the Gaussian integral.",
            (*common, line, *phi.teacher_fields, *state),
            tuple(channel.line.fields[x] for x in phi.fields),
            many_nodes=True,
        ),
        specification(
            "along_line",
            "Derivatives along the line of z* and of the Moreau envelope, and a bound of the former's length.",
            dynamic,
            (*tangent, sp.diff(envelope, line), sp.sqrt(squared * spread) / susceptibility),
            channel.inverse_stages,
            many_nodes=True,
        ),
        specification(
            "node_averages",
            "Integrands: four conjugates per alpha; envelope; loss at z*; test error; two odd blocks; and the "
            "derivatives of the first four and of the test error in (q, m, V, theta), z* following, node fixed.",
            dynamic,
            (
                *channel.integrands(),
                *channel.following(channel.conjugates, state),
                *(channel.total(channel.test_error, x) for x in state),
            ),
            channel.inverse_stages,
            many_nodes=True,
        ),
        specification(
            "jump_terms",
            "Four conjugates per alpha, and the envelope's slopes along the line and in (q, m, V, theta).",
            (*z, *channel.at_node),
            (*channel.conjugates, *_gradient(envelope, (line, *state))),
            many_nodes=True,
        ),
        specification(
            "node_parameter_averages",
            "Derivatives in the model's parameters of the four conjugates per alpha, of the test error and of the "
            "envelope, z* following, node fixed.",
            (*dynamic, *slopes),
            (
                *channel.following(channel.conjugates, parameters),
                *(channel.total(channel.test_error, x) for x in parameters),
                *(channel.total(envelope, x) for x in parameters),
            ),
            channel.inverse_stages,
            many_nodes=True,
        ),
        specification(
            "jump_parameter_terms",
            "Four conjugates per alpha, and the envelope's slopes along the line and in the model's parameters.",
            (*z, *channel.at_node, *slopes),
            (*channel.conjugates, sp.diff(envelope, line), *(channel.total(envelope, x) for x in parameters)),
            many_nodes=True,
        ),
        specification(
            "node_replicon",
            "Squared norm of dz*/dw - 1 where z* is smooth: V times the envelope's second derivatives in w.",
            dynamic,
            (susceptibility**2 * sp.Add(*(entry**2 for entry in channel.envelope_curvature)),),
            channel.inverse_stages,
            many_nodes=True,
        ),
        specification(
            "jump_replicon_terms",
            "The envelope's slopes along the line and, times the square root of V, in the local fields.",
            (*z, *channel.at_node),
            (
                sp.diff(envelope, line),
                *(sp.sqrt(susceptibility) * channel.on_line(slope) for slope in channel.envelope_slopes),
            ),
            many_nodes=True,
        ),
    ]
