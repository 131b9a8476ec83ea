"""The general engine on problems that have nothing to do with attention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from saddle.continuation.newton import OutsideDomain, newton
from saddle.following import follow
from saddle.outcomes import Outcome


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


def pitchfork(x, mu):
    """F = x^3 - (mu - 1) x + tilt-free: branches x = 0 and x = +-sqrt(mu - 1), with a passive unknown y = mu."""
    a, y = x
    return Point(
        np.array([a**3 - (mu - 1) * a, y - mu]),
        np.array([[3 * a * a - (mu - 1), 0.0], [0.0, 1.0]]),
        np.ones(2),
    )


def solve_pitchfork(x, mu):
    return newton(lambda y: pitchfork(y, mu), x, tolerance=1e-12)


def test_following_a_branch_down_to_its_pitchfork():
    grid = np.linspace(2.9, 0.5, 25)
    points = list(follow(solve_pitchfork, [(3.0, np.array([np.sqrt(2), 3.0]))], grid, odd=[0]))
    assert [point.parameter for point in points] == list(grid)
    for point in points:
        if point.parameter > 1.0 + 1e-9:
            assert point.outcome is Outcome.CONVERGED
            assert point.result.x[0] == pytest.approx(np.sqrt(point.parameter - 1), rel=1e-9)
        else:
            assert point.outcome is Outcome.LOST
            assert point.result is None


def test_following_a_branch_up_from_its_pitchfork():
    start = [(1.0, np.array([0.0, 1.0])), (1.1, np.array([np.sqrt(0.1), 1.1]))]
    points = list(follow(solve_pitchfork, start, np.linspace(1.2, 4.0, 15), odd=[0]))
    assert all(point.outcome is Outcome.CONVERGED for point in points)
    assert points[-1].result.x[0] == pytest.approx(np.sqrt(3.0), rel=1e-12)


def test_a_branch_is_not_followed_past_its_fold():
    # mu + x - x^3 (cusp with lam = 1): the lower branch ends at mu = 0.3849001794597505 going up.
    def solve(x, mu):
        return newton(scalar(lambda y: mu + y - y**3, lambda y: 1 - 3 * y * y), x, tolerance=1e-12)

    fold = 2 / (3 * np.sqrt(3))
    start = solve(np.array([-1.2]), -0.5)
    points = list(follow(solve, [(-0.5, start.x)], np.linspace(-0.45, 0.6, 22)))
    for point in points:
        expected = Outcome.CONVERGED if point.parameter < fold else Outcome.LOST
        assert point.outcome is expected, point.parameter
        if point.result is not None:
            assert point.result.x[0] < 0.0  # never on the other branch


def test_order_of_the_grid_does_not_matter_to_the_solutions():
    up = {}
    for grid in (np.linspace(1.5, 3.0, 4), np.linspace(1.5, 3.0, 31)):
        for point in follow(solve_pitchfork, [(1.4, np.array([np.sqrt(0.4), 1.4]))], grid, odd=[0]):
            up.setdefault(round(point.parameter, 9), []).append(point.result.x[0])
    assert any(len(values) == 2 for values in up.values())
    for values in up.values():
        np.testing.assert_allclose(values, values[0], rtol=1e-11)
