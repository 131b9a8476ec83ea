"""What is corrupted fails those checks of the derivation that are there for it, and no others."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import sympy as sp

from replica import MultiIndexModel
from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw
from replica.algebra.spectrum_average import SpectrumAverage
from replica.checks import channel_checks, equation_checks, replica_checks
from replica.checks.verification import CHECKS
from replica.derivation import Derivation, derive
from replica.equations.free_entropy import FreeEntropy
from replica.equations.moreau import MoreauProblem
from replica.equations.replica_trick import BETA, REPLICAS, SAME_REPLICA
from replica.equations.saddle_system import SaddleSystem, derive_saddle_system
from tests.oracles.changed_channel import with_channel
from tests.replica.checks.test_verification import both_columns, retrieval

MODELS: dict[str, MultiIndexModel] = {"one": retrieval(), "two": retrieval(rank=2, loss=both_columns)}
"""Students of rank one and two."""

OF_REPLICAS = {check for check in CHECKS if check.__module__ == replica_checks.__name__}
"""Checks of functions of the layout alone, which nothing that is corrupted in a derivation reaches."""


@functools.cache
def sound(name: str = "one") -> Derivation:
    derivation = derive(MODELS[name])
    assert derivation.saddle_system
    assert derivation.sectors
    return derivation


def corrupted(name: str = "one", **parts: Any) -> Derivation:
    """A derivation of which some steps are replaced; the others are sound."""
    original = sound(name)
    copy = Derivation(original.model, original.loss_model)
    own = {x: getattr(original, x) for x in ("free_entropy", "saddle_system", "symmetries", "sectors")}
    copy.__dict__.update(own | parts)
    return copy


def failures(derivation: Derivation, of_replicas: bool = False) -> set[str]:
    chosen = OF_REPLICAS if of_replicas else CHECKS.keys() - OF_REPLICAS
    return {check.__name__ for check in chosen if not all(x.passed for x in check(derivation, 0))}


def test_nothing_fails_where_nothing_is_corrupted():
    assert failures(corrupted()) == set()
    assert failures(corrupted(), of_replicas=True) == set()


@pytest.mark.slow
def test_nothing_fails_where_nothing_of_rank_two_is_corrupted():
    assert failures(corrupted("two")) == set()


def with_conjugate(system: SaddleSystem, index: int, factor: Any) -> SaddleSystem:
    hat = system.conjugates[index].symbol
    average = system.conjugate_equations[hat]
    return dataclasses.replace(system, conjugate_equations={**system.conjugate_equations, hat: factor * average})


def with_overlap(system: SaddleSystem, index: int, change: Any) -> SaddleSystem:
    x = system.order_parameters[index].symbol
    value = system.overlap_equations[x]
    assert isinstance(value, SpectrumAverage)
    wrong = SpectrumAverage(change(value.integrand), value.atom_symbols)
    return dataclasses.replace(system, overlap_equations={**system.overlap_equations, x: wrong})


@pytest.mark.parametrize(("index", "factor"), [(0, -1), (1, sp.Rational(1, 2)), (2, 2), (3, -1)])
def test_a_wrong_factor_in_a_conjugate_equation(index, factor):
    wrong = corrupted(saddle_system=with_conjugate(sound().saddle_system, index, factor))
    assert failures(wrong) == {"theory_notes"}
    (bad,) = [x for x in equation_checks.theory_notes(wrong, 0) if not x.passed]
    assert "conjugate equations" in bad.statement


@pytest.mark.parametrize(
    ("index", "change"), [(0, lambda x: x / 2), (1, lambda x: -x), (2, lambda x: 2 * x), (3, lambda x: -x)]
)
def test_a_wrong_factor_in_an_overlap_equation(index, change):
    wrong = corrupted(saddle_system=with_overlap(sound().saddle_system, index, change))
    assert failures(wrong) == {"theory_notes", "stationarity_of_the_weights"}


def test_an_overlap_that_does_not_vanish_with_its_conjugates():
    wrong = corrupted(saddle_system=with_overlap(sound().saddle_system, 3, lambda x: x + 1))
    assert failures(wrong) == {"theory_notes", "stationarity_of_the_weights", "families"}


def traces(phi: FreeEntropy) -> list[sp.Expr]:
    return list(sp.Add.make_args(phi.trace_term))


@pytest.mark.parametrize("index", [0, 3])
def test_a_wrong_term_of_the_trace_term(index):
    phi = sound().free_entropy
    wrong = dataclasses.replace(phi, trace_term=phi.trace_term + traces(phi)[index])
    assert failures(corrupted(free_entropy=wrong)) == {"shared_order_parameters", "stationarity_of_the_weights"}


def test_equations_derived_from_a_wrong_trace_term():
    phi = sound().free_entropy
    wrong = dataclasses.replace(phi, trace_term=phi.trace_term + traces(phi)[0])
    # They are consistent with it, and not with the notes.
    derived = failures(corrupted(free_entropy=wrong, saddle_system=derive_saddle_system(wrong)))
    assert derived == {"shared_order_parameters", "theory_notes"}


def test_a_wrong_prior_term():
    phi = sound().free_entropy
    prior = dataclasses.replace(phi.prior, integrand=phi.prior.integrand * sp.Rational(3, 2))
    wrong = dataclasses.replace(phi, prior=prior)
    expected = {"shared_order_parameters", "stationarity_of_the_weights"}
    assert failures(corrupted(free_entropy=wrong)) == expected


def doubled_fields(phi: FreeEntropy) -> GaussianLaw:
    scale = sp.diag(*(sp.sqrt(2) if x in phi.channel.fields else 1 for x in phi.law.variables))
    covariance = scale * sp.Matrix(phi.law.covariance) * scale
    return dataclasses.replace(phi.law, covariance=sp.ImmutableMatrix(covariance))


def test_a_wrong_covariance_of_the_fields():
    phi = sound().free_entropy
    wrong = dataclasses.replace(phi, law=doubled_fields(phi))
    assert failures(corrupted(free_entropy=wrong, saddle_system=derive_saddle_system(wrong))) == {"theory_notes"}


def test_a_wrong_inverse_of_the_covariance():
    phi = sound("two").free_entropy
    (inverse,) = phi.covariance_inverses
    half = dataclasses.replace(inverse, of=sp.ImmutableMatrix(sp.Matrix(inverse.of) / 2))
    wrong = dataclasses.replace(phi, covariance_inverses=(half,))
    found = failures(corrupted("two", free_entropy=wrong, saddle_system=derive_saddle_system(wrong)))
    assert found == {"price_and_stein", "theory_notes"}


@pytest.mark.parametrize("part", ["quadratic", "loss"])
def test_a_wrong_objective_of_the_envelope(part):
    phi = sound().free_entropy
    extra = phi.channel.objective - phi.channel.loss if part == "quadratic" else phi.channel.loss
    wrong = with_channel(phi, objective=phi.channel.objective + extra)
    assert failures(corrupted(free_entropy=wrong)) == {"laplace"}


class WrongSlopes(MoreauProblem):
    """Slopes of the envelope in the fields have the wrong sign."""

    def slope(self, x: sp.Symbol) -> sp.Expr:
        return super().slope(x) * (-1 if x in self.fields else 1)


class WrongSusceptibilitySlopes(MoreauProblem):
    """Slopes of the envelope in V lack a factor 1/2."""

    def slope(self, x: sp.Symbol) -> sp.Expr:
        return super().slope(x) * (1 if x in self.fields else 2)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("one", WrongSlopes),
        ("one", WrongSusceptibilitySlopes),
        pytest.param("two", WrongSlopes, marks=pytest.mark.slow),
        pytest.param("two", WrongSusceptibilitySlopes, marks=pytest.mark.slow),
    ],
)
def test_wrong_slopes_of_the_envelope(name, made):
    phi = sound(name).free_entropy
    channel = made(**{x.name: getattr(phi.channel, x.name) for x in dataclasses.fields(phi.channel)})
    wrong = dataclasses.replace(phi, channel=channel)
    assert failures(corrupted(name, free_entropy=wrong)) == {"envelope_theorem", "stationarity_on_a_quadrature"}


def test_wrong_integration_by_parts(monkeypatch):
    lower = channel_checks.integrate_by_parts

    def halved(average, envelope, fields):
        lowered = lower(average, envelope, fields)
        return GaussianAverage(lowered.integrand / 2, lowered.law)

    monkeypatch.setattr(channel_checks, "integrate_by_parts", halved)
    assert failures(sound()) == {"price_and_stein"}


def patched(monkeypatch, name: str, change: Any) -> set[str]:
    """Failures where a function that the checks of replicas import returns something else."""
    original = getattr(replica_checks, name)
    monkeypatch.setattr(replica_checks, name, lambda *arguments: change(original(*arguments), *arguments))
    return failures(sound(), of_replicas=True)


def test_a_wrong_scaling_of_the_ansatz(monkeypatch):
    # Replicas that differ by fluctuations of order one, not 1/beta.
    found = patched(monkeypatch, "replica_symmetric_overlap", lambda _, q, V: q + SAME_REPLICA * V)
    assert found == {"replica_sums"}


def test_a_wrong_count_of_pairs_of_replicas(monkeypatch):
    # n^2 pairs count as n(n - 1) where they should not; the limits do not see terms of second order.
    found = patched(monkeypatch, "token_trace_action", lambda value, token: value + REPLICAS**2)
    assert found == {"replica_sums"}


def test_a_wrong_determinant(monkeypatch):
    found = patched(monkeypatch, "prior_action", lambda value, B, N, M: value + REPLICAS**2 * sp.log(B.det()))
    assert found == {"determinants_and_inverses"}


def test_a_wrong_limit_of_no_replicas(monkeypatch):
    # The slope at n = 1, which is that of an annealed average.
    found = patched(monkeypatch, "replica_limit", lambda _, action: sp.diff(action, REPLICAS).subs(REPLICAS, 1))
    assert found == {"continuation_to_no_replicas", "zero_temperature"}


def test_a_limit_of_no_replicas_that_is_right_at_zero_temperature_only(monkeypatch):
    found = patched(monkeypatch, "replica_limit", lambda value, action: value + BETA / 10**25)
    assert found == {"continuation_to_no_replicas"}


@pytest.mark.parametrize("factor", [2, sp.Rational(1, 2)])
def test_a_wrong_limit_of_zero_temperature(monkeypatch, factor):
    found = patched(monkeypatch, "trace_limit", lambda value, token: value * factor)
    assert found == {"zero_temperature"}


def test_a_wrong_limit_of_the_weights(monkeypatch):
    found = patched(monkeypatch, "prior_limit", lambda value, rank: (2 * value[0], *value[1:]))
    assert found == {"zero_temperature"}


def test_a_family_that_is_none():
    spaces = sound().sectors
    positional = next(x for x in spaces if x.name == "positional")
    # Without the first order parameter, a variance.
    false = dataclasses.replace(positional, name="false", free=tuple(range(1, len(sound().saddle_system.conjugates))))
    assert failures(corrupted(sectors=(*spaces, false))) == {"families"}
    # Nothing that keeps it makes the integrand of what vanishes odd.
    none = dataclasses.replace(sound().symmetries, reversals=())
    assert failures(corrupted(symmetries=none, sectors=(positional,))) == {"families"}


def test_a_symmetry_that_is_none():
    found = sound().symmetries
    idle = tuple(dataclasses.replace(x, student=(), teacher=()) for x in found.reversals)
    assert failures(corrupted(symmetries=dataclasses.replace(found, reversals=idle))) == {"families"}


def test_every_check_is_made_to_fail_above():
    # Keep in step with the corruptions: a new check needs one of its own.
    made = {"replica_sums", "determinants_and_inverses", "continuation_to_no_replicas", "zero_temperature", "laplace",
            "envelope_theorem", "price_and_stein", "stationarity_on_a_quadrature", "shared_order_parameters",
            "stationarity_of_the_weights", "theory_notes", "families"}  # fmt: skip
    assert {check.__name__ for check in CHECKS} == made
