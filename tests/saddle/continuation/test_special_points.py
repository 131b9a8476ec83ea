"""Special points that are hard to see: several in one step, at a curve's point, of users' functions, unresolved."""

from __future__ import annotations

import numpy as np
import pytest

from saddle.continuation.curve.curves import start_point
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import Curve
from saddle.continuation.outcomes import Outcome
from saddle.continuation.problem import FunctionProblem, Involution
from saddle.continuation.special_points.finding import find_special_points
from saddle.continuation.special_points.special_point import CurveFunction, SpecialPointKind
from saddle.continuation.subspaces import Section, symmetry_blocks
from tests.saddle.continuation.test_branching import scalar
from tests.saddle.continuation.textbook import SHARP, Counted, branch, cusp, located


def curve_through(problem, points):
    """A curve with given points, as if traced."""
    x = np.asarray(points[0][:-1], dtype=float)
    section = Section(problem, symmetry_blocks(problem, x)[0], np.zeros(1))
    found, along = [], None
    for point in points:
        y = section.coordinates(np.asarray(point[:-1], dtype=float), point[-1])
        if along is None:
            along = section.coordinates(np.asarray(points[1][:-1], dtype=float), points[1][-1]) - y
        found.append(start_point(section, y, section.evaluate(y), along))
        along = found[-1].tangent
    return section, Curve(tuple(found), (Outcome.AT_BOUND, Outcome.AT_BOUND))


def weak_cusp(lam):
    return scalar(lambda x, p: p + lam * x - x**3, lambda x, p: lam - 3 * x * x, lambda x, p: 1.0)


@pytest.mark.parametrize("lam", [0.03, 0.003])
def test_two_folds_in_one_step(lam):
    problem = weak_cusp(lam)
    points = [(x, x**3 - lam * x) for x in (-0.9, -0.5, -0.25, 0.25, 0.5)]
    section, curve = curve_through(problem, points)
    assert all(point.tangent[1] > 0 for point in curve.points)  # nothing shows at the points
    special_points = find_special_points(section, curve, tolerance=1e-12)
    value = 2 * (lam / 3) ** 1.5
    np.testing.assert_allclose(located(special_points, SpecialPointKind.FOLD), [-value, value], rtol=1e-8)
    assert len(special_points) == 2


def test_no_fold_where_there_is_none():
    problem = weak_cusp(-0.003)
    section, curve = curve_through(problem, [(x, x**3 + 0.003 * x) for x in (-0.9, -0.5, -0.25, 0.25, 0.5)])
    assert find_special_points(section, curve, tolerance=1e-12) == []


def double(declared):
    """x ((p - 1/2)^2 - 0.001 - x^2): two pitchforks that a step of the line x = 0 holds both."""
    return scalar(
        lambda x, p: x * ((p - 0.5) ** 2 - 1e-3 - x * x),
        lambda x, p: (p - 0.5) ** 2 - 1e-3 - 3 * x * x,
        lambda x, p: 2 * x * (p - 0.5),
        symmetric=declared,
    )


@pytest.mark.parametrize("declared", [True, False])
def test_two_branch_points_in_one_step(declared):
    section, curve = curve_through(double(declared), [(0.0, p) for p in (-0.2, 0.1, 0.4, 0.7, 1.0)])
    special_points = find_special_points(section, curve, tolerance=1e-12)
    kind = SpecialPointKind.PITCHFORK if declared else SpecialPointKind.BRANCH_POINT
    expected = 0.5 + np.array([-1, 1]) * np.sqrt(1e-3)
    np.testing.assert_allclose(located(special_points, kind), expected, rtol=1e-9)
    if declared:
        assert [special.unstable_side for special in special_points] == [-1, 1]


def test_a_fold_and_a_branch_point_in_one_step():
    """(p - x^2)(x - 0.1 - p / 10): the parabola turns at 0 and is crossed near x = 0.1."""

    def parts(x, p):
        return p - x * x, x - 0.1 - p / 10

    problem = scalar(
        lambda x, p: np.prod(parts(x, p)),
        lambda x, p: -2 * x * parts(x, p)[1] + parts(x, p)[0],
        lambda x, p: parts(x, p)[1] - parts(x, p)[0] / 10,
    )
    section, curve = curve_through(problem, [(x, x * x) for x in (-0.8, -0.5, -0.2, 0.25, 0.6)])
    special_points = find_special_points(section, curve, tolerance=1e-12)
    crossing = 5 - np.sqrt(24)  # where x = 0.1 + x^2 / 10
    assert [special.kind for special in special_points] == [SpecialPointKind.FOLD, SpecialPointKind.BRANCH_POINT]
    assert abs(special_points[0].parameter) < 1e-9
    assert special_points[1].parameter == pytest.approx(crossing**2, rel=1e-9)
    assert all(special.resolved for special in special_points)


def test_where_a_branch_turns_back_at_a_crossing_there_is_no_fold():
    """The branch p = x^2 of x (p - x^2) through the pitchfork, its symmetry undeclared."""
    problem = scalar(lambda x, p: x * (p - x * x), lambda x, p: p - 3 * x * x, lambda x, p: x)
    _, curve, special_points = branch(problem, [-0.9], [0.81], (-1, 1), sign=-1.0)
    assert curve.values[-1, 0] == pytest.approx(1)
    (special,) = special_points
    assert special.kind is SpecialPointKind.BRANCH_POINT
    assert special.resolved
    assert abs(special.parameter) <= special.error < 1e-9


@pytest.mark.parametrize("declared", [True, False])
def test_an_special_exactly_at_a_point_of_the_curve_is_found_once(declared):
    problem = scalar(lambda x, p: x * (p - x * x), lambda x, p: p - 3 * x * x, lambda x, p: x, symmetric=declared)
    kind = SpecialPointKind.PITCHFORK if declared else SpecialPointKind.BRANCH_POINT
    for values in ((-0.5, 0.0, 0.5), (0.0, 0.3, 0.6), (-0.6, -0.3, 0.0)):
        section, curve = curve_through(problem, [(0.0, p) for p in values])
        special_points = find_special_points(section, curve, tolerance=1e-12)
        np.testing.assert_allclose(located(special_points, kind), [0.0], atol=1e-10)
        assert len(special_points) == 1


def test_a_fold_exactly_at_a_point_of_the_curve_is_found_once():
    problem = scalar(lambda x, p: p - x * x, lambda x, p: -2 * x, lambda x, p: 1.0)
    section, curve = curve_through(problem, [(x, x * x) for x in (-0.5, -0.2, 0.0, 0.2, 0.5)])
    (special,) = find_special_points(section, curve, tolerance=1e-12)
    assert special.kind is SpecialPointKind.FOLD
    assert abs(special.parameter) <= special.error


def test_a_kernel_of_two_dimensions_on_a_curved_branch_without_sign_change():
    """Two equal odd directions beside u = p + u^3 / 3: the determinant has a double zero, at u = 0.4."""
    problem = FunctionProblem(
        3,
        lambda x, p: np.array([p[0] - x[0] - x[0] ** 3 / 3, *(x[1:] * (x[0] - 0.4 - x[1:] ** 2))]),
        lambda x, p: np.array(
            [
                [-1 - x[0] ** 2, 0, 0],
                [x[1], x[0] - 0.4 - 3 * x[1] ** 2, 0],
                [x[2], 0, x[0] - 0.4 - 3 * x[2] ** 2],
            ]
        ),
        lambda x, p: np.array([[1.0], [0.0], [0.0]]),
    )
    for symmetries in ((), (Involution(np.diag([1.0, -1.0, -1.0])),)):
        declared = FunctionProblem(
            3, problem.residual, problem.jacobian, problem.parameter_derivatives, symmetries=symmetries
        )
        _, curve, special_points = branch(declared, [0, 0, 0], [0.0], (-1, 1), control=StepControl(tolerance=1e-12))
        assert len({point.orientation for point in curve.points}) == 1
        (special,) = special_points
        assert special.resolved
        assert special.kernel.shape == (3, 2)
        assert special.parameter == pytest.approx(0.4 + 0.4**3 / 3, rel=1e-9)


def norm_reaches(value, with_gradient=True):
    return CurveFunction(
        "norm",
        lambda x, p, here: float(x @ x) - value,
        (lambda x, p, here: (2 * x, np.zeros(1))) if with_gradient else None,
    )


@pytest.mark.parametrize("with_gradient", [True, False])
def test_zeros_of_a_function_with_and_without_its_gradient(with_gradient):
    """x^2 = 1 / 2 on mu = x^3 - x, at x = -+ 1 / sqrt 2."""
    problem = weak_cusp(1.0)
    _, _, special_points = branch(
        problem, [-1.5], [1.5 - 1.5**3], (-2, 2), functions=[norm_reaches(0.5, with_gradient)]
    )
    zeros = [special for special in special_points if special.kind is SpecialPointKind.FUNCTION]
    assert [special.name for special in zeros] == ["norm", "norm"]
    assert all(special.resolved and special.error < 1e-10 for special in zeros)
    np.testing.assert_allclose([special.x[0] for special in zeros], [-np.sqrt(0.5), np.sqrt(0.5)], rtol=1e-9)
    np.testing.assert_allclose(
        [special.parameter for special in zeros], [np.sqrt(0.5) / 2, -np.sqrt(0.5) / 2], rtol=1e-9
    )
    kinds = [special.kind for special in special_points]
    assert kinds == [SpecialPointKind.FUNCTION, SpecialPointKind.FOLD, SpecialPointKind.FOLD, SpecialPointKind.FUNCTION]


def test_a_function_that_vanishes_at_a_point_of_the_curve_or_twice_in_a_step():
    line = scalar(lambda x, p: x - p, lambda x, p: 1.0, lambda x, p: -1.0)
    section, curve = curve_through(line, [(v, v) for v in (-0.5, 0.0, 0.5, 1.0)])
    zero = CurveFunction("zero", lambda x, p, here: float(x[0]))
    (special,) = find_special_points(section, curve, [zero], tolerance=1e-12)
    assert special.parameter == pytest.approx(0, abs=1e-12)
    twice = CurveFunction("twice", lambda x, p, here: float((x[0] - 0.2) * (x[0] - 0.3)))
    special_points = find_special_points(section, curve, [twice], tolerance=1e-12)
    np.testing.assert_allclose(located(special_points, SpecialPointKind.FUNCTION), [0.2, 0.3], rtol=1e-9)


def test_what_cannot_be_located_stays_with_its_bracket():
    """A function that jumps changes its sign, but has no zero."""
    problem = weak_cusp(1.0)
    jump = CurveFunction("jump", lambda x, p, here: 1.0 if x[0] > 0.1 else -1.0)
    _, curve, special_points = branch(problem, [-1.5], [1.5 - 1.5**3], (-2, 2), functions=[jump])
    folds = [special for special in special_points if special.kind is SpecialPointKind.FOLD]
    (special,) = [special for special in special_points if special.kind is SpecialPointKind.FUNCTION]
    assert len(folds) == 2
    assert all(fold.resolved for fold in folds)
    assert not special.resolved
    assert special.outcome is not Outcome.CONVERGED
    low, high = sorted(special.bracket)
    assert low <= 0.1**3 - 0.1 <= high
    assert low <= special.parameter <= high
    assert high - low <= np.max(np.abs(np.diff(curve.values[:, 1])))
    assert special.error >= high - low


def test_every_evaluation_of_a_located_special_is_counted():
    problem = Counted(cusp())
    section, curve, _ = branch(problem, [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2))
    problem.count = 0
    special_points = find_special_points(section, curve, tolerance=1e-12)
    assert sum(special.evaluations for special in special_points) == problem.count


def test_special_points_of_a_closed_curve_are_found_once_wherever_it_was_started():
    problem = scalar(lambda x, p: x * x + p * p - 1, lambda x, p: 2 * x, lambda x, p: 2 * p)
    for angle in (0.0, 0.3, np.pi / 2, np.pi, 4.0):
        _, curve, special_points = branch(problem, [np.sin(angle)], [np.cos(angle)], (-2, 2), control=SHARP)
        assert curve.endings == (Outcome.CLOSED, Outcome.CLOSED)
        np.testing.assert_allclose(located(special_points, SpecialPointKind.FOLD), [-1, 1], rtol=1e-9)
        assert len(special_points) == 2


def test_a_point_that_newton_leaves_for_the_next_one_is_still_found():
    # An eigenvalue along a branch, positive on both sides of a valley: Newton's method led from the first zero to the
    # second, a little beyond the step that holds the first.
    alphas = np.array([0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.32])
    values = np.array([0.0173226, 0.006429, 0.0000934, -0.0022263, -0.0009779, 0.003463, 0.0107773])
    valley = np.polynomial.Polynomial.fit(alphas, values, 6)
    slope = valley.deriv()
    problem = scalar(
        lambda x, p: x * (valley(p) - x * x), lambda x, p: valley(p) - 3 * x * x, lambda x, p: x * slope(p),
        symmetric=True,
    )  # fmt: skip
    for points in ([0.19, 0.2149494, 0.2782327, 0.33], [0.19, 0.205, 0.2782327, 0.33], [0.2, 0.2149494, 0.275, 0.35]):
        section, curve = curve_through(problem, [(0.0, p) for p in points])
        special_points = find_special_points(section, curve, tolerance=1e-10)
        roots = sorted(
            root.real for root in valley.roots() if abs(root.imag) < 1e-9 and points[0] < root.real < points[-1]
        )
        assert len(roots) == 2
        np.testing.assert_allclose(located(special_points, SpecialPointKind.PITCHFORK), roots, atol=1e-7)
        assert special_points[0].unstable_side == -special_points[1].unstable_side != 0
