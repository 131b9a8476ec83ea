"""Newton's method on problems that have nothing to do with attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from saddle.continuation.newton import OutsideDomain, newton
from saddle.continuation.outcomes import Outcome


@dataclass(frozen=True)
class Point:
    residual: np.ndarray
    jacobian: np.ndarray
    scales: np.ndarray


def scalar(function, derivative, domain=lambda x: True):
    def problem(x):
        if not domain(x[0]):
            raise OutsideDomain(f"{x}")
        return Point(np.array([function(x[0])]), np.array([[derivative(x[0])]]), np.ones(1))

    return problem


def test_newton_converges_quadratically_on_a_square_root():
    result = newton(scalar(lambda x: x * x - 2, lambda x: 2 * x), np.array([1.0]), tolerance=1e-14)
    assert result.outcome is Outcome.CONVERGED
    assert result.x[0] == pytest.approx(np.sqrt(2), abs=1e-14)
    assert result.evaluations <= 6


def test_newton_stays_in_the_domain():
    problem = scalar(lambda x: np.log(x), lambda x: 1 / x, domain=lambda x: x > 0)
    result = newton(problem, np.array([4.0]))
    assert result.outcome is Outcome.CONVERGED
    assert result.x[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("problem", "start", "outcome"),
    [
        (scalar(lambda x: x * x + 1, lambda x: 2 * x), 0.7, Outcome.MAX_STEPS),
        (scalar(lambda x: x * x + 1, lambda x: 2 * x), 0.0, Outcome.SINGULAR),
        (scalar(lambda x: np.nan, lambda x: 1.0), 0.0, Outcome.NOT_FINITE),
        (scalar(lambda x: x, lambda x: 1.0, domain=lambda x: False), 1.0, Outcome.LEFT_DOMAIN),
        (scalar(lambda x: 1.0 + x, lambda x: 1.0, domain=lambda x: x >= 0), 0.0, Outcome.LEFT_DOMAIN),
    ],
)
def test_newton_names_its_failures(problem, start, outcome):
    assert newton(problem, np.array([start])).outcome is outcome
