"""Replica sums, determinants, inverses and limits against explicit matrices of s = 2 ... 6 replicas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.inverse_matrices import symmetric_symbols, upper_triangle
from replica.checks.check import DIGITS, Check, function_of, random_matrix, random_values, relative
from replica.equations.free_entropy import token_trace_action, trace_limit
from replica.equations.prior_term import prior_limit
from replica.equations.replica_trick import (
    BETA,
    REPLICAS,
    SAME_REPLICA,
    prior_action,
    replica_limit,
    replica_symmetric_conjugate,
    replica_symmetric_overlap,
)
from replica.quantities import symbols
from replica.quantities.matrices import OrderParameterMatrices
from replica.steps.replicas import replicated_trace

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["continuation_to_no_replicas", "determinants_and_inverses", "replica_sums", "zero_temperature"]

COUNTS = (2, 3, 4, 5, 6)


def replica_sums(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare the trace term at finite s with its sums over explicit replicas."""
    layout = derivation.loss_model.layout
    token = layout.single_token
    matrices = OrderParameterMatrices(token)
    generator = np.random.default_rng(seed)
    quantities = (*symbols.order_parameters(token), *symbols.conjugates(token))
    values = random_values((x.symbol for x in quantities), generator, 0.1, 2.0) | {BETA: sp.Rational(7, 3)}
    overlap = replica_symmetric_overlap(matrices.of("self_overlap", 0), matrices.of("susceptibility", 0))
    conjugate = replica_symmetric_conjugate(
        matrices.of("self_overlap_conjugate", 0), matrices.of("susceptibility_conjugate", 0)
    )
    explicit = replicated_trace(token)
    closed = token_trace_action(token).xreplace(values)
    worst = 0.0
    for s in COUNTS:
        substitution = {}
        for a in range(1, s + 1):
            for (base, index), matrix in _bases(token, overlap, conjugate, matrices).items():
                for b in range(1, s + 1):
                    value = matrix.xreplace({SAME_REPLICA: sp.Integer(int(a == b))}) if index == 2 else matrix
                    key = base[a, b] if index == 2 else base[a]
                    substitution[key] = sp.sympify(value).xreplace(values)
        summed = explicit.subs(REPLICAS, s).doit().xreplace(substitution)
        worst = max(worst, relative(sp.N(summed, DIGITS), sp.N(closed.subs(REPLICAS, s), DIGITS)))
    yield Check("replica symmetry", "trace term against sums over s = 2 ... 6 replicas", worst, 1e-25)


def _bases(token, overlap, conjugate, matrices):
    from replica.steps.replicas import indexed

    rank, t, k = token.rank, token.teacher_rank, token.directions
    table = {}
    for i, j in upper_triangle(rank):
        table[indexed("Q", i, j, (rank, rank)), 2] = overlap[i, j]
        table[indexed(r"\hat{Q}", i, j, (rank, rank)), 2] = conjugate[i, j]
    for letter, kind, columns, group in (("m", "positional_overlap", k, None), (r"\theta", "semantic_overlap", t, 0)):
        own, hat = matrices.of(kind, group), matrices.of(f"{kind}_conjugate", group)
        for i in range(rank):
            for j in range(columns):
                table[indexed(letter, i, j, (rank, columns)), 1] = own[i, j]
                table[indexed(rf"\hat{{{letter}}}", i, j, (rank, columns)), 1] = BETA * hat[i, j]
    return table


def _explicit_weights(B: Any, N: Any, b: Any, beta: Any, s: int) -> Any:
    """Return the weights' term for s replicas from its s r x s r matrix: logarithm of a determinant, and an inverse."""
    rank = B.rows
    matrix, field = mpmath.matrix(s * rank, s * rank), mpmath.matrix(s * rank, 1)
    for a in range(s):
        for c in range(s):
            for i in range(rank):
                for j in range(rank):
                    matrix[a * rank + i, c * rank + j] = beta * B[i, j] * (a == c) - beta**2 * N[i, j]
        for i in range(rank):
            field[a * rank + i] = beta * b[i]
    return -mpmath.log(mpmath.det(matrix)) / 2 + (field.T * mpmath.lu_solve(matrix, field))[0, 0] / 2


def _generic(rank: int, generator: np.random.Generator, noise: float) -> tuple[Any, ...]:
    return (
        random_matrix(rank, generator, 3.0) + mpmath.eye(rank),
        random_matrix(rank, generator, noise),
        mpmath.matrix(generator.normal(size=rank).tolist()),
    )


def _prior_function(rank: int, expression: sp.Expr):
    names = [symmetric_symbols(letter, rank) for letter in "BNM"]
    flat = [matrix[i, j] for matrix in names for i, j in upper_triangle(rank)]
    function = function_of([*flat, BETA, REPLICAS], expression)

    def at(B, N, b, beta, s):
        M = b * b.T
        return function(*(x[i, j] for x in (B, N, M) for i, j in upper_triangle(rank)), beta, s)

    return at


def determinants_and_inverses(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare the weights' term with determinants and inverses of explicit s r x s r matrices."""
    rank = derivation.loss_model.layout.rank
    names = [sp.Matrix(symmetric_symbols(letter, rank)) for letter in "BNM"]
    closed = _prior_function(rank, prior_action(*names))
    generator = np.random.default_rng(seed + 1)
    worst = 0.0
    with mpmath.workdps(DIGITS):
        B, N, b = _generic(rank, generator, 0.05)
        beta = mpmath.mpf("1.7")
        for s in COUNTS:
            worst = max(worst, relative(closed(B, N, b, beta, s), _explicit_weights(B, N, b, beta, s)))
    statement = f"determinant and inverse of replica-symmetric matrices of rank {rank}, s = 2 ... 6"
    yield Check("determinant and inverse", statement, worst, 1e-25)


def continuation_to_no_replicas(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare the limits s -> 0 with the polynomial through explicit values at s = 1 ... 6, continued to s = 0.

    The logarithm of a determinant is no polynomial in s; with a weak noise N what is left out is tiny.
    """
    token = derivation.loss_model.layout.single_token
    quantities = (*symbols.order_parameters(token), *symbols.conjugates(token))
    generator = np.random.default_rng(seed + 2)
    values = random_values((x.symbol for x in quantities), generator, 0.1, 2.0) | {BETA: sp.Rational(5, 3)}
    action = token_trace_action(token).xreplace(values)
    points = [(s, action.subs(REPLICAS, s) / s) for s in range(1, 7)]
    continued = _at_zero(points)
    limit = replica_limit(token_trace_action(token)).xreplace(values)
    deviation = relative(sp.N(continued, DIGITS), sp.N(limit, DIGITS))
    yield Check("no replicas", "trace term: slope at s = 0 against continuation from s = 1 ... 6", deviation, 1e-25)
    rank = token.rank
    names = [sp.Matrix(symmetric_symbols(letter, rank)) for letter in "BNM"]
    slope = _prior_function(rank, replica_limit(prior_action(*names)))
    with mpmath.workdps(DIGITS):
        B, N, b = _generic(rank, generator, 1e-5)
        beta = mpmath.mpf("1.3")
        numbers = [(s, _explicit_weights(B, N, b, beta, s) / s) for s in range(1, 7)]
        deviation = relative(_at_zero(numbers), slope(B, N, b, beta, 0))
    yield Check("no replicas", "weights: slope at s = 0 against continuation from s = 1 ... 6", deviation, 1e-24)


def _at_zero(points):
    """Return the value at 0 of the polynomial through points (Lagrange)."""
    total = 0
    for n, value in points:
        factor = sp.Integer(1)
        for k, _ in points:
            if k != n:
                factor *= sp.Rational(-k, n - k)
        total += value * (factor if isinstance(value, sp.Basic) else mpmath.mpf(int(factor.p)) / int(factor.q))
    return total


def zero_temperature(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare the limits beta -> infinity with values at beta = 10^20."""
    token = derivation.loss_model.layout.single_token
    quantities = (*symbols.order_parameters(token), *symbols.conjugates(token))
    generator = np.random.default_rng(seed + 3)
    values = random_values((x.symbol for x in quantities), generator, 0.1, 2.0)
    large = sp.Integer(10) ** 20
    finite = replica_limit(token_trace_action(token)).xreplace({**values, BETA: large}) / large
    deviation = relative(sp.N(finite, 60), sp.N(trace_limit(token).xreplace(values), 60))
    yield Check("zero temperature", "trace term at beta = 1e20 against its limit", deviation, 1e-17)
    rank = token.rank
    names = [sp.Matrix(symmetric_symbols(letter, rank)) for letter in "BNM"]
    finite_weights = _prior_function(rank, replica_limit(prior_action(*names)))
    limit, inverse, *_ = prior_limit(rank)
    at_zero = _prior_function(rank, limit.xreplace(inverse.definitions))
    with mpmath.workdps(60):
        B, N, b = _generic(rank, generator, 0.5)
        beta = mpmath.mpf(10) ** 20
        deviation = relative(finite_weights(B, N, b, beta, 0) / beta, at_zero(B, N, b, 1, 0))
    yield Check("zero temperature", "weights at beta = 1e20 against their limit", deviation, 1e-17)
