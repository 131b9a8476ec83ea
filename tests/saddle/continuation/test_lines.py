"""Lines in two parameters: folds, pitchforks, first-order transitions and where they end."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.tracing import Stop, trace_both_ways
from saddle.continuation.outcomes import Outcome
from saddle.continuation.problem import FunctionProblem
from saddle.continuation.special_points.defining_systems import EqualPotentials, FoldPoints, SymmetryBreakingPoints
from saddle.continuation.special_points.first_order_lines import end_of_line, first_order_line
from saddle.continuation.special_points.locating import solve_square
from saddle.continuation.special_points.special_point import SpecialPointKind
from saddle.continuation.subspaces import symmetry_blocks
from tests.saddle.continuation.textbook import SHARP, Counted, Transformed, blume_capel, branch, cusp, located

TRICRITICAL = np.array([1 / 3, 2 / 3 * np.log(2)])


def whole(problem):
    """The block of all unknowns."""
    return symmetry_blocks(problem, np.full(problem.size, 0.7))[0]


def cusps():
    return [cusp(), Transformed.random(cusp(), 1), Transformed.random(cusp(), 2, bend=0.2)]


def there(problem, x):
    x = np.array([x], dtype=float)
    return problem.there(x) if isinstance(problem, Transformed) else x


@pytest.mark.parametrize("problem", cusps(), ids=["plain", "linear", "bent"])
def test_the_folds_of_the_cusp_lie_on_one_smooth_line_through_it(problem):
    counted = Counted(problem)
    system = FoldPoints(counted, whole(problem), np.zeros(2), (0, 1))
    start = system.join(there(problem, 0.6), np.array([-0.38, 1.0]))
    curve = trace_both_ways(system, start, toward=np.array([0, 0, 1.0]), bounds=[Bounds(2, -2, 2)], control=SHARP)
    mu, lam = curve.values[:, 1:].T
    assert curve.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
    np.testing.assert_allclose(27 * mu**2, 4 * lam**3, rtol=1e-9, atol=1e-11)
    assert mu.min() < -1 < 1 < mu.max()
    assert lam[0] == lam[-1] == 2
    assert lam.min() < 0.01
    assert counted.count == 3 * curve.evaluations
    assert counted.count <= 480


def test_two_of_three_parameters_may_vary_and_a_line_of_folds_may_close():
    """The folds of x^2 = a - b^2 - c^2 at a = 1 are the unit circle of (b, c), which turns back in both."""
    problem = FunctionProblem(
        size=1,
        residual=lambda x, p: np.array([x[0] ** 2 - p[0] + p[1] ** 2 + p[2] ** 2]),
        jacobian=lambda x, p: np.array([[2.0 * x[0]]]),
        parameter_derivatives=lambda x, p: np.array([[-1.0, 2.0 * p[1], 2.0 * p[2]]]),
    )
    system = FoldPoints(problem, symmetry_blocks(problem, np.array([0.7]))[0], np.array([1.0, 0.0, 0.0]), (1, 2))
    curve = trace_both_ways(system, np.array([0.0, 0.9, 0.4]), toward=np.array([0.0, 0.0, 1.0]), control=SHARP)
    assert curve.endings == (Outcome.CLOSED, Outcome.CLOSED)
    np.testing.assert_allclose(np.linalg.norm(curve.values[:, 1:], axis=1), 1.0, atol=1e-9)
    assert np.all(np.ptp(curve.values[:, 1:], axis=0) > 1.9)


def maxwell_of_the_cusp(problem):
    system = EqualPotentials(problem, whole(problem), whole(problem), np.zeros(2), (0, 1))
    start = system.join(there(problem, 1.1), np.array([1.0]), np.array([0.02, 1.05]))
    start[1] = there(problem, -0.9)[0]
    curve = first_order_line(system, start, toward=np.array([0, 0, 0, 1.0]), bounds=[Bounds(3, 0, 2)], control=SHARP)
    return system, curve


@pytest.mark.parametrize("problem", cusps(), ids=["plain", "linear", "bent"])
def test_the_first_order_line_of_the_cusp_ends_at_it(problem):
    counted = Counted(problem)
    system, curve = maxwell_of_the_cusp(counted.inner)
    np.testing.assert_allclose(curve.values[:, 2], 0, atol=1e-11)
    assert curve.endings == (Outcome.STOPPED, Outcome.AT_BOUND)
    assert end_of_line(system, curve, at_start=False) is None
    system = EqualPotentials(counted, system.first, system.second, np.zeros(2), (0, 1))
    end = end_of_line(system, curve, at_start=True)
    assert end is not None
    assert np.all(np.abs(end.parameters) <= end.error)
    assert np.all(end.error < 1e-7)
    assert counted.count <= 350


@pytest.fixture(scope="module")
def tricritical_line():
    """The first-order line of the Blume-Capel model from T = 0.15 to its end, found from T = 0.25."""
    problem = Counted(blume_capel())
    ordered, disordered = whole(problem.inner), symmetry_blocks(problem, np.zeros(1))[0]
    at_quarter = EqualPotentials(problem, ordered, disordered, np.array([0.25, 0]), (1,))
    point = solve_square(at_quarter, np.array([0.9, 0.47]), 1e-13)
    assert point.outcome is Outcome.CONVERGED
    system = EqualPotentials(problem, ordered, disordered, np.array([0.25, 0]), (0, 1))
    curve = first_order_line(
        system,
        np.array([point.y[0], 0.25, point.y[1]]),
        toward=np.array([0, 1.0, 0]),
        bounds=[Bounds(1, 0.15, 0.4)],
        control=SHARP,
    )
    return problem, system, curve, point


def coexistence(t):
    """Independent: by bisection in the ordered phase's m, along which the field is known in closed form."""

    def field(m):
        return t * np.log(2 * np.sinh(m / t) / m - 2 * np.cosh(m / t))

    def free_energy(m, d):
        return m * m / 2 - t * np.log(1 + 2 * np.exp(-d / t) * np.cosh(m / t))

    def difference(m):
        return free_energy(m, field(m)) - free_energy(0.0, field(m))

    highest = brentq(lambda m: np.tanh(m / t) - m, 0.5, 1) * (1 - 1e-9)
    grid = np.linspace(highest, 0.05, 200)
    below = next(m for m in grid if difference(m) > 0)
    return field(brentq(difference, below, highest, xtol=1e-15))


def test_the_first_order_transition_at_one_temperature(tricritical_line):
    *_, point = tricritical_line
    assert point.y[-1] == pytest.approx(0.476265836632844, rel=1e-9)
    assert abs(point.y[-1] - 0.476265836632844) <= point.error[-1] + 1e-15


def test_the_first_order_line_against_bisection(tricritical_line):
    _, system, curve, _ = tricritical_line
    temperatures = [0.18, 0.22, 0.26, 0.3, 0.32]
    landed = curve.landings(system, 1, temperatures, tolerance=1e-12)
    assert len(landed) == len(temperatures)
    for t, point in zip(temperatures, landed, strict=True):
        assert point is not None
        assert point.y[1] == pytest.approx(t, abs=1e-14)
        assert point.y[2] == pytest.approx(coexistence(t), rel=1e-9)


def test_the_first_order_line_ends_at_the_tricritical_point(tricritical_line):
    problem, system, curve, _ = tricritical_line
    assert curve.endings == (Outcome.AT_BOUND, Outcome.STOPPED)
    before = problem.count
    end = end_of_line(system, curve, at_start=False)
    assert end is not None
    np.testing.assert_allclose(end.parameters, TRICRITICAL, rtol=1e-9)
    assert np.all(np.abs(end.parameters - TRICRITICAL) <= end.error)
    assert np.all(end.error < 1e-7)
    assert problem.count - before <= 330
    assert end_of_line(system, curve, at_start=True) is None


def test_the_slope_of_a_first_order_line_is_that_of_clausius_and_clapeyron(tricritical_line):
    _, _, curve, _ = tricritical_line
    for point in curve.points:
        ordered, disordered = point.evaluation.detail
        jump = ordered.potential_derivatives - disordered.potential_derivatives
        assert point.tangent[2] / point.tangent[1] == pytest.approx(-jump[0] / jump[1], rel=1e-9)


def test_the_line_of_pitchforks():
    problem = Counted(blume_capel())
    symmetric, odd = symmetry_blocks(problem, np.zeros(1))
    system = SymmetryBreakingPoints(problem, symmetric, np.zeros(2), (0, 1), odd)
    curve = trace_both_ways(
        system, np.array([0.25, 0.44]), toward=np.array([1.0, 0]), bounds=[Bounds(0, 0.1, 0.6)], control=SHARP
    )
    t, d = curve.values.T
    assert (t[0], t[-1]) == (0.1, 0.6)
    np.testing.assert_allclose(d, t * np.log(2 / t - 2), rtol=1e-9)
    assert problem.count <= 400


def test_the_line_of_folds_ends_at_the_tricritical_point():
    problem = blume_capel()
    _, _, special_points = branch(
        problem, [0.99], [0.25, 0.2], (0.2, 0.7), 1, stops=[Stop("symmetric", lambda _, b: b.y[0] < 0)]
    )
    (fold,) = [special for special in special_points if special.kind is SpecialPointKind.FOLD]
    system = FoldPoints(problem, whole(problem), np.zeros(2), (0, 1))
    curve = trace_both_ways(
        system,
        np.array([fold.x[0], 0.25, fold.parameter]),
        toward=np.array([-1.0, 0, 0]),
        bounds=[Bounds(1, 0.15, 0.5)],
        stops=[Stop("symmetric", lambda _, b: b.y[0] < 0)],
        control=SHARP,
    )
    assert curve.endings == (Outcome.AT_BOUND, Outcome.STOPPED)
    # Temperature and field are even in m along the line.
    wanted = np.sqrt(np.linspace(0.1, 0.5, 6) ** 2)
    points = [point.y for point in curve.landings(system, 0, wanted, tolerance=1e-12) if point is not None]
    assert len(points) == len(wanted)
    squares = np.array([y[0] ** 2 for y in points])
    weights = np.array([np.prod([b / (b - a) for j, b in enumerate(squares) if j != i]) for i, a in enumerate(squares)])
    np.testing.assert_allclose(weights @ np.array(points)[:, 1:], TRICRITICAL, rtol=1e-6)


def test_a_line_of_folds_does_not_depend_on_where_it_is_started():
    problem = blume_capel()
    system = FoldPoints(problem, whole(problem), np.zeros(2), (0, 1))
    found = []
    for t, other in ((0.25, 0.2), (0.2, 0.25)):
        _, _, special_points = branch(
            problem, [0.99], [t, 0.2], (0.2, 0.7), 1, stops=[Stop("symmetric", lambda _, b: b.y[0] < 0)]
        )
        (value,) = located(special_points, SpecialPointKind.FOLD)
        (x,) = [special.x[0] for special in special_points if special.kind is SpecialPointKind.FOLD]
        curve = trace_both_ways(
            system, np.array([x, t, value]), toward=np.array([0, other - t, 0]), bounds=[Bounds(1, 0.2, 0.25)],
            control=SHARP,
        )  # fmt: skip
        ends = sorted(curve.values[[0, -1]].tolist(), key=lambda y: y[1])
        assert [y[1] for y in ends] == [0.2, 0.25]
        found.append(ends)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
