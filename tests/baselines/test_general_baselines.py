"""Baselines of general models: closed forms, limits, symmetries, sampling, and one rule against the other."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from baselines import linear_positional, uniform_attention
from baselines.averages.sobol_average import sobol_moments
from baselines.averages.target_function import target_function
from baselines.averages.target_moments import target_moments
from baselines.averages.trapezoidal_average import trapezoidal_moments
from replica import (
    AttentionModel,
    MultiIndexModel,
    Spectrum,
    SpectrumAtom,
    linear_attention,
    softmax,
    softmax_attention,
)

KAPPA, OMEGA = sp.symbols("kappa omega")
PREPARED = Spectrum(
    (
        SpectrumAtom(0.25, (1.0, 0.3), teacher_moments=[[2.0, 0.5], [0.5, 1.0]]),
        SpectrumAtom(0.75, (0.2, 0.6), teacher_moments=[[0.5, -0.2], [-0.2, 1.5]]),
    )
)
# R and rho of its tokens, by hand: sums over atoms of weight times eigenvalue (times teacher moments).
PREPARED_TRACES = np.array([0.4, 0.525])
PREPARED_VARIANCES = np.array([[[0.575, 0.095], [0.095, 0.475]], [[0.375, -0.0525], [-0.0525, 0.75]]])


def only(expression):
    """Return a target of two tokens with one entry: a function of h."""
    return lambda h: sp.Matrix([[expression(h), 0], [0, 0]])


def two_tokens(expression, sigma=0.5):
    return AttentionModel.paper(sigma=sigma, target=only(expression))


def written_out(h):
    """The default target as text."""
    length = h.rows
    matrix = sp.Matrix(length, length, lambda i, j: sp.Symbol(f"A_{i + 1}{j + 1}"))
    return (1 - OMEGA) * softmax(h * h.T) + OMEGA * matrix


def long(length, **changes):
    return AttentionModel(0.0, positional_encoding=np.arange(1, length + 1), **changes)


# Model, its R and its rho.
LINEAR = {
    "paper": (AttentionModel.paper(target=linear_attention()), [0.25] * 2, 0.25 * np.ones((2, 1, 1))),
    "atoms": (
        AttentionModel.paper(target=linear_attention(), spectrum=PREPARED, teacher_rank=2),
        PREPARED_TRACES,
        PREPARED_VARIANCES,
    ),
    "variances": (
        long(3, target=linear_attention(), spectrum=Spectrum.isotropic(0.2, 0.5, 0.9)),
        [0.2, 0.5, 0.9],
        np.reshape([0.2, 0.5, 0.9], (3, 1, 1)),
    ),
    "six variables": (
        long(3, target=linear_attention(), spectrum=Spectrum.isotropic(0.2, 0.5, 0.9), teacher_rank=2),
        [0.2, 0.5, 0.9],
        np.reshape([0.2, 0.5, 0.9], (3, 1, 1)) * np.eye(2),
    ),
    "ten variables": (
        long(5, target=linear_attention(), sigma=0.7, teacher_rank=2),
        [0.49] * 5,
        0.49 * np.tile(np.eye(2), (5, 1, 1)),
    ),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_attention_has_gaussian_moments(name):
    # T_ij = h_i.h_j has mean delta_ij Tr rho_i and variance Tr rho_i rho_j, twice that for i = j.
    model, traces, variances = LINEAR[name]
    length = model.sequence_length
    products = np.einsum("iab,jba->ij", variances, variances)
    expected = np.sum(traces * (products + np.diag(np.diag(products)))) / length
    mean = np.diag(np.trace(variances, axis1=1, axis2=2))
    baseline, uniform = linear_positional(model), uniform_attention(model)
    exact = length * model.teacher_rank < 5
    assert abs(baseline.test_error - expected) < (1e-10 * expected if exact else 1.5 * baseline.error)
    assert baseline.error < 1e-4 * baseline.test_error
    np.testing.assert_allclose(baseline.matrix, mean, rtol=0, atol=1e-10 if exact else 1e-4)
    more = np.sum(traces * (mean - 1 / length) ** 2) / length
    assert uniform.test_error - baseline.test_error == pytest.approx(more, rel=1e-10 if exact else 1e-3)
    assert abs(uniform.test_error - expected - more) < 1.5 * uniform.error + 1e-12


@pytest.mark.parametrize("make", [linear_positional, uniform_attention])
def test_renaming_tokens_permutes_the_matrix(make):
    order = (2, 0, 1)
    variances, rows = np.array([0.1, 0.2, 0.3]), np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, -1.0]])

    def model(order):
        order = list(order)
        return AttentionModel(
            0.3,
            positional_matrix=rows[np.ix_(order, order)],
            positional_encoding=(1, 0, -1),
            # Not even: the whole grid is summed.
            target=lambda h: written_out(h) + sp.diag(*h),
            spectrum=Spectrum.isotropic(*variances[order]),
        )

    here, there = make(model(range(3))), make(model(order))
    assert there.test_error == pytest.approx(here.test_error, rel=1e-12)
    if make is linear_positional:
        expected = here.matrix[np.ix_(order, order)]
        np.testing.assert_allclose(there.matrix, expected, rtol=0, atol=1e-12)
        assert not np.allclose(there.matrix, here.matrix)


@pytest.mark.parametrize("silent", [0, 1])
def test_a_token_without_variance_leaves_one_field(silent):
    # With h_2 = 0 only the first row depends on the fields, and only its first column carries weight.
    variances = [0.8, 1e-9] if silent else [1e-9, 0.8]
    baseline = linear_positional(AttentionModel(0.0, spectrum=Spectrum.isotropic(*variances)))
    first, second = (
        quad(lambda x, k=k: norm.pdf(x) * expit(0.8 * x**2) ** k, -12, 12, epsabs=1e-13)[0] for k in (1, 2)
    )
    assert baseline.test_error == pytest.approx(0.4 * (second - first**2), rel=1e-7)
    here, other = 1 - silent, silent
    assert baseline.matrix[here, here] == pytest.approx(first, rel=1e-7)
    np.testing.assert_allclose(baseline.matrix[other], 0.5, rtol=1e-7)


def test_uneven_target_agrees_with_monte_carlo():
    def shifted(h):
        return softmax(KAPPA * h * h.T) + sp.ones(2, 1) * h[:, 1].T.applyfunc(sp.tanh)

    model = AttentionModel(0.0, target=shifted, parameters={"kappa": 1.7}, spectrum=PREPARED, teacher_rank=2)
    normal = np.random.default_rng(1).standard_normal((2, 2, 400_000))
    h = np.einsum("lab,lbn->lan", np.linalg.cholesky(PREPARED_VARIANCES), normal)
    powers = np.exp(1.7 * np.einsum("ian,jan->ijn", h, h))
    target = powers / powers.sum(axis=1, keepdims=True) + np.tanh(h[None, :, 1])
    baseline, uniform = linear_positional(model), uniform_attention(model)
    assert np.all(np.abs(target.mean(axis=2) - baseline.matrix) < 3 * target.std(axis=2) / np.sqrt(target.shape[2]))
    for value, centre in ((baseline.test_error, baseline.matrix), (uniform.test_error, np.full((2, 2), 0.5))):
        squares = np.sum(PREPARED_TRACES[:, None] * (target - centre[:, :, None]) ** 2, axis=(0, 1)) / 2
        assert abs(squares.mean() - value) < 3 * squares.std() / np.sqrt(squares.size)


def test_least_squares_on_data_finds_the_baseline():
    # Not E[T] but the optimum itself: W regressed on sequences of dimension d, whose tokens have other covariances.
    d, n, rng = 600, 2000, np.random.default_rng(2)
    model = AttentionModel(0.0, target=linear_attention(), spectrum=PREPARED, teacher_rank=2)
    blocks = [slice(0, d // 4), slice(d // 4, d)]
    teacher, deviations = np.empty((d, 2)), np.empty((2, d))
    for block, atom in zip(blocks, PREPARED.atoms, strict=True):
        own = rng.standard_normal((block.stop - block.start, 2))
        own = own @ np.linalg.inv(np.linalg.cholesky(own.T @ own / len(own))).T
        teacher[block] = own @ np.linalg.cholesky(np.array(atom.teacher_moments)).T
        deviations[:, block] = np.sqrt(np.array(atom.eigenvalues))[:, None]
    x = rng.standard_normal((n, 2, d)) * deviations
    h = x @ teacher / np.sqrt(d)
    grams = np.einsum("nid,njd->nij", x, x) / d
    target = h @ h.transpose(0, 2, 1)
    optimum = np.linalg.solve(grams.mean(axis=0).T, (target @ grams).mean(axis=0).T).T
    baseline = linear_positional(model)
    errors = np.einsum("nij,njk,nik->n", target - optimum, grams, target - optimum) / 2
    assert abs(errors.mean() - baseline.test_error) < 3 * errors.std() / np.sqrt(n)
    np.testing.assert_allclose(optimum, baseline.matrix, rtol=0, atol=0.1)


@pytest.mark.parametrize(
    "model",
    [
        long(3),
        long(3, target=lambda h: softmax(h * h.T) + sp.diag(*h)),
        long(4, sigma=0.5),
        AttentionModel(0.0, target=softmax_attention(2), teacher_rank=2, spectrum=PREPARED),
    ],
)
def test_sobol_points_agree_with_grids(model):
    target = target_function(model)
    grid, sobol = trapezoidal_moments(target), sobol_moments(target, points=2**14)
    assert abs(sobol.variance - grid.variance) < 1.5 * sobol.variance_error + grid.variance_error
    assert np.max(np.abs(sobol.mean - grid.mean)) < 2 * sobol.mean_error
    assert 1e-6 < sobol.variance_error / sobol.variance < 1e-3


def test_more_than_five_tokens_agree_with_monte_carlo():
    model = long(7, sigma=0.8)
    baseline = linear_positional(model)
    h = 0.8 * np.random.default_rng(3).standard_normal((7, 50_000))
    powers = np.exp(h[:, None] * h[None])
    target = powers / powers.sum(axis=1, keepdims=True)
    squares = 0.64 / 7 * np.sum((target - baseline.matrix[:, :, None]) ** 2, axis=(0, 1))
    assert abs(squares.mean() - baseline.test_error) < 3 * squares.std() / np.sqrt(squares.size)
    assert 0 < baseline.error < 1e-4 * baseline.test_error
    assert linear_positional(model).test_error == baseline.test_error


def test_results_are_smooth_in_parameters():
    # Differences of results, although each is off by more than they are.
    def value(sigma):
        model = long(3, teacher_rank=2, sigma=sigma, target=softmax_attention(KAPPA), parameters={"kappa": 0.5})
        return linear_positional(model)

    results = [value(0.6 + step) for step in (-2e-7, -1e-7, 1e-7, 2e-7)]
    e = [x.test_error for x in results]
    assert (e[2] - e[1]) / 2e-7 == pytest.approx((e[3] - e[0]) / 4e-7, rel=1e-6)
    assert 0 < 10 * (e[3] - e[0]) < results[0].error


@pytest.mark.parametrize(
    "plain",
    [
        AttentionModel.paper(omega=0.3, positional_matrix=((0.3, 0.7), (0.8, 0.2))),
        AttentionModel(0.2, sigma=10.0),
        AttentionModel(0.4, 0.4, positional_matrix=np.eye(3) - 0.2, positional_encoding=(1, 0, -1)),
    ],
)
def test_the_default_target_as_text_or_with_equal_spectrum_gives_the_same(plain):
    rest = {"positional_matrix": plain.positional_matrix, "positional_encoding": plain.positional_encoding}
    variances = Spectrum.isotropic(*[plain.token_variance] * plain.sequence_length)
    others = [
        AttentionModel(plain.omega, plain.sigma, target=written_out, **rest),
        AttentionModel(plain.omega, spectrum=variances, **rest),
        AttentionModel(plain.omega, plain.sigma, rank=2, attention=linear_attention(), **rest),
    ]
    for make in (linear_positional, uniform_attention):
        expected = make(plain)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for other in others:
                assert make(other).test_error == pytest.approx(expected.test_error, rel=1e-12)


def test_no_inverse_temperature_leaves_uniform_attention():
    def model(kappa):
        spectrum = Spectrum.isotropic(0.3, 0.7)
        return AttentionModel(0.0, target=softmax_attention(KAPPA), parameters={"kappa": kappa}, spectrum=spectrum)

    for make in (linear_positional, uniform_attention):
        assert make(model(0.0)).test_error < 1e-30
    np.testing.assert_allclose(linear_positional(model(0.0)).matrix, 0.5, rtol=1e-14)
    # S_11 = 1/2 + kappa h_1 (h_1 - h_2)/4 has variance kappa^2 (2 v_1^2 + v_1 v_2)/16; so has S_12, and S_2l likewise.
    row_sum = 2 * 0.3**2 + 2 * 0.7**2 + 2 * 0.21
    expected = (0.3 + 0.7) / 2 * 1e-6 / 16 * row_sum
    assert linear_positional(model(1e-3)).test_error == pytest.approx(expected, rel=1e-4)


def test_power_law_enters_by_its_trace():
    spectrum = Spectrum.power_law(1.2, 2)
    trace = spectrum.token_traces[0]
    expected = linear_positional(AttentionModel.paper(sigma=np.sqrt(trace))).test_error
    assert linear_positional(AttentionModel.paper(spectrum=spectrum)).test_error == pytest.approx(expected, rel=1e-12)


def test_targets_with_steps_and_special_functions():
    step = two_tokens(lambda h: sp.sign(h[0] - 3 * h[1] / 10 - sp.Rational(1, 5)))
    mean = 1 - 2 * norm.cdf(0.2 / 0.5 / np.sqrt(1.09))
    baseline = linear_positional(step)
    assert abs(baseline.test_error - (1 - mean**2) / 8) < baseline.error < 1e-3 * baseline.test_error
    # E erf(sx)^2 = 2/pi arcsin(2 s^2/(1 + 2 s^2)).
    smooth = linear_positional(two_tokens(lambda h: sp.erf(h[0])))
    assert smooth.test_error == pytest.approx(2 / np.pi * np.arcsin(1 / 3) / 8, rel=1e-12)


def test_a_target_without_variance_has_no_small_error():
    # E exp(2 k h_1 h_2) is finite for k < 1/(2 sigma^2) = 2 only.
    fine = linear_positional(two_tokens(lambda h: sp.exp(h[0] * h[1])))
    assert fine.test_error == pytest.approx((1 / np.sqrt(0.75) - 1 / (1 - 1 / 16)) / 8, rel=1e-9)
    wild = linear_positional(two_tokens(lambda h: sp.exp(3 * h[0] * h[1])))
    assert wild.error > wild.test_error / 2


@pytest.mark.parametrize("expression", [lambda h: sp.log(h[0] - 3), lambda h: sp.exp(sp.exp(h[0] ** 2))])
def test_what_is_not_finite_is_refused(expression):
    with pytest.raises(ValueError, match="target must be finite"):
        linear_positional(two_tokens(expression))


def test_a_symbol_without_a_value_is_refused():
    # One group of tokens has one trace R, two groups have R_1 and R_2.
    model = AttentionModel(0.0, target=lambda h: sp.Symbol("R") * h * h.T, spectrum=Spectrum.isotropic(0.2, 0.3))
    with pytest.raises(ValueError, match="'R', which has no value"):
        linear_positional(model)


@pytest.mark.parametrize("make", [linear_positional, uniform_attention])
def test_other_kinds_of_models_are_refused(make):
    model = MultiIndexModel(loss=lambda z, y: (y[0] - z[0]) ** 2 / 2, regularization=0.1)
    with pytest.raises(ValueError, match="must have an AttentionModel, got MultiIndexModel"):
        make(model)


def test_moments_are_read_only():
    moments = target_moments(LINEAR["variances"][0], "a test")
    for values in (moments.mean, moments.shares):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0.0


def test_the_default_target_needs_no_symbolic_algebra():
    code = (
        "import sys, replica, baselines; spectrum = replica.Spectrum.isotropic(0.2, 0.3);"
        "baselines.linear_positional(replica.AttentionModel(0.3, spectrum=spectrum, teacher_rank=2));"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "numpy" in loaded
    assert "sympy" not in loaded
