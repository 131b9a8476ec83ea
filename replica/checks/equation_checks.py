"""The equations against the theory notes' matrix form, against Phi itself, and against one set per token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import SpectrumAverage
from replica.checks.channel_checks import differentiate_numerically
from replica.checks.check import DIGITS, Check, function_of, random_values, relative
from replica.checks.minimiser import channel_point
from replica.common.errors import DerivationError
from replica.equations.free_entropy import FreeEntropy, trace_term
from replica.equations.prior_term import prior_term
from replica.model.token_law import atom_law, encoding_symbols
from replica.quantities.matrices import OrderParameterMatrices
from replica.symmetry.reduced_system import vanishing_is_consistent

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["families", "shared_order_parameters", "stationarity_of_the_weights", "theory_notes"]

Values = dict[Any, Any]


def _moments(phi: FreeEntropy, values: Values, generator: np.random.Generator) -> None:
    """Choose values of an atom's symbols: positive eigenvalues, any symmetric moments."""
    law = phi.model.token_law
    values |= random_values(law.atom_symbols, generator, 0.2, 1.5)
    values |= random_values((x.symbol for x in phi.conjugates), generator, 0.1, 1.0)
    # A negative off-diagonal V_hat is as good as any; the precision must stay positive definite.
    for x in phi.conjugates:
        if x.kind == "susceptibility_conjugate" and x.indices[0] == x.indices[1]:
            values[x.symbol] += 2


def shared_order_parameters(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare Phi with one set of order parameters per token, at shared values, with the reduced one, exactly."""
    phi = derivation.free_entropy
    layout, law = phi.layout, phi.model.token_law
    generator = np.random.default_rng(seed + 20)
    values: Values = random_values((x.symbol for x in phi.parameters), generator, 0.2, 0.9)
    values |= random_values((x.symbol for x in phi.order_parameters), generator, 0.1, 1.0)
    _moments(phi, values, generator)
    reduced = phi.trace_term + phi.prior.written_out(phi.prior.integrand)
    # One set per token: overlaps are shared, conjugates of a group are split among its tokens in any way.
    tokens, C = layout.per_token, sp.Matrix(law.encoding).xreplace(values)
    if layout.directions > layout.sequence_length:
        # Classes of samples have more directions than tokens: overlaps are with directions from the start.
        tokens, C = replace(tokens, directions=layout.directions), sp.eye(layout.directions)
    whole_law = atom_law(tokens, encoding_symbols(tokens))
    prior = prior_term(whole_law, phi.model.ridge)
    whole = trace_term(tokens) + prior.written_out(prior.integrand)
    own: Values = {phi.model.ridge: values[phi.model.ridge]}
    split = _random_split(layout.groups, generator)
    wide, narrow = OrderParameterMatrices(tokens), OrderParameterMatrices(layout)
    for token, group in enumerate(layout.groups):
        for kind in ("self_overlap", "susceptibility", "semantic_overlap"):
            own |= dict(zip(wide.of(kind, token), narrow.of(kind, group).xreplace(values), strict=True))
            hats = narrow.of(f"{kind}_conjugate", group).xreplace(values) * split[token]
            own |= dict(zip(wide.of(f"{kind}_conjugate", token), hats, strict=True))
    if layout.directions:
        dual = C * (C.T * C).inv()
        kind = "positional_overlap"
        own |= dict(zip(wide.of(kind), narrow.of(kind).xreplace(values) * C.T, strict=True))
        hat = f"{kind}_conjugate"
        own |= dict(zip(wide.of(hat), narrow.of(hat).xreplace(values) * dual.T, strict=True))
    own |= {x: law.eigenvalues[g].xreplace(values) for x, g in zip(whole_law.eigenvalues, layout.groups, strict=True)}
    P, X, G = (sp.Matrix(x).xreplace(values) for x in (law.positional, law.mixed, law.teacher))
    for matrix, numbers in (
        (whole_law.positional, C * P * C.T if layout.directions else sp.zeros(0, 0)),
        (whole_law.mixed, C * X if layout.directions else sp.zeros(0, 0)),
        (whole_law.teacher, G),
    ):
        own |= dict(zip(matrix, numbers, strict=True))
    first, second = whole.xreplace(own), reduced.xreplace(values)
    for value in (first, second):
        if not value.is_Rational:
            raise DerivationError(f"Phi at rational values of its symbols is no rational number: {value}")
    deviation = float(abs(first - second) / abs(second))
    yield Check("shared order parameters", "Phi per token against the reduced Phi, exactly", deviation, 0.0)


def _random_split(groups: tuple[int, ...], generator: np.random.Generator) -> list[sp.Rational]:
    """Return shares of every token in its group's conjugates, summing to one in each group."""
    raw = [sp.Rational(int(generator.integers(1, 9))) for _ in groups]
    totals = {g: sp.Add(*(x for x, own in zip(raw, groups, strict=True) if own == g)) for g in set(groups)}
    return [x / totals[g] for x, g in zip(raw, groups, strict=True)]


def _on_atom(expression: sp.Expr) -> sp.Expr:
    return expression.integrand if isinstance(expression, SpectrumAverage) else expression


def stationarity_of_the_weights(derivation: Theory, seed: int) -> Iterator[Check]:
    """Differentiate trace and prior term numerically in every conjugate where the overlap equations hold."""
    phi, system = derivation.free_entropy, derivation.saddle_system
    generator = np.random.default_rng(seed + 21)
    values: Values = random_values((x.symbol for x in phi.parameters), generator, 0.2, 0.9)
    _moments(phi, values, generator)
    state = {x: system.written_out(_on_atom(value)).xreplace(values) for x, value in system.overlap_equations.items()}
    values |= state
    explicit = phi.trace_term + phi.prior.written_out(phi.prior.integrand)
    names = sorted(explicit.free_symbols, key=str)
    worst = 0.0
    with mpmath.workdps(2 * DIGITS):
        function = function_of(names, explicit)
        numbers = {x: mpmath.mpf(values[x].p) / values[x].q for x in names}

        def at(x: sp.Symbol, value: Any) -> Any:
            return function(*(value if y == x else numbers[y] for y in names))

        for x in phi.conjugates:
            slope = differentiate_numerically(lambda value, x=x: at(x.symbol, value), numbers[x.symbol])
            worst = max(worst, float(abs(slope)))
    yield Check("saddle point", "trace and prior term are stationary in the conjugates", worst, 1e-18)


def _matrix(matrix: sp.Matrix, values: Values) -> Any:
    out = mpmath.matrix(matrix.rows, matrix.cols)
    for i in range(matrix.rows):
        for j in range(matrix.cols):
            value = sp.Rational(sp.sympify(matrix[i, j]).xreplace(values))
            out[i, j] = mpmath.mpf(value.p) / value.q
    return out


def theory_notes(derivation: Theory, seed: int) -> Iterator[Check]:
    """Compare right-hand sides with the matrix form of section 4 of the theory notes, written out independently."""
    phi, system = derivation.free_entropy, derivation.saddle_system
    layout, law = phi.layout, phi.model.token_law
    groups = range(layout.group_count)
    generator = np.random.default_rng(seed + 22)
    values: Values = random_values((x.symbol for x in phi.parameters), generator, 0.2, 0.9)
    _moments(phi, values, generator)
    m = OrderParameterMatrices(layout)
    worst = 0.0
    with mpmath.workdps(DIGITS):
        gamma = [_matrix(sp.Matrix([[x]]), values)[0, 0] for x in law.eigenvalues]
        hat = {kind: [_matrix(m.of(f"{kind}_conjugate", g), values) for g in groups]
               for kind in ("self_overlap", "susceptibility", "semantic_overlap")}  # fmt: skip
        m_hat = _matrix(m.of("positional_overlap_conjugate"), values)
        P, X, G = (_matrix(sp.Matrix(x), values) for x in (law.positional, law.mixed, law.teacher))
        B = mpmath.eye(layout.rank) * _matrix(sp.Matrix([[phi.model.ridge]]), values)[0, 0]
        N, Theta = mpmath.zeros(layout.rank), mpmath.zeros(layout.rank, layout.teacher_rank)
        for g in groups:
            B += gamma[g] * hat["susceptibility"][g]
            N += gamma[g] * hat["self_overlap"][g]
            Theta += gamma[g] * hat["semantic_overlap"][g]
        # Moments of b = m_hat u + Theta pi: with itself, with u and with pi.
        with_pi, with_u = Theta * G, mpmath.zeros(layout.rank, max(layout.directions, 1))
        second = N + Theta * G * Theta.T
        if layout.directions:
            cross = m_hat * X * Theta.T
            second += m_hat * P * m_hat.T + cross + cross.T
            with_pi += m_hat * X
            with_u = m_hat * P + Theta * X.T
        K = mpmath.inverse(B)
        expected = {
            ("self_overlap", g): gamma[g] * K * second * K for g in groups
        } | {("susceptibility", g): gamma[g] * K for g in groups} | {
            ("semantic_overlap", g): gamma[g] * K * with_pi for g in groups
        } | {("positional_overlap", None): K * with_u}  # fmt: skip
        for x in system.order_parameters:
            value = system.written_out(_on_atom(system.overlap_equations[x.symbol])).xreplace(values)
            number = mpmath.mpf(sp.Rational(value).p) / sp.Rational(value).q
            worst = max(worst, relative(number, expected[x.kind, x.group][x.indices]))
    yield Check("saddle point", "overlap equations against the theory notes' matrix form", worst, 1e-25)
    yield Check("saddle point", "conjugate equations against the theory notes' matrix form",
                _conjugates_against_notes(derivation, seed), 1e-24)  # fmt: skip


def _conjugates_against_notes(derivation: Theory, seed: int) -> float:
    """Compare the conjugates' integrands at a random point of the fields with the theory notes' matrices."""
    phi, system = derivation.free_entropy, derivation.saddle_system
    layout, law = phi.layout, phi.model.token_law
    rank, t, length = layout.rank, layout.teacher_rank, layout.sequence_length
    with mpmath.workdps(2 * DIGITS):
        point = channel_point(derivation, np.random.default_rng(seed + 23))
        generator = np.random.default_rng(seed + 24)
        numbers = {**point.values, **{x: mpmath.mpf(generator.normal()) for x in phi.model.teacher_fields}}
        numbers |= dict(zip(phi.channel.proximal_point, point.z, strict=True))
        matrices = OrderParameterMatrices(layout)

        def numeric(matrix: sp.Matrix) -> Any:
            out = mpmath.matrix(matrix.rows, matrix.cols)
            for k, entry in enumerate(matrix):
                names = sorted(entry.free_symbols, key=str)
                out[k // matrix.cols, k % matrix.cols] = function_of(names, entry)(*(numbers[x] for x in names))
            return out

        m, C = numeric(matrices.of("positional_overlap")), numeric(sp.Matrix(law.encoding))
        sums: dict[tuple[str, int | None], Any] = {}

        def add(kind: str, group: int | None, matrix: Any) -> None:
            sums[kind, group] = sums[kind, group] + matrix if (kind, group) in sums else matrix

        for token, g in enumerate(layout.groups):
            own = range(token * rank, (token + 1) * rank)
            both = phi.channel.fields, phi.channel.proximal_point
            w, z = (mpmath.matrix([numbers[symbols[k]] for k in own]) for symbols in both)
            h = mpmath.matrix([numbers[x] for x in phi.model.teacher_fields[token * t : (token + 1) * t]])
            q, theta, V = (
                numeric(matrices.of(kind, g)) for kind in ("self_overlap", "semantic_overlap", "susceptibility")
            )
            rho = numeric(sp.Matrix(law.teacher_variances[g]))
            q_inverse, force = mpmath.inverse(q), mpmath.lu_solve(V, z - w)
            offset = w - (m * C[token, :].T if layout.directions else mpmath.zeros(rank, 1))
            rest = rho - theta.T * q_inverse * theta
            theta_hat = force * (h - theta.T * q_inverse * offset).T * mpmath.inverse(rest)
            add("self_overlap_conjugate", g, force * force.T)
            add("semantic_overlap_conjugate", g, theta_hat)
            add("susceptibility_conjugate", g, theta_hat * theta.T * q_inverse - force * offset.T * q_inverse)
            if layout.directions:
                add("positional_overlap_conjugate", None, force * C[token, :])
        assert length == len(layout.groups)
        worst = 0.0
        for x in system.conjugates:
            integrand = system.written_out(system.conjugate_integrand(x.symbol))
            if integrand.atoms(GaussianAverage):
                raise DerivationError(f"the equation of {x.symbol} is an average of averages: {integrand}")
            names = sorted(integrand.free_symbols, key=str)
            value = function_of(names, integrand)(*(numbers[y] for y in names))
            worst = max(worst, relative(value, sums[x.kind, x.group][x.indices]))
    return worst


def families(derivation: Theory, seed: int) -> Iterator[Check]:
    """Show that the equations of what vanishes in a family hold identically there."""
    system = derivation.saddle_system
    numbers = derivation.parameter_values
    values = {x.symbol: sp.Rational(numbers[x.name]) for x in derivation.loss_model.parameters if x.name in numbers}
    for sector in derivation.sectors:
        if derivation.vanishing(sector):
            consistent = vanishing_is_consistent(system, sector, derivation.symmetries, values)
            statement = f"{sector.name}: equations of what vanishes hold identically"
            yield Check("sectors", statement, 0.0 if consistent else float("inf"), 0.0)
