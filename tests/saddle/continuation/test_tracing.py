"""Laws of tracing: direction, steps, closed curves, bounds, stops, landings, and no jumps between branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Stop, trace, trace_both_ways
from saddle.continuation.outcomes import Outcome
from saddle.continuation.special_points.special_point import SpecialPointKind
from tests.saddle.continuation.test_branching import scalar
from tests.saddle.continuation.textbook import SHARP, branch, cusp, enzyme, located, rate


@dataclass(frozen=True)
class Circle:
    """x^2 / a^2 + y^2 = 1 in any units."""

    axis: float = 1.0
    noise: float = 1e-14

    def evaluate(self, y):
        x = y[0] / self.axis
        return CurveEvaluation(np.array([x * x + y[1] ** 2 - 1]), np.array([[2 * x / self.axis, 2 * y[1]]]), np.ones(1))

    def units(self, y):
        return np.array([self.axis, 1.0])


@pytest.mark.parametrize("axis", [1.0, 1e6, 1e-6])
def test_a_circle_closes(axis):
    system = Circle(axis)
    curve = trace_both_ways(system, np.array([axis, 0.1]), toward=np.array([0, 1.0]), control=SHARP)
    assert curve.endings == (Outcome.CLOSED, Outcome.CLOSED)
    assert curve.points[0] is curve.points[-1]
    x, y = (curve.values / [axis, 1]).T
    np.testing.assert_allclose(x * x + y * y, 1, atol=1e-11)
    angle = np.unwrap(np.arctan2(y, x))
    assert np.all(np.diff(angle) > 0)
    assert angle[-1] - angle[0] == pytest.approx(2 * np.pi, abs=1e-9)
    assert curve.evaluations <= 140


@dataclass(frozen=True)
class Hairpin:
    """x^2 = width^2 (1 + y^2): two arms that pass each other closely, and never meet."""

    width: float
    noise: float = 1e-14

    def evaluate(self, y):
        return CurveEvaluation(
            np.array([(y[0] / self.width) ** 2 - 1 - y[1] ** 2]),
            np.array([[2 * y[0] / self.width**2, -2 * y[1]]]),
            np.array([1 / self.width]),
        )

    def units(self, y):
        return np.ones(2)


@pytest.mark.parametrize("width", [0.05, 0.01])
def test_the_arms_of_a_hyperbola_are_not_mixed_and_do_not_close(width):
    for side in (1.0, -1.0):
        curve = trace_both_ways(
            Hairpin(width), np.array([side * 3.2 * width, -3.0]), toward=np.array([0, 1.0]),
            bounds=[Bounds(1, -4, 4)], control=StepControl(tolerance=1e-11),
        )  # fmt: skip
        assert curve.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
        assert np.all(curve.values[:, 0] * side > 0)


@pytest.mark.parametrize("gap", [0.05, 0.02, 0.01])
@pytest.mark.parametrize("coupling", [0.0, 1e-4, 1e-3])
def test_nearly_parallel_branches_are_never_mixed(gap, coupling):
    """(x - g)(x - g - gap) = coupling: whatever step is allowed, a curve stays on the branch it started on."""
    half = np.sqrt(gap**2 / 4 + coupling)
    problem = scalar(
        lambda x, p: (x - np.sin(3 * p)) * (x - np.sin(3 * p) - gap) - coupling,
        lambda x, p: 2 * (x - np.sin(3 * p)) - gap,
        lambda x, p: -3 * np.cos(3 * p) * (2 * (x - np.sin(3 * p)) - gap),
    )
    for side in (1, -1):
        for largest in (0.5, 2.0):
            _, curve, special_points = branch(
                problem, [np.sin(-6.0) + gap / 2 + side * half], [-2.0], (-2, 2),
                control=StepControl(tolerance=1e-12, largest=largest),
            )  # fmt: skip
            x, p = curve.values.T
            np.testing.assert_allclose(x - np.sin(3 * p) - gap / 2, side * half, atol=1e-8)
            assert (p[0], p[-1]) == (-2, 2)
            assert not special_points


@pytest.mark.parametrize("gap", [0.05, 0.02])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_three_parallel_branches_are_not_mixed(gap, number):
    """A step across two of them would keep the orientation: only the distance from the prediction tells."""

    def parts(x, p):
        away = x - np.sin(3 * p) - gap * np.arange(3)
        return away, away[1] * away[2] + away[0] * away[2] + away[0] * away[1]

    problem = scalar(
        lambda x, p: np.prod(parts(x, p)[0]),
        lambda x, p: parts(x, p)[1],
        lambda x, p: -3 * np.cos(3 * p) * parts(x, p)[1],
    )
    for largest in (0.5, 2.0):
        control = StepControl(tolerance=1e-13, largest=largest)
        _, curve, special_points = branch(problem, [np.sin(-6.0) + number * gap], [-2.0], (-2, 2), control=control)
        x, p = curve.values.T
        np.testing.assert_allclose(x - np.sin(3 * p), number * gap, atol=1e-8)
        assert (p[0], p[-1]) == (-2, 2)
        assert not special_points


@pytest.mark.parametrize("coupling", [1e-2, 1e-3, 1e-4, -1e-3])
def test_an_imperfect_crossing_is_not_crossed(coupling):
    """(x - p)(x + p) = coupling: a gap where two branches would cross."""
    problem = scalar(lambda x, p: x * x - p * p - coupling, lambda x, p: 2 * x, lambda x, p: -2 * p)
    _, curve, special_points = branch(problem, [-np.sqrt(4 + coupling)], [-2.0], (-2, 2))
    x, p = curve.values.T
    assert not any(special.kind is SpecialPointKind.BRANCH_POINT for special in special_points)
    if coupling > 0:  # passes below, without turning back
        assert np.all(x < 0)
        assert p[-1] == 2
        assert not special_points
    else:  # turns back
        assert np.all(p < 0)
        assert p[-1] == p[0] == -2
        np.testing.assert_allclose(located(special_points, SpecialPointKind.FOLD), [-np.sqrt(-coupling)], rtol=1e-9)


CONTROLS = [
    SHARP,
    StepControl(tolerance=1e-12, largest=0.07),
    StepControl(tolerance=1e-12, initial=0.3, largest=3.0),
    StepControl(tolerance=1e-12, angle=0.15, drift=0.005),
]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_special_points_do_not_depend_on_direction_or_steps(control, sign):
    _, curve, special_points = branch(
        enzyme(), [0.01, 0.01], [0.01 + 100 * rate(0.01)], (0.5, 50), sign=sign, control=control
    )
    order = [34.3569249985, 34.2228865442, 22.1816379261, 18.8870676579]
    assert all(special.resolved for special in special_points)
    assert curve.values[0, -1] == (0.5 if sign > 0 else 50)
    np.testing.assert_allclose([special.parameter for special in special_points], order[:: int(sign)], rtol=1e-9)


def test_one_direction_is_one_half_of_both():
    problem = Circle()
    start, toward = np.array([1.0, 0.0]), np.array([0, 1.0])
    both = trace_both_ways(problem, start, toward=toward, bounds=[Bounds(0, 0.0, 2.0)], control=SHARP)
    up = trace(problem, start, toward=toward, bounds=[Bounds(0, 0.0, 2.0)], control=SHARP)
    down = trace(problem, start, toward=-toward, bounds=[Bounds(0, 0.0, 2.0)], control=SHARP)
    assert (up.endings, down.endings) == ((Outcome.STARTED, Outcome.AT_BOUND),) * 2
    np.testing.assert_allclose(both.values, np.vstack([down.values[:0:-1], up.values]), atol=1e-13)
    np.testing.assert_allclose(both.values[[0, -1]], [[0, -1], [0, 1]], atol=1e-11)
    for before, point in zip(both.points, both.points[1:], strict=False):
        assert (point.y - before.y) @ before.tangent > 0
        assert (point.y - before.y) @ point.tangent > 0


def test_bounds_are_landed_on_also_at_the_start_and_from_outside():
    line = scalar(lambda x, p: x - p, lambda x, p: 1.0, lambda x, p: -1.0)
    _, at_bound, _ = branch(line, [0.0], [0.0], (0.0, 1.0))
    assert at_bound.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
    assert at_bound.values[-1, -1] == 1.0
    assert abs(at_bound.values[0, -1]) < 1e-12
    assert at_bound.evaluations < 20
    _, from_outside, _ = branch(line, [-0.3], [-0.3], (0.0, 1.0))
    assert from_outside.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
    assert from_outside.values[0, -1] == pytest.approx(-0.3)
    assert from_outside.values[-1, -1] == 1.0


def test_stops_keep_or_drop_the_point_that_meets_them():
    line = scalar(lambda x, p: x - p, lambda x, p: 1.0, lambda x, p: -1.0)
    for keep in (False, True):
        stop = Stop("half", lambda _, after: after.y[-1] > 0.5, keep)
        _, curve, _ = branch(line, [0.0], [0.0], (-1, 1), stops=[stop])
        assert curve.endings == (Outcome.AT_BOUND, Outcome.STOPPED)
        assert curve.stops == ("", "half")
        assert (curve.values[-1, -1] > 0.5) == keep
        assert (curve.beyond[1] is None) == keep
        assert curve.extended[-1].y[-1] > 0.5
        assert curve.beyond[0] is None


def test_a_stop_in_the_step_that_meets_a_bound_comes_first():
    line = scalar(lambda x, p: x - p, lambda x, p: 1.0, lambda x, p: -1.0)
    stop = Stop("late", lambda _, after: after.y[-1] > 0.99)
    _, curve, _ = branch(line, [0.0], [0.0], (-1, 1), stops=[stop])
    assert curve.endings == (Outcome.AT_BOUND, Outcome.STOPPED)
    assert np.all(curve.values[:, -1] <= 0.99)


def test_landings_are_all_found_also_between_a_fold_and_the_points_beside_it():
    problem = cusp()
    section, curve, special_points = branch(problem, [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2))
    fold = max(located(special_points, SpecialPointKind.FOLD))
    for value in (0.0, 0.2, fold - 1e-6):
        points = curve.landings(section, 1, [value], 1e-12)
        roots = np.roots([-1, 0, 1, value])
        assert all(point is not None and point.y[1] == pytest.approx(value, abs=1e-15) for point in points)
        found = sorted(point.y[0] for point in points if point is not None)
        np.testing.assert_allclose(found, np.sort(roots.real), atol=1e-6 if value > 0.3 else 1e-9)
    # Just beyond the fold only the third root is left; interpolation may promise two more, which fail by name.
    assert len([point for point in curve.landings(section, 1, [fold + 1e-6]) if point is not None]) == 1
    several = curve.landings(section, 1, [1.5, -1.5, 0.0])
    assert [point.y[1] for point in several if point is not None] == pytest.approx([-1.5, 0, 0, 0, 1.5])


def test_a_landing_exactly_at_a_point_of_the_curve_is_found_once():
    problem = cusp()
    section, curve, _ = branch(problem, [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2))
    for point in curve.points:
        (landed,) = curve.landings(section, 0, [float(point.y[0])])
        assert landed is not None
        np.testing.assert_allclose(landed.y, point.y, atol=1e-9)


def test_report_is_told_every_new_point_in_order():
    told = []
    curve = trace(
        Circle(), np.array([1.0, 0.0]), toward=np.array([0, 1.0]), bounds=[Bounds(0, 0.0, 2.0)], report=told.append
    )
    assert [id(point) for point in told] == [id(point) for point in curve.points[1:]]


def test_the_number_of_points_is_limited():
    curve = trace_both_ways(Circle(), np.array([1.0, 0.0]), control=StepControl(max_points=5))
    assert curve.endings == (Outcome.MAX_POINTS, Outcome.MAX_POINTS)
    assert len(curve.points) == 9
