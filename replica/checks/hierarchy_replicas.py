"""Hierarchical matrices, replica sums and limits against explicit matrices of s replicas in nested blocks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.inverse_matrices import symmetric_symbols, upper_triangle
from replica.checks.check import DIGITS, Check, function_of, random_matrix, random_values, relative
from replica.equations.replica_trick import BETA, REPLICAS, replica_limit
from replica.hierarchy.ansatz import (
    at_zero_temperature,
    conjugate_ansatz,
    hierarchical_prior_action,
    hierarchical_trace_action,
    overlap_ansatz,
    trace_limit,
)
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.hierarchy.matrices import HierarchicalMatrix
from replica.hierarchy.quantities import HierarchyQuantities, block_size
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["channel_of_replicas", "hierarchical_matrices", "limits", "sizes_of_blocks"]

CONTINUED = 6
"""Numbers of replicas from which a limit is continued to none."""


def sizes_of_blocks(steps: int) -> tuple[int, ...]:
    """Return the smallest nested blocks that tell the levels apart: (s, s_1 ... s_k), halved from level to level."""
    return tuple(2 ** (steps + 1 - level) for level in range(steps + 1))


def _values_of_sizes(sizes: Sequence[int]) -> dict[Any, Any]:
    return {REPLICAS: sp.Integer(sizes[0])} | {block_size(k): sp.Integer(x) for k, x in enumerate(sizes) if k}


def _random_hierarchy(rank: int, steps: int, generator: np.random.Generator) -> HierarchicalMatrix:
    """Return a positive definite hierarchical matrix of numbers, its blocks less and less alike."""
    matrices = [random_matrix(rank, generator) for _ in range(steps + 2)]
    return HierarchicalMatrix(tuple(sp.Matrix(rank, rank, list(map(sp.Rational, map(str, x)))) for x in matrices))


def hierarchical_matrices(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare determinants, inverses and sums over pairs with those of explicit matrices."""
    rank, steps = functional.quantities.layout.rank, functional.steps
    generator, sizes = np.random.default_rng(seed), sizes_of_blocks(functional.steps)
    values = _values_of_sizes(sizes)
    first, second = (_random_hierarchy(rank, steps, generator) for _ in range(2))
    with mpmath.workdps(DIGITS):
        explicit = mpmath.matrix(first.explicit(sizes).evalf(DIGITS).tolist())
        other = mpmath.matrix(second.explicit(sizes).evalf(DIGITS).tolist())
        determinant = relative(
            mpmath.mpf(sp.N(first.log_determinant().xreplace(values), DIGITS)), mpmath.log(mpmath.det(explicit))
        )
        inverse, closed = mpmath.inverse(explicit), first.inverse_sum().xreplace(values).evalf(DIGITS)
        blocks = range(sizes[0])
        summed = (
            mpmath.fsum(inverse[a * rank + i, b * rank + j] for a in blocks for b in blocks)
            for i in range(rank)
            for j in range(rank)
        )
        deviation = max(relative(mpmath.mpf(x), y) for x, y in zip(closed, summed, strict=True))
        pairs = relative(
            mpmath.mpf(sp.N(first.pair_sum(second).xreplace(values), DIGITS)),
            mpmath.fsum((explicit * other)[i, i] for i in range(explicit.rows)),
        )
        counted = [
            (mpmath.mpf(v), int(n.xreplace(values))) for x, n in first.eigenvalues() for v in _spectrum(x, values)
        ]
        listed = sorted(v for v, n in counted for _ in range(n))
        spectrum = max(map(relative, sorted(mpmath.eigsy(explicit, eigvals_only=True)), listed))
    blocks_said = f"s = {sizes[0]} replicas in blocks of {', '.join(map(str, (*sizes[1:], 1)))}"
    for statement, found in (
        ("eigenvalues and how often they occur", spectrum),
        ("determinant", determinant),
        ("sum of the inverse's blocks", deviation),
        ("sum over pairs of replicas", pairs),
    ):
        yield Check("hierarchical matrices", f"{statement}: {blocks_said}, rank {rank}", found, 1e-25)


def _spectrum(matrix: sp.Matrix, values: dict[Any, Any]) -> list[Any]:
    numbers = matrix.xreplace(values).evalf(DIGITS)
    return list(mpmath.eigsy(mpmath.matrix(numbers.tolist()), eigvals_only=True))


def limits(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare trace term and weights at s -> 0, and then at beta -> infinity, with explicit replicas and large beta."""
    token, steps = functional.quantities.layout.single_token, functional.steps
    generator = np.random.default_rng(seed + 1)
    own, matrices = HierarchyQuantities(token, steps), OrderParameterMatrices(token)
    unknowns = [x.symbol for x in (*own.order_parameters, *own.conjugates)]
    inner = sizes_of_blocks(steps)[1:]
    outer = inner[0] if inner else 1
    fixed = _values_of_sizes((0, *inner)) | random_values(unknowns, generator, 0.1, 2.0) | {BETA: sp.Rational(5, 3)}
    del fixed[REPLICAS]
    action = hierarchical_trace_action(token, steps)
    overlap = overlap_ansatz([own.self_overlap(x) for x in own.levels], matrices.of("susceptibility", 0))
    hats = conjugate_ansatz([own.conjugate(x) for x in own.levels], matrices.of("susceptibility_conjugate", 0))
    pairs = overlap.pair_sum(hats) / 2
    # What does not depend on the replica is said once for each of them.
    single = sp.expand((action - pairs) / REPLICAS).xreplace(fixed)
    numbers = []
    for n in range(1, 4):
        whole = (n * outer, *inner)
        product = (x.explicit(whole).xreplace(fixed) for x in (overlap, hats))
        first, second = product
        numbers.append((whole[0], (first * second).trace() / 2 / whole[0] + single))
    slope = replica_limit(action).xreplace(fixed)
    deviation = relative(sp.N(continued(numbers), DIGITS), sp.N(slope, DIGITS))
    yield Check("limits", "trace term: slope at s = 0 against sums over replicas, continued", deviation, 1e-25)
    yield from _weights(token.rank, steps, inner, generator)
    large = sp.Integer(10) ** 20
    values = random_values([*unknowns, *own.parameters], generator, 0.1, 2.0)
    at_beta = {block_size(k): y.xreplace(values) / large for k, y in enumerate(own.parameters, start=1)}
    finite = replica_limit(action).xreplace(at_beta).xreplace({**values, BETA: large}) / large
    deviation = relative(sp.N(finite, 60), sp.N(trace_limit(token, steps).xreplace(values), 60))
    yield Check("limits", "trace term at beta = 1e20 against its limit", deviation, 1e-15)


def _weights(rank: int, steps: int, inner: tuple[int, ...], generator: np.random.Generator) -> Iterator[Check]:
    outer = inner[0] if inner else 1
    names = [symmetric_symbols(x, rank) for x in ("B", "M", *(f"N{level}" for level in range(steps + 1)))]
    B, M, *noise = map(sp.Matrix, names)
    flat = [x[i, j] for x in names for i, j in upper_triangle(rank)]
    sizes = [block_size(level) for level in range(1, steps + 1)]
    limit = replica_limit(hierarchical_prior_action(B, noise, M))
    closed = function_of([*flat, *sizes, BETA], limit)
    with mpmath.workdps(DIGITS):
        beta = mpmath.mpf("1.3")
        b = mpmath.matrix(generator.normal(size=rank).tolist())
        # The noise that all replicas share is weak, so that what is no polynomial in s is tiny.
        scales = (1e-5, *(0.02 / max(inner) for _ in range(steps)))
        numbers = [random_matrix(rank, generator, 3.0) + mpmath.eye(rank), b * b.T]
        numbers += [random_matrix(rank, generator, scale) for scale in scales]
        listed = [x[i, j] for x in numbers for i, j in upper_triangle(rank)]
        points = []
        for n in range(1, CONTINUED + 1):
            whole = (n * outer, *inner)
            points.append((whole[0], _explicit_weights(numbers, b, beta, whole) / whole[0]))
        deviation = relative(continued(points), closed(*listed, *inner, beta))
    statement = f"weights: slope at s = 0 against determinants of up to {CONTINUED * outer} replicas, continued"
    yield Check("limits", statement, deviation, 1e-18)
    cold = at_zero_temperature(limit, steps)
    y = [sp.Symbol(f"y{level}", positive=True) for level in range(1, steps + 1)]
    at_zero = function_of([*flat, *y], cold)
    with mpmath.workdps(60):
        large = mpmath.mpf(10) ** 20
        parameters = [mpmath.mpf(k + 1) / 10 for k in range(steps)]
        finite = closed(*listed, *(x / large for x in parameters), large) / large
        deviation = relative(finite, at_zero(*listed, *parameters))
    yield Check("limits", "weights at beta = 1e20 against their limit", deviation, 1e-15)


def _explicit_weights(numbers: list[Any], b: Any, beta: Any, sizes: Sequence[int]) -> Any:
    """Return the weights' term of s replicas from the determinant and inverse of their matrix."""
    B, _, *noise = numbers
    rank, s = B.rows, sizes[0]
    matrix, field = mpmath.matrix(s * rank, s * rank), mpmath.matrix(s * rank, 1)
    for a in range(s):
        for c in range(s):
            for i in range(rank):
                for j in range(rank):
                    shared = (x[i, j] for x, size in zip(noise, sizes, strict=True) if a // size == c // size)
                    matrix[a * rank + i, c * rank + j] = beta * B[i, j] * (a == c) - beta**2 * mpmath.fsum(shared)
        for i in range(rank):
            field[a * rank + i] = beta * b[i]
    return -mpmath.log(mpmath.det(matrix)) / 2 + (field.T * mpmath.lu_solve(matrix, field))[0, 0] / 2


def continued(points: Sequence[tuple[int, Any]]) -> Any:
    """Return the value at 0 of the polynomial through points (Lagrange)."""
    total: Any = 0
    for n, value in points:
        factor = sp.prod(sp.Rational(-k, n - k) for k, _ in points if k != n)
        total += value * (factor if isinstance(value, sp.Basic) else mpmath.mpf(int(factor.p)) / int(factor.q))
    return total


def channel_of_replicas(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    r"""Compare nested averages of :math:`\zeta = 1 + cz` with the average of the product over explicit replicas.

    The latter is a sum over all ways to pair some of the replicas, with the explicit matrix of their covariances.
    """
    steps = functional.steps
    generator, sizes = np.random.default_rng(seed + 2), (*sizes_of_blocks(steps), 1)
    widths = [mpmath.mpf(str(round(x, 6))) for x in generator.uniform(0.2, 1.0, size=steps + 2)]
    increments = HierarchicalMatrix(tuple(sp.Matrix([[sp.Rational(str(x))]]) for x in widths))
    covariance = increments.explicit(sizes[:-1])

    @functools.cache
    def paired(left: tuple[int, ...]) -> Any:
        if not left:
            return sp.Integer(1)
        first, *rest = left
        total = paired(tuple(rest))
        for k, other in enumerate(rest):
            total += covariance[first, other] * paired((*rest[:k], *rest[k + 1 :]))
        return total

    w = sp.Symbol("w")
    # At the innermost level one replica's own fluctuation averages out of what is linear in it.
    value: Any = sp.Poly(1 + w, w)
    for level in range(steps, -1, -1):
        power = sizes[level] // sizes[level + 1]
        value = _smoothed(value**power, w, sp.Rational(str(widths[level])))
    explicit, nested = paired(tuple(range(sizes[0]))), value.eval(0)
    statement = f"channel: nested averages of a polynomial against its product over s = {sizes[0]} replicas"
    yield Check("nested averages", statement, float(abs(explicit - nested) / abs(nested)), 0.0)


def _smoothed(polynomial: sp.Poly, w: sp.Symbol, variance: sp.Expr) -> sp.Poly:
    """Return the Gaussian average of a polynomial of w + u over u."""
    total, current = polynomial, polynomial
    for order in range(1, polynomial.degree() // 2 + 1):
        current = current.diff(w).diff(w) * (variance / 2) * sp.Rational(1, order)
        total += current
    return sp.Poly(total, w)
