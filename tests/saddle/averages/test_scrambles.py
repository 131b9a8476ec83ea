"""What errors of scrambled points cover: as much as a standard deviation does, however few scrambles there are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from saddle.averages.rules.few_replicas import ONE_DEVIATION, standard_errors_for
from saddle.averages.rules.outer import OuterNodes
from saddle.averages.rules.sobol import SobolRule

DIMENSION = 5
# Two averages that are known: of a smooth function, and of one that bends across no coordinate.
KNOWN = {
    "smooth": (lambda x: np.cos(x @ np.array([0.5, -0.4, 0.3, 0.6, 0.2])), np.exp(-0.45)),
    "bent": (lambda x: np.maximum(x.sum(axis=1) / np.sqrt(5.0), 0.0), norm.pdf(0.0)),
}


def errors_in_scrambles(function, exact: float, scrambles: int) -> np.ndarray:
    """Errors over stated errors of many rules of so many scrambles, of eight points each."""
    nodes = [SobolRule(points=8, scrambles=240, seed=seed).outer(DIMENSION, 0, ()) for seed in range(12)]
    means = np.concatenate([x.embedded @ function(x.nodes) for x in nodes]).reshape(scrambles, -1)
    rule = OuterNodes(np.zeros((0, DIMENSION)), np.zeros(0), np.zeros((scrambles, 0)), None)
    return (means.mean(axis=0) - exact) / rule.error(means - means.mean(axis=0))


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("scrambles", [2, 4, 8])
def test_errors_cover_as_often_as_a_standard_deviation(name, scrambles):
    found = errors_in_scrambles(*KNOWN[name], scrambles)
    within, expected = np.mean(np.abs(found) <= 1.0), 1.0 - ONE_DEVIATION
    scatter = np.sqrt(expected * (1.0 - expected) / len(found))
    assert abs(within - expected) < 4.0 * scatter
    # Three of them cover less than three standard deviations: that is Student's law, which no factor takes away.
    rare = standard_errors_for(ONE_DEVIATION, scrambles) * 3.0
    beyond = 2.0 * t.sf(rare, scrambles - 1)
    assert abs(np.mean(np.abs(found) > 3.0) - beyond) < 4.0 * np.sqrt(beyond / len(found)) + 0.01


def test_a_standard_error_alone_covers_too_little():
    """So the law above would fail without the factor: with four scrambles it covers 61 %, with two half."""
    for scrambles, covered in ((2, 0.50), (4, 0.61)):
        found = errors_in_scrambles(*KNOWN["smooth"], scrambles)
        times = standard_errors_for(ONE_DEVIATION, scrambles)
        assert np.mean(np.abs(found) * times <= 1.0) == pytest.approx(covered, abs=0.05)


def test_the_factor_is_a_quantile_of_students_law():
    for scrambles in (2, 4, 16, 300):
        times = standard_errors_for(ONE_DEVIATION, scrambles)
        assert 2.0 * t.sf(times, scrambles - 1) == pytest.approx(2.0 * norm.sf(1.0), rel=1e-10)
