"""State evolution of Bayes-optimal recovery: derivation, closed forms, published thresholds, simulation."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from baselines import recovery
from replica import AttentionModel
from validation.message_passing.bayes import fields_up_to_sign, pass_bayes_messages


def averages(length, snr):
    """Return E[R^2 tanh^2 X] and E[log(1 + exp(-2 X))], X ~ N(s R^2, s R^2), R^2 chi-squared: two nested sums."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    t, density = np.polynomial.legendre.leggauss(300)
    t = 6 * (t + 1)
    density = density * t ** (length - 1) * np.exp(-(t**2) / 2)
    density /= density.sum()
    x = snr * t[:, None] ** 2 + np.sqrt(snr) * t[:, None] * nodes
    return density @ (t**2 * (np.tanh(x) ** 2 @ weights)), density @ (np.logaddexp(0, -2 * x) @ weights)


@pytest.mark.parametrize("length", [1, 2, 3, 6])
@pytest.mark.parametrize("overlap", [0.05, 0.4, 0.8])
def test_closed_form_is_the_posterior_mean_average(length, overlap):
    # q^ = alpha (E|h tanh(h.w/(1-r))|^2 - L r)/(1-r)^2 before any reduction but that to |h|.
    snr = overlap / (1 - overlap)
    expected = (averages(length, snr)[0] - length * overlap) / (1 - overlap) ** 2
    assert length * recovery.signal(overlap, length) / (1 - overlap) == pytest.approx(expected, rel=2e-6)


def test_posterior_mean_average_over_whole_vectors():
    generator, length, overlap = np.random.default_rng(0), 3, 0.6
    w = np.sqrt(overlap) * generator.standard_normal((400_000, length))
    h = w + np.sqrt(1 - overlap) * generator.standard_normal(w.shape)
    g = (h * np.tanh(np.sum(h * w, axis=1, keepdims=True) / (1 - overlap)) - w) / (1 - overlap)
    squares = np.sum(g**2, axis=1)
    expected = length * recovery.signal(overlap, length) / (1 - overlap)
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(squares.size)


def test_weak_recovery_by_expansion():
    # tanh^2 to the order needed, moments of N(g, g) with g = s R^2, moments of R^2 chi-squared with L degrees.
    s, g, length, alpha, x, t = sp.symbols("s g L alpha x t", positive=True)
    moments = [1]
    moment = sp.exp(g * t + g * t**2 / 2)
    moments = [sp.expand(sp.diff(moment, t, k).subs(t, 0)) for k in range(7)]
    series = sp.series(sp.tanh(x) ** 2, x, 0, 7).removeO()
    mean = sp.expand(sum(series.coeff(x, k) * moments[k] for k in range(7)))
    radius = [sp.prod([length + 2 * j for j in range(k)]) for k in range(9)]
    signal = sum(mean.coeff(g, k) * s**k * radius[k + 1] for k in range(3))
    precision = alpha * (1 + s) ** 2 * (signal - length * s / (1 + s))
    growth = sp.factor(sp.series(precision, s, 0, 3).removeO().coeff(s, 1))
    assert sp.simplify(growth - alpha * length * (length + 1)) == 0
    assert sp.solve(sp.Eq(growth.subs(length, 2), 1), alpha) == [sp.Rational(1, 6)]
    # The next order has the sign of a continuous transition.
    second = sp.series(precision, s, 0, 3).removeO().coeff(s, 2)
    assert sp.expand(second / (alpha * length)) == sp.expand(-(length**2) - 4 * length - 5)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_zero_overlap_grows_above_the_threshold_only(length):
    threshold = recovery.weak_recovery(length)
    for factor in (0.9, 0.99, 1.01, 1.1):
        start = 1e-7
        for _ in range(30):
            following = recovery.iterate(start, factor * threshold, length)
            assert following / start == pytest.approx(factor, rel=1e-4)
            start = following
    assert recovery.sample_complexity(1e-10, length) == pytest.approx(threshold, rel=1e-7)


def test_phase_retrieval_has_its_published_thresholds():
    # Real signal, no noise, Gaussian prior: 1/2, 1.128 and 1 (Barbier et al., PNAS 116, 5451 (2019), section 3).
    assert recovery.weak_recovery(1) == 0.5
    found = minimize_scalar(lambda r: -recovery.sample_complexity(r, 1), bounds=(0.5, 0.999), method="bounded")
    assert -found.fun == pytest.approx(1.128, abs=5e-4)
    # Between 1 and 1.128, recovering nothing more is a local maximum of the free entropy, recovering all the best.
    alpha, r = 1.06, np.linspace(0, 1 - 1e-9, 60)
    values = [recovery.free_entropy(x, alpha, 1) for x in r]
    assert 0 < np.argmax(values[:-5]) < 54
    assert recovery.free_entropy(1 - 1e-9, 1.2, 1) > recovery.free_entropy(1 - 1e-6, 1.2, 1)
    with pytest.raises(ValueError, match="two tokens or more"):
        recovery.overlap(0.7, 1)


@pytest.mark.parametrize("length", [2, 3, 4, 9])
def test_two_tokens_or_more_recover_continuously(length):
    r = np.linspace(0, 1, 101)
    alphas = np.array([recovery.sample_complexity(x, length) for x in r])
    assert np.all(np.diff(alphas) > 0)
    # Why: D is concave, since it is one minus a product of decreasing convex functions.
    assert np.all(np.diff([recovery.signal(x, length) for x in r], 2) < 0)
    assert alphas[0] == pytest.approx(1 / (length * (length + 1)), rel=1e-14)
    assert alphas[-1] == pytest.approx(1 / length, rel=1e-14)
    for x, alpha in zip(r[1:-1:20], alphas[1:-1:20], strict=True):
        assert recovery.overlap(alpha, length) == pytest.approx(x, abs=1e-12)
        assert recovery.overlap(alpha, length, nodes=80) == pytest.approx(x, abs=1e-12)
        # The fixed point is the maximum of the free entropy and attracts from both ends.
        values = [recovery.free_entropy(y, alpha, length) for y in (0.0, 0.9 * x, x, 1 - 0.9 * (1 - x), 1 - 1e-9)]
        assert np.argmax(values) == 2
        for start in (1e-3, 1 - 1e-6):
            for _ in range(6000):
                start = recovery.iterate(start, alpha, length)
            assert start == pytest.approx(x, abs=1e-6)


def test_approach_to_perfect_recovery_of_two_tokens():
    # E sech(Y) = (1/2) int sech(y) e^-y (1 + y) dy = (log 2 + pi^2/24)/2.
    rest = (mpmath.log(2) + mpmath.pi**2 / 24) / 2
    law = mpmath.quad(lambda y: mpmath.sech(y) * mpmath.exp(-y) * (1 + y) / 2, [0, 1, 10, 60])
    assert float(law) == pytest.approx(float(rest), rel=1e-12)
    assert (1 - recovery.signal(1 - 1e-7, 2)) / 1e-7 == pytest.approx(float(rest), rel=1e-6)
    slope = (1 - recovery.overlap(0.5 - 1e-6, 2)) / 1e-6
    assert slope == pytest.approx(float(2 / (1 - rest)), rel=1e-4)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_free_entropy_is_that_of_prior_and_channel(length):
    alpha, overlap = 0.4, 0.6
    information = np.log(2) - averages(length, overlap / (1 - overlap))[1]
    prior = (overlap + np.log1p(-overlap)) / 2
    channel = -length / 2 * np.log1p(-overlap) - information
    assert recovery.free_entropy(overlap, alpha, length) == pytest.approx(prior + alpha * channel, rel=1e-5)


def test_law_of_the_average_is_the_product_of_two_normal_vectors():
    # Y = u . v with L + 2 components each has E exp(ikY) = (1 + k^2)^-(L+2)/2; sech is its own Fourier transform.
    length, overlap = 3, 0.7
    power, width = (length + 2) / 2, np.sqrt(overlap)
    expected = quad(lambda k: (1 + k**2) ** -power / np.cosh(np.pi * k / (2 * width)) / width, 0, 100)[0]
    rest = (1 - recovery.signal(overlap, length)) / (1 - overlap) ** (length / 2)
    assert rest == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_outputs_reveal_the_fields_up_to_a_sign(length):
    generator = np.random.default_rng(length)
    matrix = generator.normal(size=(length, length))
    model = AttentionModel(0.3, positional_matrix=matrix, positional_encoding=[1.0] * length)
    dimension = 50
    for _ in range(20):
        tokens = 0.5 * generator.standard_normal((length, dimension))
        h = tokens @ generator.standard_normal(dimension) / np.sqrt(dimension)
        powers = np.exp(np.outer(h, h))
        output = (0.7 * powers / powers.sum(axis=1, keepdims=True) + 0.3 * matrix) @ tokens
        target = np.linalg.lstsq(tokens.T, output.T, rcond=None)[0].T
        found = fields_up_to_sign(target, model)
        np.testing.assert_allclose(found * np.sign(found[0] * h[0]), h, rtol=1e-8, atol=1e-9)


def test_a_target_without_teacher_reveals_nothing():
    with pytest.raises(ValueError, match="omega must be below 1"):
        fields_up_to_sign(np.eye(2), AttentionModel.paper(omega=1.0))


def distance_of_message_passing(length, alpha, dimension, seeds):
    """Return how far mean overlaps are from the state evolution at every iteration, and their standard errors."""
    runs = [pass_bayes_messages(alpha, dimension, length, seed, start=0.2, iterations=25) for seed in range(seeds)]
    overlaps = [0.2]
    for _ in range(25):
        overlaps.append(recovery.iterate(overlaps[-1], alpha, length))
    measured = np.array([(run.teacher_overlap, run.self_overlap) for run in runs])
    return np.abs(measured.mean(axis=0) - overlaps), measured.std(axis=0, ddof=1) / np.sqrt(seeds)


@pytest.mark.parametrize(("length", "alpha"), [(2, 0.45), (3, 0.25)])
def test_message_passing_follows_the_state_evolution(length, alpha):
    distance, spread = distance_of_message_passing(length, alpha, 1000, 12)
    # Corrections of relative order 1/d are amplified near a continuous transition.
    assert np.all(distance < 4 * spread + 0.015)
    assert np.median(spread) < 0.02


@pytest.mark.parametrize(
    "alpha",
    [
        pytest.param(0.3, marks=pytest.mark.slow),
        *(pytest.param(alpha, marks=pytest.mark.measurement) for alpha in (0.35, 0.4)),
    ],
)
def test_message_passing_follows_the_state_evolution_closely(alpha):
    distance, spread = distance_of_message_passing(2, alpha, 3000, 16)
    assert np.all(distance < 4 * spread + 0.005)
    assert np.max(spread) < 0.025


def test_message_passing_forgets_below_the_threshold_and_finds_all_above_the_other():
    assert pass_bayes_messages(0.1, 1000, 2, 0, start=0.3, iterations=60).self_overlap[-1] < 0.02
    assert pass_bayes_messages(0.6, 1000, 2, 0, start=0.3, iterations=60).cosine[-1] > 0.9999
