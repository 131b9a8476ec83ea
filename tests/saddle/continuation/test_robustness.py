"""Noise, interruptions, the end of the domain, and what is said when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from saddle.continuation.branching import deflated_solutions
from saddle.continuation.curve.bounds import Bounds
from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.curve.tracing import trace_both_ways
from saddle.continuation.exploration import explore
from saddle.continuation.newton import OutsideDomain
from saddle.continuation.outcomes import Outcome, SolverError
from saddle.continuation.problem import Evaluation, FunctionProblem, Involution
from saddle.continuation.scope import Scope
from saddle.continuation.special_points.defining_systems import EqualPotentials
from saddle.continuation.special_points.finding import find_special_points
from saddle.continuation.special_points.first_order_lines import end_of_line, first_order_line
from saddle.continuation.special_points.locating import solve_square
from saddle.continuation.special_points.special_point import SpecialPointKind
from saddle.continuation.subspaces import Section, symmetry_blocks
from tests.saddle.continuation.test_branching import SEED, scalar
from tests.saddle.continuation.test_special_points import curve_through
from tests.saddle.continuation.textbook import SHARP, Counted, blume_capel, branch, cusp, enzyme, kernels, located, rate

NOISE = 1e-6


@dataclass
class Noisy(Counted):
    """A problem whose residual and potential carry a deterministic error of at most 1e-6 that looks random."""

    seed: int = 0

    @property
    def noise(self) -> float:
        return NOISE

    @property
    def difference_step(self) -> float:
        return NOISE ** (1.0 / 3.0)

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        here = super().evaluate(x, parameters)
        phase = 1e9 * float(np.sum(np.concatenate([x, parameters]) * np.arange(1, x.size + parameters.size + 1)))
        errors = NOISE * np.sin(phase + self.seed + 17.0 * np.arange(x.size + 1))
        return replace(here, residual=here.residual + errors[:-1], potential=here.potential + errors[-1])


def exact_folds_and_pitchforks(name):
    if name == "cusp":
        return (
            cusp(),
            [-1.5],
            [1.5 - 1.5**3, 1.0],
            (-2, 2),
            0,
            {SpecialPointKind.FOLD: [-0.38490017945975, 0.38490017945975]},
        )
    if name == "kernels":
        return kernels(), np.zeros(15), [0.5], (0.5, 6), 0, {SpecialPointKind.PITCHFORK: [1, 2, 3, 4, 5]}
    if name == "Blume-Capel":
        return blume_capel(), [0.0], [0.25, 0.2], (0.2, 0.7), 1, {SpecialPointKind.PITCHFORK: [0.25 * np.log(6)]}
    return enzyme(), [0.01, 0.01], [0.01 + 100 * rate(0.01)], (0, 50), 0, {
        SpecialPointKind.FOLD: [18.8870676579, 34.3569249985],
        SpecialPointKind.PITCHFORK: [22.1816379261, 34.2228865442],
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["cusp", "kernels", "Blume-Capel", "enzyme"])
def test_errors_of_special_points_cover_what_noise_does_to_them(name, seed):
    inner, x, parameters, bounds, active, expected = exact_folds_and_pitchforks(name)
    problem = Noisy(inner, seed=seed)
    control = StepControl(tolerance=1e-12)  # asks for more than there is
    _, curve, special_points = branch(problem, x, parameters, bounds, active, control=control)
    assert curve.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
    assert all(point.residual_norm <= 3 * NOISE for point in curve.points)
    assert len(special_points) == sum(len(values) for values in expected.values())
    for kind, values in expected.items():
        found = sorted(
            (special for special in special_points if special.kind is kind), key=lambda special: special.parameter
        )
        assert all(special.resolved for special in found)
        for special, value in zip(found, values, strict=True):
            assert abs(special.parameter - value) <= special.error
            assert special.error < 1e-3 * max(1.0, value)


def test_noise_is_felt():
    """Otherwise the test above could not fail."""
    _, _, clean = branch(cusp(), [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2))
    _, _, noisy = branch(Noisy(cusp()), [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2))
    shifts = [abs(a.parameter - b.parameter) for a, b in zip(clean, noisy, strict=True)]
    assert max(shifts) > 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_a_first_order_line_and_its_end_under_noise(seed):
    problem = Noisy(blume_capel(), seed=seed)
    ordered, disordered = symmetry_blocks(problem, np.ones(1))[0], symmetry_blocks(problem, np.zeros(1))[0]
    point = solve_square(
        EqualPotentials(problem, ordered, disordered, np.array([0.25, 0]), (1,)), np.array([0.9, 0.47]), 1e-13
    )
    assert point.outcome is Outcome.CONVERGED
    assert 0 < abs(point.y[-1] - 0.476265836632844) <= point.error[-1] < 1e-4
    system = EqualPotentials(problem, ordered, disordered, np.array([0.25, 0]), (0, 1))
    curve = first_order_line(
        system, np.array([point.y[0], 0.25, point.y[1]]), toward=np.array([0, 1.0, 0]),
        bounds=[Bounds(1, 0.2, 0.4)],
    )  # fmt: skip
    end = end_of_line(system, curve, at_start=False)
    assert end is not None
    exact = np.array([1 / 3, 2 / 3 * np.log(2)])
    assert np.all(np.abs(end.parameters - exact) <= end.error)
    assert np.all(end.error < 0.05)


@dataclass
class Interrupted(Counted):
    """Ctrl-C at one evaluation."""

    at: int = 0

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        if self.count == self.at:
            raise KeyboardInterrupt
        return super().evaluate(x, parameters)


def test_an_interruption_leaves_what_was_traced():
    _, whole, _ = branch(cusp(), [0.0], [0.0, 1.0], (-2, 2))
    forwards = next(k for k, point in enumerate(whole.points) if abs(point.y[0]) < 1e-12)
    for at in (20, 40, whole.evaluations - 5):
        problem = Interrupted(cusp(), at=at)
        section = Section(problem, symmetry_blocks(problem, np.zeros(1))[0], np.array([0.0, 1.0]))
        curve = trace_both_ways(
            section, np.zeros(2), toward=np.array([0, 1.0]), bounds=[Bounds(1, -2, 2)], control=SHARP
        )
        assert not curve.complete
        assert Outcome.INTERRUPTED in curve.endings
        assert 2 <= len(curve.points) < len(whole.points)
        offset = forwards - next(k for k, point in enumerate(curve.points) if abs(point.y[0]) < 1e-12)
        np.testing.assert_array_equal(curve.values, whole.values[offset : offset + len(curve.points)])


def test_an_interrupted_exploration_keeps_its_branches_whenever_it_comes():
    whole = explore(enzyme(), [(np.array([0.4, 0.4]), SEED)], (0, 60), control=SHARP)
    counted = Counted(enzyme())
    explore(counted, [(np.array([0.4, 0.4]), SEED)], (0, 60), control=SHARP)
    first = whole.branches[0].curve
    for at in range(30, counted.count, 60):
        found = explore(Interrupted(enzyme(), at=at), [(np.array([0.4, 0.4]), SEED)], (0, 60), control=SHARP)
        assert not found.complete
        assert 1 <= len(found.branches) <= 2
        if at > first.evaluations + 10:  # also while its special points are looked for
            np.testing.assert_array_equal(found.branches[0].curve.values, first.values)
        else:
            assert not found.branches[0].curve.complete


def limited(limit):
    """x = sqrt(p) as x^2 = p, defined up to a value of x."""

    def residual(x, p):
        if x[0] > limit:
            raise OutsideDomain("x is too large")
        return np.array([x[0] ** 2 - p[0]])

    return FunctionProblem(1, residual, lambda x, p: np.array([[2 * x[0]]]), lambda x, p: np.array([[-1.0]]))


def test_the_end_of_the_domain_is_named_and_the_points_before_it_are_kept():
    _, curve, special_points = branch(limited(1.2), [-1.0], [1.0], (-1, 4), sign=-1.0)
    assert curve.endings == (Outcome.AT_BOUND, Outcome.LEFT_DOMAIN)
    x, p = curve.values.T
    np.testing.assert_allclose(x * x, p, atol=1e-11)
    assert 1.1 < x[-1] <= 1.2
    assert p[0] == 4
    np.testing.assert_allclose(located(special_points, SpecialPointKind.FOLD), [0.0], atol=1e-12)
    with pytest.raises(SolverError, match="not defined") as raised:
        branch(limited(1.2), [1.5], [2.25], (-1, 4))
    assert raised.value.outcome is Outcome.LEFT_DOMAIN


def test_an_special_at_the_end_of_the_domain_is_not_lost_and_does_not_raise():
    """The equations of the fold need points on both sides of it: here one side is outside the domain."""

    def residual(x, p):
        if x[0] > 0.0 and x[0] < 0.3:
            raise OutsideDomain("a hole right behind the fold")
        return np.array([x[0] ** 2 - p[0]])

    problem = FunctionProblem(1, residual, lambda x, p: np.array([[2 * x[0]]]), lambda x, p: np.array([[-1.0]]))
    section, curve = curve_through(problem, [(x, x * x) for x in (-0.9, -0.6, -0.3, 0.3, 0.6)])
    (special,) = find_special_points(section, curve, tolerance=1e-12)
    assert special.kind is SpecialPointKind.FOLD
    assert not special.resolved
    assert special.outcome is Outcome.LEFT_DOMAIN


def test_a_start_far_from_any_solution_is_an_error_by_name():
    nothing = scalar(lambda x, p: 1 + x * x + p * p, lambda x, p: 2 * x, lambda x, p: 2 * p)
    with pytest.raises(SolverError, match="no point of the curve found"):
        branch(nothing, [1.0], [1.0], (-2, 2))
    undefined = scalar(lambda x, p: np.nan, lambda x, p: 1.0, lambda x, p: 1.0)
    with pytest.raises(SolverError, match="not finite") as raised:
        branch(undefined, [1.0], [1.0], (-2, 2))
    assert raised.value.outcome is Outcome.NOT_FINITE
    found = explore(nothing, [(np.array([1.0]), 1.0)], (-2, 2))
    assert found.branches == ()
    assert found.failures
    assert found.complete


def test_a_false_symmetry_is_refused():
    false = FunctionProblem(
        2, lambda x, p: x - p, lambda x, p: np.eye(2), lambda x, p: -np.ones((2, 1)),
        symmetries=(Involution(np.diag([1.0, -1.0]), np.eye(2)),),
    )  # fmt: skip
    with pytest.raises(ValueError, match="no symmetry"):
        symmetry_blocks(false, np.zeros(2))


def test_a_curve_that_becomes_too_sharp_ends_by_name():
    @dataclass(frozen=True)
    class Corner:
        """|x| = y made round at 1e-7: no step above the smallest can follow it."""

        noise: float = 1e-14

        def evaluate(self, y):
            root = np.hypot(y[0], 1e-7)
            return CurveEvaluation(np.array([root - y[1]]), np.array([[y[0] / root, -1.0]]), np.ones(1))

        def units(self, y):
            return np.ones(2)

    curve = trace_both_ways(Corner(), np.array([-1.0, 1.0]), toward=np.array([1.0, -1.0]), bounds=[Bounds(1, -1, 2)])
    assert curve.endings == (Outcome.AT_BOUND, Outcome.STEP_TOO_SHORT)
    assert np.all(curve.values[:, 0] < 0)
    assert abs(curve.values[-1, 0]) < 1e-3


def test_deflation_with_noise_and_outside_the_domain():
    noisy = Noisy(cusp())
    found = deflated_solutions(noisy, np.array([0.0, 1.0]), [np.array([0.3]), np.array([-2.0])])
    np.testing.assert_allclose(sorted(x[0] for x in found), [-1, 0, 1], atol=1e-5)
    assert deflated_solutions(limited(1.2), np.array([1.0]), [np.array([5.0])]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("functions", (np.sin,)), ("functions", 3), ("amplitude", 0.0), ("amplitude", "1"), ("max_branches", 0),
        ("max_branches", 2.5), ("known", ()), ("leaves", 3), ("wanted", None),
    ],
)  # fmt: skip
def test_what_is_no_scope_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"{name}.* must be .*, got"):
        Scope(**{name: value})


def test_a_scope_is_asked_for():
    with pytest.raises(ValueError, match=r"scope must be a Scope, got 12"):
        explore(enzyme(), [], (0, 60), scope=12)
