"""Saddle-point equations of k steps against derivatives of Phi_k, and replica symmetry as k = 0 and as a limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import SpectrumAverage
from replica.checks.check import Check, random_matrix, random_state, random_values, relative
from replica.checks.quadratic_channel import QuadraticChannel
from replica.equations.free_entropy import build_free_entropy
from replica.equations.saddle_system import derive_saddle_system
from replica.hierarchy.equations.stationarity import HierarchicalSystem
from replica.hierarchy.functional import HierarchicalFreeEntropy, hierarchical_free_entropy
from replica.quantities import symbols
from replica.quantities.matrices import OrderParameterMatrices

__all__ = ["collapsed_levels", "stationarity", "symmetric_case"]

DIGITS = 50
STEP = "1e-14"


def _on_atom(expression: Any) -> Any:
    return expression.replace(SpectrumAverage, lambda integrand, _: integrand)


def _constants(functional: HierarchicalFreeEntropy, generator: np.random.Generator) -> dict[Any, Any]:
    """Return numbers of whatever is no unknown: parameters, atom, teacher's variances."""
    model, law = functional.symmetric.model, functional.symmetric.model.token_law
    listed = {symbols.ALPHA.symbol, *(x.symbol for x in model.parameters), *law.atom_symbols, *model.ridge.free_symbols}
    values = random_values(sorted(listed, key=str), generator, 0.8, 1.4)
    for matrix in law.teacher_variances:
        for i in range(matrix.rows):
            for j in range(i):
                values |= {x: sp.Integer(0) for x in matrix[i, j].free_symbols if matrix[i, j] == x}
    return values


def _overlaps(functional: HierarchicalFreeEntropy, generator: np.random.Generator) -> dict[Any, Any]:
    """Return numbers of the order parameters for which all covariances are positive definite."""
    own = functional.quantities
    state = random_state(own.layout, generator, 0.3)
    values = {x.symbol: state[x.symbol] for x in own.order_parameters if x.kind != "self_overlap"}
    for group in range(own.layout.group_count):
        rank = own.layout.rank
        current = OrderParameterMatrices(own.layout).of("self_overlap", group).xreplace(state)
        for level in own.levels:
            q = own.self_overlap(level, group)
            if level:
                current = current + _rational(random_matrix(rank, generator, 0.3))
            values |= {q[i, j]: current[i, j] for i in range(rank) for j in range(rank)}
    return values


def _rational(matrix: Any) -> sp.Matrix:
    return sp.Matrix(matrix.rows, matrix.cols, [sp.Rational(round(float(x) * 10**8), 10**8) for x in matrix])


def _conjugates(functional: HierarchicalFreeEntropy, generator: np.random.Generator) -> dict[Any, Any]:
    """Return numbers of the conjugates for which every B_j is positive definite."""
    own = functional.quantities
    values = random_values((x.symbol for x in own.conjugates), generator, 0.1, 0.6)
    rank = own.layout.rank
    for group in range(own.layout.group_count):
        current = sp.zeros(rank, rank)
        for level in own.levels:
            current = current + _rational(random_matrix(rank, generator, 0.1))
            q_hat = own.conjugate(level, group)
            values |= {q_hat[i, j]: current[i, j] for i in range(rank) for j in range(rank)}
        V_hat = [x for x in own.conjugates if x.kind == "susceptibility_conjugate" and x.group in (None, group)]
        values |= {x.symbol: sp.Rational(3 if x.indices[0] == x.indices[1] else 0, 2) for x in V_hat}
    return values


def _parameters(functional: HierarchicalFreeEntropy) -> dict[Any, Any]:
    return {y: sp.Rational(3 * (k + 2), 10) for k, y in enumerate(functional.quantities.parameters)}


def _defined(values: dict[Any, Any], definitions: dict[Any, Any]) -> dict[Any, Any]:
    known = dict(values)
    for x, value in definitions.items():
        known[x] = sp.N(value.xreplace(known), DIGITS)
    return known


def _explicit(functional: HierarchicalFreeEntropy) -> Any:
    return functional.terms.trace_term + _on_atom(functional.terms.prior.written_out)


def _difference(function: Any, values: dict[Any, Any], x: sp.Symbol) -> Any:
    h = sp.Rational(STEP)
    up, down = (function({**values, x: values[x] + sign * h}) for sign in (1, -1))
    return (up - down) / (2 * mpmath.mpf(STEP))


def stationarity(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare all equations with differences of Phi_k, in closed form for a quadratic loss."""
    generator, system = np.random.default_rng(seed + 3), HierarchicalSystem(functional)
    own, explicit = functional.quantities, _explicit(functional)
    constants = _constants(functional, generator) | _parameters(functional)
    alpha = symbols.ALPHA.symbol
    with mpmath.workdps(DIGITS):
        loss = QuadraticChannel.random_loss(functional, generator)

        def phi(values: dict[Any, Any]) -> Any:
            channel = QuadraticChannel(functional, values, *loss).mean_potential()
            return (
                mpmath.mpf(sp.N(explicit.xreplace(values), DIGITS))
                + mpmath.mpf(values[alpha].p) / values[alpha].q * channel
            )

        def terms(values: dict[Any, Any]) -> Any:
            return mpmath.mpf(sp.N(explicit.xreplace(values), DIGITS))

        hats = constants | _conjugates(functional, generator)
        full = _defined(hats, system.prior_definitions)
        at_hats = dict(hats)
        for left, right in system.overlap_equations.items():
            (x,) = [s for s in left.free_symbols if s not in at_hats]
            at_hats[x] = sp.N(
                _on_atom(right).xreplace(full) - left.xreplace({x: sp.Integer(0)}).xreplace(at_hats), DIGITS
            )
        worst = max(abs(_difference(terms, at_hats, x.symbol)) for x in own.conjugates)
        statement = "overlap equations: trace and prior term are stationary in the conjugates"
        yield Check("stationarity", statement, float(worst), 1e-20)
        overlaps = constants | _overlaps(functional, generator)
        found = _defined(overlaps, system.channel_definitions)
        for x in sorted(own.conjugates, key=lambda x: x.kind == "susceptibility_conjugate"):
            channel = QuadraticChannel(functional, found, *loss)
            found[x.symbol] = sp.Float(channel.number(system.conjugate_equations[x.symbol]), DIGITS)
        worst = max(abs(_difference(phi, found, x.symbol)) for x in own.order_parameters)
        statement = "conjugate equations: Phi is stationary in the overlaps, for a quadratic loss"
        yield Check("stationarity", statement, float(worst), 1e-20)
        full |= at_hats
        for y, equation in system.parameter_equations.items():
            expected = _difference(phi, at_hats, y)
            slope = QuadraticChannel(functional, full, *loss).number(_on_atom(equation))
            yield Check(
                "stationarity", f"derivative of Phi in {y}, for a quadratic loss", relative(slope, expected), 1e-20
            )


def symmetric_case(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare no step with the replica-symmetric free entropy and equations, symbol by symbol."""
    model = functional.symmetric.model
    none = hierarchical_free_entropy(model, 0)
    names = none.quantities.symmetric()
    phi, system = build_free_entropy(model), derive_saddle_system(build_free_entropy(model))
    prior: Any = phi.prior.written_out(phi.prior.integrand)
    generator = np.random.default_rng(seed + 4)
    values = _constants(none, generator) | random_values(
        (x.symbol for x in (*phi.order_parameters, *phi.conjugates)), generator, 0.3, 0.9
    )
    difference = none.terms.trace_term.xreplace(names) - phi.trace_term
    of_prior = none.terms.prior.written_out.xreplace(names) - prior
    deviation = max(abs(float(sp.N(x.xreplace(values), 30))) for x in (difference, of_prior))
    law = none.law.covariance.xreplace(names) == phi.law.covariance
    yield Check("functional", "no step: trace, prior and law of the fields are the replica-symmetric ones",
                deviation if law else float("inf"), 1e-28)  # fmt: skip
    own, worst = HierarchicalSystem(none), 0.0
    known = _defined(values, system.prior_definitions)
    defined = _defined({x: values[y] for x, y in names.items()} | values, own.prior_definitions)
    for left, right in own.overlap_equations.items():
        mine = sp.N(_on_atom(right).xreplace(defined), 30)
        theirs = sp.N(_on_atom(system.overlap_equations[names[left]]).xreplace(known), 30)
        worst = max(worst, relative(mine, theirs))
    yield Check("functional", "no step: overlap equations are the replica-symmetric ones", worst, 1e-25)
    slopes = {sp.diff(phi.envelope, x): phi.channel.slope(x) for x in phi.channel.fields}
    worst = 0.0
    points = random_values([*phi.law.variables, *phi.channel.proximal_point], generator, 0.2, 0.9)
    at = {**points, **_defined(values | points, system.channel_definitions)}
    for x in none.quantities.conjugates:
        (mine,) = own.conjugate_equations[x.symbol].atoms(GaussianAverage)
        sign = own.conjugate_equations[x.symbol].coeff(mine) / symbols.ALPHA.symbol
        integrand = sign * mine.integrand.xreplace(slopes).xreplace(names)
        theirs = system.conjugate_integrand(names[x.symbol])
        worst = max(worst, relative(sp.N(integrand.xreplace(at), 30), sp.N(theirs.xreplace(at), 30)))
    yield Check("functional", "no step: conjugate equations average the replica-symmetric integrands", worst, 1e-25)


def collapsed_levels(functional: HierarchicalFreeEntropy, seed: int) -> Iterator[Check]:
    """Compare a step without a gap, and a step with y -> 0, with one step less."""
    steps, model = functional.steps, functional.symmetric.model
    if not steps:
        return
    less, generator = hierarchical_free_entropy(model, steps - 1), np.random.default_rng(seed + 5)
    own, others = functional.quantities, less.quantities
    constants = (
        _constants(functional, generator) | _overlaps(functional, generator) | _conjugates(functional, generator)
    )
    parameters = _parameters(functional)
    layout = own.layout

    def moved(levels: list[int]) -> dict[Any, Any]:
        """Return the values for one step less, level by level."""
        found = dict(constants)
        for level, source in enumerate(levels):
            for g in range(layout.group_count):
                for new, old in ((others.self_overlap(level, g), own.self_overlap(source, g)),
                                 (others.conjugate(level, g), own.conjugate(source, g))):  # fmt: skip
                    found |= {x: constants[y] for x, y in zip(new, old, strict=True)}
        return found

    def without_gap() -> dict[Any, Any]:
        found = dict(constants) | parameters
        for g in range(layout.group_count):
            for of in (own.self_overlap, own.conjugate):
                # A tiny gap: increments without variance have no inverse covariance.
                inner = of(steps - 1, g).xreplace(constants) + sp.eye(layout.rank) / 10**30
                found |= dict(zip(of(steps, g), inner, strict=True))
        return found

    with mpmath.workdps(80):
        loss = QuadraticChannel.random_loss(functional, generator)

        def phi(of: HierarchicalFreeEntropy, values: dict[Any, Any]) -> Any:
            explicit = mpmath.mpf(sp.N(_explicit(of).xreplace(values), 80))
            alpha = values[symbols.ALPHA.symbol]
            return explicit + mpmath.mpf(alpha.p) / alpha.q * QuadraticChannel(of, values, *loss).mean_potential()

        fewer = parameters | dict(zip(others.parameters, list(parameters.values())[:-1], strict=True))
        merged = moved(list(range(steps))) | fewer
        yield Check("functional", "a step without a gap is no step, for a quadratic loss",
                    relative(phi(functional, without_gap()), phi(less, merged)), 1e-25)  # fmt: skip
        values = list(parameters.values())
        soft = constants | dict(zip(own.parameters, [sp.Rational(1, 10**30), *values[1:]], strict=True))
        shifted = moved(list(range(1, steps + 1))) | dict(zip(others.parameters, values[1:], strict=True))
        yield Check("functional", "a step with y -> 0 is no step: q_1 takes the place of q_0, for a quadratic loss",
                    relative(phi(functional, soft), phi(less, shifted)), 1e-25)  # fmt: skip
