"""Models whose asymptotics are in the literature, through the derivation and the reference solver."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel, Spectrum, SpectrumAtom, derive
from replica.model.any_model import model_atoms
from saddle.reference import (
    GaussHermite,
    LegendrePanels,
    ReferenceOutcome,
    ReferenceRule,
    ReferenceSettings,
    ReferenceSystem,
    SaddlePoint,
    solve_model,
    solve_reference,
)
from tests.oracles.known_logistic import logistic_by_convex_gaussian_minimax, logistic_by_label_average
from tests.oracles.known_results import Atom, ridge, ridge_in_spectrum, ridge_of_tokens, simulate_intercept

# What solvers call it, and the systems typed by hand.
KNOWN = {"self_overlap": "self_overlap", "susceptibility": "susceptibility", "teacher_overlap": "semantic_overlap"}
NOISE = sp.Symbol("Delta")
ONE_VARIANCE = Spectrum.isotropic(1.0)

# A quadratic loss has polynomial integrands of degree two: two nodes are exact.
QUADRATIC = ReferenceRule(GaussHermite(2), GaussHermite(2), start_height=None)

SIGN = ReferenceRule(
    student=LegendrePanels(breaks=()),
    teacher=GaussHermite(1),
    break_along=("h_1 + sqrt(Delta)*xi_1",),
    start_height=None,
)


def ridge_model(penalty: float, noise: float, spectrum: Spectrum = ONE_VARIANCE) -> MultiIndexModel:
    return MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
        outputs=lambda h, xi: [h[0] + sp.sqrt(NOISE) * xi[0]],
        noise=1,
        regularization=penalty,
        spectrum=spectrum,
        parameters={"Delta": noise},
    )


def logistic_model(penalty: float, noise: float) -> MultiIndexModel:
    return MultiIndexModel(
        loss=lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])),
        outputs=lambda h, xi: [sp.sign(h[0] + sp.sqrt(NOISE) * xi[0])],
        noise=1,
        regularization=penalty,
        parameters={"Delta": noise},
    )


@pytest.fixture(scope="module")
def ridge_system() -> ReferenceSystem:
    return ReferenceSystem(derive(ridge_model(1.0, 0.0)).saddle_system, QUADRATIC)


@pytest.fixture(scope="module")
def logistic_system() -> ReferenceSystem:
    return ReferenceSystem(derive(logistic_model(1.0, 0.0)).saddle_system, SIGN)


def compared(point: SaddlePoint) -> np.ndarray:
    """The numbers of an oracle, in its order."""
    names = ("self_overlap", "teacher_overlap", "susceptibility")
    return np.array([*(point.order_parameters[name] for name in names), point.training_loss, point.test_error])


def solve(system: ReferenceSystem, model: MultiIndexModel, alpha: float) -> SaddlePoint:
    point = solve_reference(system, model.parameter_values(), alpha, atoms=model_atoms(model))
    assert point.converged
    # The envelope's route to the training loss, at every solution.
    assert point.training_loss == pytest.approx(-point.free_entropy, rel=1e-10)
    return point


@pytest.mark.parametrize(
    ("penalty", "noise"), [(0.01, 0.0), (1.0, 0.0), (1e-6, 0.1), (0.1, 0.1), (1e-6, 1.0), (3.0, 1.0)]
)
@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_ridge_is_marchenko_and_pastur(ridge_system, alpha, penalty, noise):
    point = solve(ridge_system, ridge_model(penalty, noise), alpha)
    np.testing.assert_allclose(compared(point), ridge(alpha, penalty, noise).array(), rtol=1e-8)


SPECTRA = {
    "aligned": [Atom(2.0, 0.3, 2.0), Atom(0.5, 0.7, 0.1)],
    "opposed": [Atom(2.0, 0.3, 0.1), Atom(0.5, 0.7, 2.0)],
    "blind": [Atom(3.0, 0.25, 0.0), Atom(0.1, 0.75, 1.0)],
    "power law": [Atom(gamma, weight) for weight, gamma in zip(
        Spectrum.power_law(1.5, 1).weights.tolist(), Spectrum.power_law(1.5, 1).eigenvalues[:, 0].tolist(), strict=True
    )],
}  # fmt: skip


@pytest.mark.parametrize("case", [(0.5, 1e-3, 0.1), (1.5, 0.2, 0.3), (3.0, 1.0, 0.0)])
@pytest.mark.parametrize("name", SPECTRA)
def test_ridge_in_a_spectrum_is_its_deterministic_equivalent(ridge_system, name, case):
    alpha, penalty, noise = case
    atoms = [SpectrumAtom(x.weight, (x.eigenvalue,), teacher_moments=((x.teacher,),)) for x in SPECTRA[name]]
    point = solve(ridge_system, ridge_model(penalty, noise, Spectrum(tuple(atoms))), alpha)
    np.testing.assert_allclose(compared(point), ridge_in_spectrum(*case, SPECTRA[name]).array(), rtol=1e-8)


@pytest.mark.parametrize(
    "case", [(0.5, 0.1, 0.0), (2.0, 0.01, 0.5), (3.0, 1.0, 0.1), (10.0, 1e-3, 0.2), (1.0, 50.0, 0.0)]
)
def test_logistic_regression_is_what_was_published(logistic_system, case):
    alpha, penalty, noise = case
    point = solve(logistic_system, logistic_model(penalty, noise), alpha)
    np.testing.assert_allclose(compared(point), logistic_by_label_average(*case).array(), rtol=1e-9)


def test_logistic_regression_by_the_minimax_theorem(logistic_system):
    point = solve(logistic_system, logistic_model(0.1, 0.0), 2.0)
    expected = logistic_by_convex_gaussian_minimax(2.0, 0.1, 0.0)
    np.testing.assert_allclose(compared(point), expected.array(), rtol=1e-9)


def test_rank_two_learns_two_outputs():
    """Two teachers, two outputs that overlap, two levels of noise: every entry of q, V and theta."""
    readout, noises = np.array([[1.0, 0.0], [0.6, 0.8]]), (0.2, 0.5)
    model = MultiIndexModel(
        loss=lambda z, y: sum((y[a] - z[0, a]) ** 2 / 2 for a in range(2)),
        outputs=lambda h, xi: [
            sum(readout[a, s] * h[0, s] for s in range(2)) + sp.sqrt(noises[a]) * xi[a] for a in range(2)
        ],
        noise=2,
        rank=2,
        teacher_rank=2,
        regularization=0.3,
    )
    point = solve_model(model, 1.5, rule=QUADRATIC)
    expected = ridge_of_tokens(1.5, 0.3, noises, [1.0], readout)
    assert point.converged
    for stem in KNOWN:
        for name, value in point.order_parameters.items():
            if name.startswith(stem):
                row, column = (int(i) - 1 for i in name[-2:])
                assert value == pytest.approx(getattr(expected, KNOWN[stem])[0, row, column], rel=1e-9, abs=1e-12), name
    assert point.training_loss == pytest.approx(expected.training_loss, rel=1e-9)
    assert point.test_error == pytest.approx(expected.test_error, rel=1e-9)


def test_rank_two_in_a_spectrum_is_two_regressions():
    noises, shares = (0.2, 0.5), [(2.0, 0.3, (2.0, 0.1)), (0.5, 0.7, (0.3, 1.0))]
    atoms = [SpectrumAtom(weight, (x,), teacher_moments=np.diag(rho).tolist()) for x, weight, rho in shares]
    model = MultiIndexModel(
        loss=lambda z, y: sum((y[a] - z[0, a]) ** 2 / 2 for a in range(2)),
        outputs=lambda h, xi: [h[0, a] + sp.sqrt(noises[a]) * xi[a] for a in range(2)],
        noise=2,
        rank=2,
        teacher_rank=2,
        regularization=0.3,
        spectrum=Spectrum(tuple(atoms)),
    )
    point = solve_model(model, 1.5, rule=QUADRATIC)
    assert point.converged
    single = [
        ridge_in_spectrum(1.5, 0.3, noises[a], [Atom(x, weight, rho[a]) for x, weight, rho in shares]) for a in range(2)
    ]
    for a, expected in enumerate(single):
        entry = f"_{a + 1}{a + 1}"
        found = [point.order_parameters[x + entry] for x in ("self_overlap", "teacher_overlap", "susceptibility")]
        np.testing.assert_allclose(found, expected.array()[:3], rtol=1e-9)
    assert point.training_loss == pytest.approx(sum(x.training_loss for x in single), rel=1e-9)
    assert point.training_loss == pytest.approx(-point.free_entropy, rel=1e-10)
    assert point.test_error == pytest.approx(sum(x.test_error for x in single), rel=1e-9)


def test_an_encoding_is_an_intercept():
    """The overlap with an encoding, against ridge regression on random training sets."""
    encoding, offset = 1.5, 2.0
    model = MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
        outputs=lambda h, xi: [h[0] + offset + sp.sqrt(NOISE) * xi[0]],
        noise=1,
        regularization=0.4,
        positional_gram=((encoding**2,),),
        parameters={"Delta": 0.3},
    )
    point = solve_model(model, 1.2, rule=QUADRATIC)
    assert point.converged
    q, _, theta = (point.order_parameters[x] for x in ("self_overlap", "susceptibility", "semantic_overlap"))
    mean = encoding * point.order_parameters["positional_overlap"]
    expected = np.array([mean, q, theta, point.training_loss, point.test_error])
    runs = np.array([simulate_intercept(1000, 1.2, 0.4, 0.3, encoding, offset, seed) for seed in range(8)])
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert mean > 0.5
    assert np.all(np.abs(runs.mean(axis=0) - expected) < 4 * error + 2e-3)


@pytest.mark.parametrize("variances", [(1.0, 1.0), (2.0, 0.5), (1.0, 3.0, 1.0)])
def test_tokens_are_rows_of_their_own_variance(variances):
    length = len(variances)
    model = MultiIndexModel(
        loss=lambda z, y: sum((y[k] - z[k]) ** 2 / 2 for k in range(length)),
        outputs=lambda h, xi: [h[k] + sp.sqrt(NOISE) * xi[k] for k in range(length)],
        noise=length,
        regularization=0.2,
        spectrum=Spectrum.isotropic(*variances),
        parameters={"Delta": 0.4},
    )
    point = solve_model(model, 0.8, rule=QUADRATIC)
    expected = ridge_of_tokens(0.8, 0.2, [0.4], variances, np.eye(1))
    assert point.converged
    for group in range(len(set(variances))):
        suffix = f"_{group + 1}" if len(set(variances)) > 1 else ""
        for stem in KNOWN:
            value = point.order_parameters[stem + suffix]
            assert value == pytest.approx(getattr(expected, KNOWN[stem])[group, 0, 0], rel=1e-9)
    assert point.training_loss == pytest.approx(expected.training_loss, rel=1e-9)
    assert point.test_error == pytest.approx(expected.test_error, rel=1e-9)


def test_a_solve_says_how_it_ended(ridge_system):
    values = ridge_model(0.1, 0.2).parameter_values()
    atoms = model_atoms(ridge_model(0.1, 0.2))
    short = solve_reference(ridge_system, values, 1.0, atoms=atoms, settings=ReferenceSettings(max_steps=3))
    assert short.outcome is ReferenceOutcome.NOT_CONVERGED
    assert short.residual > 1e-3
    outside = solve_reference(ridge_system, values, 1.0, atoms=atoms, start={"teacher_overlap": 2.0})
    assert outside.outcome is ReferenceOutcome.LEFT_DOMAIN
    assert np.isnan(outside.free_entropy)


def test_what_is_missing_is_named(ridge_system):
    model = ridge_model(0.1, 0.2)
    values, atoms = model.parameter_values(), model_atoms(model)
    with pytest.raises(ValueError, match="alpha must be positive and finite, got -1"):
        solve_reference(ridge_system, values, -1.0, atoms=atoms)
    with pytest.raises(ValueError, match="parameters must hold 'Delta'"):
        solve_reference(ridge_system, {k: v for k, v in values.items() if k != "Delta"}, 1.0, atoms=atoms)
    with pytest.raises(ValueError, match="start holds 'magnetisation'"):
        solve_reference(ridge_system, values, 1.0, atoms=atoms, start={"magnetisation": 1.0})
    with pytest.raises(ValueError, match="no value of 'gamma'"):
        solve_reference(ridge_system, values, 1.0)


@pytest.mark.parametrize("form", ["h_1**2", "w_1", "1 + h_1", "h_1*xi_1"])
def test_breaks_lie_along_linear_forms_of_the_teacher(ridge_system, form):
    model = ridge_model(0.1, 0.2)
    rule = dataclasses.replace(QUADRATIC, break_along=(form,))
    with pytest.raises(ValueError, match="break_along must be linear"):
        solve_reference(ridge_system, model.parameter_values(), 1.0, atoms=model_atoms(model), rule=rule)
