"""Gaps that split off a level, against k + 1 steps with a small gap, and against the form of replica symmetry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from replica.algebra.inverse_matrices import upper_triangle
from replica.algebra.spectrum_average import SpectrumAverage
from replica.checks.check import Check, random_matrix, random_values, relative
from replica.equations.replicon_form import curvature_symbols, replicon_form
from replica.hierarchy.equations.splitting import Splitting
from replica.hierarchy.equations.stationarity import inverse_symbols
from replica.hierarchy.explicit_terms import explicit_terms
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.hierarchy.prior import precision_symbols
from replica.hierarchy.quantities import HierarchyQuantities

__all__ = ["split_gaps"]

DIGITS = 80
SMALL = mpmath.mpf("1e-18")
"""The gap that is split off; what is left out is as small, relative to it."""


def split_gaps(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare what a gap that is split off every level makes of itself with k + 1 steps, and with section 9."""
    generator = np.random.default_rng(seed + 7)
    for level in functional.quantities.levels:
        splitting = Splitting(functional, level)
        yield _channel(splitting, generator)
        yield _weights(splitting, generator)
    yield _form(Splitting(functional, functional.steps))


def _channel(splitting: Splitting, generator: np.random.Generator) -> Check:
    r"""Average squares of slopes over a small increment, with the weight of any y, for a quartic function."""
    functional, layout, level = splitting.functional, splitting.layout, splitting.level
    fields, rank = functional.symmetric.channel.fields, layout.rank
    phi = functional.potential(level + 1)
    (potential,) = phi.atoms(AppliedUndef)
    monomials = [sp.Mul(*x) for n in (2, 3, 4) for x in itertools.combinations_with_replacement(fields, n)]
    quartic = sp.Add(*(sp.Rational(int(generator.integers(-500, 500)), 2000) * x for x in monomials))
    at = random_values(fields, generator, 0.2, 0.9)
    y = mpmath.mpf("0.7") + level
    gaps = {g: random_matrix(rank, generator, 0.5) for g in range(layout.group_count)}
    with mpmath.workdps(DIGITS):
        value = sp.lambdify(fields, quartic, "mpmath")
        slopes = [sp.lambdify(fields, sp.diff(quartic, x), "mpmath") for x in fields]
        here = [mpmath.mpf(at[x].p) / at[x].q for x in fields]
        roots = {g: mpmath.cholesky(x * SMALL) for g, x in gaps.items()}
        # Gauss-Hermite of order three, exact for all moments that a small increment shows.
        nodes = [(x * mpmath.sqrt(3), mpmath.mpf(w) / 6) for x, w in ((-1, 1), (0, 4), (1, 1))]
        rows = []
        for chosen in itertools.product(nodes, repeat=len(fields)):
            moved, weight = [], mpmath.mpf(1)
            for token, group in enumerate(layout.groups):
                own = chosen[token * rank : (token + 1) * rank]
                step = roots[group] * mpmath.matrix([x for x, _ in own])
                moved += [here[token * rank + i] + step[i] for i in range(rank)]
                weight *= mpmath.fprod(w for _, w in own)
            rows.append((weight * mpmath.exp(y * value(*moved)), [slope(*moved) for slope in slopes]))
        norm = mpmath.fsum(w for w, _ in rows)
        means = [mpmath.fsum(w * g[i] for w, g in rows) / norm for i in range(len(fields))]
        numbers = {
            splitting.gap(g)[a, b]: sp.Float(gaps[g][a, b], DIGITS) for g in gaps for a, b in upper_triangle(rank)
        }
        worst = mpmath.mpf(0)
        for group in range(layout.group_count):
            for a, b in upper_triangle(rank):
                places = [(token * rank + a, token * rank + b) for token in layout.members(group)]
                expected = mpmath.fsum(
                    mpmath.fsum(w * g[i] * g[j] for w, g in rows) / norm - means[i] * means[j] for i, j in places
                ) / SMALL  # fmt: skip
                found = splitting.channel_integrands[splitting.conjugate_gap(group)[a, b]]
                found = found.subs(potential, quartic * potential / phi).doit().xreplace({**numbers, **at})
                worst = max(worst, relative(mpmath.mpf(sp.N(found, DIGITS)), expected))
    statement = f"level {level}: squares of slopes over a small increment of any y, for a quartic potential"
    return Check("stability", statement, float(worst), 1e-15)


def _weights(splitting: Splitting, generator: np.random.Generator) -> Check:
    """Compare with what k + 1 steps make of a small gap of the conjugates, by differences of their prior term."""
    functional, layout, level = splitting.functional, splitting.layout, splitting.level
    rank, groups = layout.rank, range(layout.group_count)
    more = explicit_terms(functional.symmetric.model, functional.steps + 1)
    own = more.quantities
    with mpmath.workdps(DIGITS):
        written: Any = more.prior.written_out.replace(SpectrumAverage, lambda integrand, _: integrand)
        hats = {g: random_matrix(rank, generator, 0.3) for g in groups}
        values = random_values(sorted(written.free_symbols, key=str), generator, 0.8, 1.4)
        values |= {y: sp.Rational(3 * (k + 2), 20) for k, y in enumerate(own.parameters)}
        values |= _hierarchical(own, generator)
        split = dict(values)
        for g in groups:
            for i, j in upper_triangle(rank):
                inner, outer = own.conjugate(level + 1, g)[i, j], own.conjugate(level, g)[i, j]
                split[inner] = split[outer] + sp.Float(hats[g][i, j] * SMALL, DIGITS)
        # All precisions but that outside of the new level are those of k steps.
        known = dict(split)
        for symbol, formula in more.prior.precisions.items():
            known[symbol] = sp.N(formula.xreplace(known), DIGITS)
        place = level + 2
        B = mpmath.matrix(rank, rank)
        for i, j in itertools.product(range(rank), repeat=2):
            B[i, j] = mpmath.mpf(known[precision_symbols(place, rank)[i, j]])
        numbers: dict[Any, Any] = dict(values)
        K = mpmath.inverse(B)
        for i, j in upper_triangle(rank):
            numbers[precision_symbols(level + 1, rank)[i, j]] = sp.Float(B[i, j], DIGITS)
            if rank > 1:
                numbers[inverse_symbols(level + 1, rank)[i, j]] = sp.Float(K[i, j], DIGITS)
            for g in groups:
                numbers[splitting.conjugate_gap(g)[i, j]] = sp.Float(hats[g][i, j], DIGITS)
        worst = mpmath.mpf(0)
        for g in groups:
            for i, j in upper_triangle(rank):
                inner, outer = (_overlap(own, written, split, (x, g, i, j)) for x in (level + 1, level))
                found = splitting.gap_equations[splitting.gap(g)[i, j]]
                found = found.replace(SpectrumAverage, lambda integrand, _: integrand).xreplace(numbers)
                worst = max(worst, relative(mpmath.mpf(sp.N(found, DIGITS)), (inner - outer) / SMALL))
    statement = f"level {level}: gap of {functional.steps + 1} steps with a small gap of conjugates"
    return Check("stability", statement, float(worst), 1e-12)


def _hierarchical(own: HierarchyQuantities, generator: np.random.Generator) -> dict[Any, Any]:
    """Return numbers of the conjugates for which every precision is positive definite."""
    values, rank = {}, own.layout.rank
    for g in range(own.layout.group_count):
        current = sp.zeros(rank, rank)
        for level in own.levels:
            step = random_matrix(rank, generator, 0.1)
            current = current + sp.Matrix(rank, rank, [sp.Rational(round(float(x) * 10**8), 10**8) for x in step])
            q_hat = own.conjugate(level, g)
            values |= {q_hat[i, j]: current[i, j] for i in range(rank) for j in range(rank)}
        response = [x for x in own.conjugates if x.kind == "susceptibility_conjugate" and x.group in (None, g)]
        values |= {x.symbol: sp.Rational(3 if x.indices[0] == x.indices[1] else 0, 2) for x in response}
    return values


def _overlap(own: HierarchyQuantities, prior: Any, values: dict[Any, Any], place: tuple[int, int, int, int]) -> Any:
    r"""Return an entry of :math:`q_j` on one atom from stationarity in its conjugate.

    The trace term has :math:`\tfrac12(y_{j+1} - y_j)\,\mathrm{Tr}\,q_j\hat q_j` for j < k, and
    :math:`\tfrac12\mathrm{Tr}\,q_k\hat V`.
    """
    level, g, i, j = place
    if level == own.steps:
        response = [x for x in own.conjugates if x.kind == "susceptibility_conjugate" and x.group in (None, g)]
        (pair,) = (x.symbol for x in response if x.indices == (i, j))
        rate: Any = sp.Integer(1)
    else:
        y = [sp.Integer(0), *(values[x] for x in own.parameters)]
        pair, rate = own.conjugate(level, g)[i, j], y[level + 1] - y[level]
    slope = sp.diff(prior, pair)
    number = mpmath.mpf(sp.N(slope.xreplace(values), DIGITS))
    return number * (-2 if i == j else -1) / mpmath.mpf(sp.N(rate, DIGITS))


def _form(splitting: Splitting) -> Check:
    """Compare the channel's answer with the form that the replicon of replica symmetry is computed with."""
    functional, layout = splitting.functional, splitting.layout
    fields, rank = functional.symmetric.channel.fields, layout.rank
    phi = functional.potential(splitting.level + 1)
    curvature = curvature_symbols(len(fields))
    sign = -1 if splitting.level == functional.steps else 1
    rules = {
        sp.diff(sign * phi, fields[i], fields[j]): curvature[i, j]
        for i in range(len(fields))
        for j in range(i, len(fields))
    }
    gaps = [(splitting.gap(g)[i, j], splitting.conjugate_gap(g)[i, j], i == j)
            for g in range(layout.group_count) for i, j in upper_triangle(rank)]  # fmt: skip
    form = iter(replicon_form(layout, curvature))
    worst = 0.0
    for a, (_, hat, diagonal) in enumerate(gaps):
        for b in range(a, len(gaps)):
            expected = next(form)
            answer = sp.diff(splitting.channel_integrands[hat], gaps[b][0]).xreplace(rules)
            # An entry off the diagonal stands for two of the matrix that it is conjugate to.
            difference = sp.expand(answer * (1 if diagonal else 2) - expected)
            worst = max(worst, float(difference != 0))
    return Check("stability", "the channel's answer is the form of the replicon (section 9)", worst, 0.0)
