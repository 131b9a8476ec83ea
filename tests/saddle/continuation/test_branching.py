"""Branch switching, criticality, exploration modulo symmetry, and deflation."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.optimize import fsolve

from saddle.continuation.branching import deflated_solutions, equivalent, runs_through, switch
from saddle.continuation.curve.curves import between
from saddle.continuation.curve.stepping import StepControl
from saddle.continuation.exploration import explore
from saddle.continuation.outcomes import Outcome
from saddle.continuation.problem import FunctionProblem, Involution
from saddle.continuation.scope import Scope
from saddle.continuation.special_points.special_point import Criticality, SpecialPointKind
from tests.saddle.continuation.textbook import (
    SHARP,
    Counted,
    Transformed,
    blume_capel,
    branch,
    enzyme,
    kernels,
    located,
    rate,
    reaction,
)

SEED = 0.4 + 100 * rate(0.4)


def scalar(function, by_x, by_p, symmetric=False, **more):
    """A problem in one unknown and one parameter."""
    return FunctionProblem(
        1,
        lambda x, p: np.array([function(x[0], p[0])]),
        lambda x, p: np.array([[by_x(x[0], p[0])]]),
        lambda x, p: np.array([[by_p(x[0], p[0])]]),
        symmetries=(Involution(-np.eye(1)),) if symmetric else (),
        **more,
    )


def enzymes():
    return [enzyme()] + [Transformed.random(enzyme(), seed, similar=True) for seed in range(3)]


@pytest.mark.parametrize("problem", enzymes(), ids=["plain", "0", "1", "2"])
def test_the_asymmetric_branch_of_the_enzyme(problem):
    counted = Counted(problem)
    seed = np.array([0.4, 0.4])
    seed = problem.there(seed) if isinstance(problem, Transformed) else seed
    found = explore(counted, [(seed, SEED)], (0, 60), control=SHARP)
    assert found.complete
    assert not found.failures
    symmetric, asymmetric = found.branches
    pitchforks = [special for special in symmetric.special_points if special.kind is SpecialPointKind.PITCHFORK]
    np.testing.assert_allclose(
        located(symmetric.special_points, SpecialPointKind.FOLD), [18.8870676579, 34.3569249985], rtol=1e-9
    )
    np.testing.assert_allclose(
        located(pitchforks, SpecialPointKind.PITCHFORK), [22.1816379261, 34.2228865442], rtol=1e-9
    )
    np.testing.assert_allclose(
        located(asymmetric.special_points, SpecialPointKind.FOLD), [25.3727148381, 26.6220717700], rtol=1e-9
    )
    assert len(asymmetric.special_points) == 2
    assert {id(special) for special in asymmetric.meets} == {id(special) for special in pitchforks}
    # Null vectors have signs that do not depend on chance: the largest component is positive.
    for special in pitchforks:
        assert np.all(special.kernel[np.argmax(np.abs(special.kernel), axis=0), range(special.kernel.shape[1])] > 0)
    assert asymmetric.curve.endings == (Outcome.STARTED, Outcome.STOPPED)
    # On the middle part of the S the symmetric branch is unstable to the mirror-odd direction between the pitchforks.
    # At the lower one the new branch exists above it, at the upper one below: where the old one is unstable.
    assert [special.criticality for special in pitchforks] == [Criticality.SUPERCRITICAL] * 2
    assert counted.count <= 950


def test_sides_of_the_pitchforks_of_the_enzyme_from_solutions_beside_them():
    """Independent of the labels: an asymmetric solution near a pitchfork, and the odd eigenvalue at its parameter."""
    problem = enzyme()
    section, _, special_points = branch(problem, [0.4, 0.4], [SEED], (0, 60))
    pitchforks = [
        switch(section, special)[0] for special in special_points if special.kind is SpecialPointKind.PITCHFORK
    ]
    assert len(pitchforks) == 2
    half = 0.01
    for special in pitchforks:

        def asymmetric(y):
            return problem.evaluate(np.array([y[0] + half, y[0] - half]), y[1:]).residual

        _, beside = fsolve(asymmetric, [special.x[0], special.parameter], xtol=1e-13)
        middle = fsolve(lambda a, p=beside: a + 100 * rate(a) - p, special.x[0], xtol=1e-13)[0]
        assert middle == pytest.approx(special.x[0], abs=1e-2)
        odd = np.array([1.0, -1.0])
        growth = odd @ problem.evaluate(np.full(2, middle), np.array([beside])).jacobian @ odd / 2
        assert special.criticality is (Criticality.SUPERCRITICAL if growth > 0 else Criticality.SUBCRITICAL)
        assert special.unstable_side == np.sign(growth) * np.sign(beside - special.parameter)


@pytest.mark.parametrize("declared", [True, False])
def test_no_branch_is_traced_twice(declared):
    problem = enzyme(declared)
    found = explore(problem, [(np.array([0.4, 0.4]), SEED), (np.array([5.0, 5.0]), 30.0)], (0, 60), control=SHARP)
    # Without the declared symmetry the branch goes on through the pitchfork: still one closed loop or two mirror arcs.
    assert len(found.branches) == 2 if declared else 2 <= len(found.branches) <= 3
    for one, other in combinations(found.branches, 2):
        for point in other.curve.points[1:-1:3]:
            x, parameters = other.section.full(point.y)
            assert not runs_through(one.section, one.curve, x, parameters[0])


def test_a_branch_runs_through_its_own_solutions_and_their_images():
    problem = enzyme()
    found = explore(problem, [(np.array([0.4, 0.4]), SEED)], (0, 60), control=SHARP)
    own = found.branches[1]
    for segment in list(pairwise(own.curve.points))[1:-1:4]:
        y = between(segment, own.section.units(segment[1].y), 0.4)
        (close,) = [
            p for p in own.curve.landings(own.section, 0, [float(y[0])], 1e-12) if np.allclose(p.y, y, rtol=1e-2)
        ]
        x, parameters = own.section.full(close.y)
        assert runs_through(own.section, own.curve, x, parameters[0])
        assert runs_through(own.section, own.curve, x[::-1], parameters[0])
        assert not runs_through(own.section, own.curve, x + np.array([0.02, 0.0]), parameters[0])


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.2, Criticality.SUBCRITICAL),
        (0.3, Criticality.SUBCRITICAL),
        (0.36, Criticality.SUPERCRITICAL),
        (0.5, Criticality.SUPERCRITICAL),
    ],
)
def test_criticality_on_both_sides_of_the_tricritical_point(temperature, expected):
    for problem in (blume_capel(), Transformed.random(blume_capel(), 3, similar=True)):
        start = np.zeros(1)
        start = problem.there(start) if isinstance(problem, Transformed) else start
        section, _, (special,) = branch(problem, start, [temperature, 0.0], (0.0, 0.7), 1)
        special, new = switch(section, special, tolerance=1e-12)
        assert special.criticality is expected
        assert len(new) == 1
        assert special.unstable_side == -1  # ordered below the line


def test_criticality_is_not_told_where_it_is_degenerate():
    at_tricritical = blume_capel()
    section, _, (special,) = branch(at_tricritical, [0.0], [1 / 3, 0.3], (0.3, 0.6), 1)
    special, new = switch(section, special, tolerance=1e-12)
    assert special.criticality is Criticality.UNKNOWN
    assert len(new) == 1
    vertical = scalar(lambda x, p: p * x, lambda x, p: p, lambda x, p: x, symmetric=True)
    section, _, (special,) = branch(vertical, [0.0], [-0.5], (-1, 1))
    special, new = switch(section, special, tolerance=1e-12)
    assert special.criticality is Criticality.UNKNOWN
    assert new[0].start[-1] == pytest.approx(0, abs=1e-12)


def test_stability_counts_with_the_sign_of_the_problem():
    """The same equation as dx/dt = F and as F = 0 with F = x - G: sub and super must not change places."""
    for sign in (1.0, -1.0):
        for bend, expected in ((1.0, Criticality.SUPERCRITICAL), (-1.0, Criticality.SUBCRITICAL)):
            problem = scalar(
                lambda x, p, s=sign, b=bend: -s * (p * x - b * x**3),
                lambda x, p, s=sign, b=bend: -s * (p - 3 * b * x * x),
                lambda x, p, s=sign: -s * x,
                symmetric=True,
                stability_sign=sign,
            )
            section, _, (special,) = branch(problem, [0.0], [-0.5], (-1, 1))
            assert special.unstable_side == 1
            assert switch(section, special)[0].criticality is expected


@pytest.mark.parametrize("slope", [1.0, 0.1])
def test_a_transcritical_crossing_without_symmetry(slope):
    """x (slope p - x + curved): the other branch is found, however small the angle, also if this one is curved."""
    problem = scalar(
        lambda x, p: (x - p * p) * (slope * p - x + p * p),
        lambda x, p: (slope * p - x + p * p) - (x - p * p),
        lambda x, p: -2 * p * (slope * p - x + p * p) + (x - p * p) * (slope + 2 * p),
    )
    found = explore(problem, [(np.array([0.25]), -0.5)], (-1, 1), control=SHARP)
    assert len(found.branches) == 2
    for branch_, other_slope in zip(found.branches, (0.0, slope), strict=True):
        p = branch_.curve.values[:, 1]
        np.testing.assert_allclose(branch_.curve.values[:, 0], other_slope * p + p * p, atol=1e-8)
        assert branch_.curve.endings == (Outcome.AT_BOUND, Outcome.AT_BOUND)
        (special,) = branch_.special_points
        assert special.kind is SpecialPointKind.BRANCH_POINT
        assert abs(special.parameter) <= special.error < 1e-9


def test_kernels_of_several_dimensions_lead_to_several_branches():
    problem = kernels()
    section, _, special_points = branch(problem, np.zeros(15), [0.5], (0.5, 6))
    for special, dimension in zip(special_points, range(1, 6), strict=True):
        _, new = switch(section, special, tolerance=1e-12)
        assert len(new) >= dimension
        solutions = [one.section.full(one.start) for one in new]
        for x, p in solutions:
            np.testing.assert_allclose(problem.evaluate(x, p).residual, 0, atol=1e-11)
            assert np.linalg.norm(x) > 0.01
        for (x, _), (other, _) in combinations(solutions, 2):
            assert not equivalent(problem, x, other, 1e-3)


def test_branches_through_kernels_are_known_solutions_and_distinct():
    """All solutions are componentwise: x_i = 0 or x_i^2 = lam k_i - 1."""
    problem = kernels()
    found = explore(problem, [(np.zeros(15), 0.5)], (0.5, 2.5), control=SHARP, scope=Scope(max_branches=12))
    assert found.complete
    for one in found.branches:
        for point in one.curve.points:
            x, (lam,) = one.section.full(point.y)
            squares = lam * np.repeat(1 / np.arange(1, 6), range(1, 6)) - 1
            np.testing.assert_allclose(x * (squares - x * x), 0, atol=1e-9)
    signs = set()
    for one in found.branches:
        for end in (one.curve.points[0], one.curve.points[-1]):
            x, (lam,) = one.section.full(end.y)
            if lam == pytest.approx(2.5):
                pattern = tuple(np.sign(np.where(np.abs(x) < 1e-6, 0, x)).astype(int))
                signs.add(max(pattern, tuple(-k for k in pattern)))
    # Up to the common sign: the first component alone, one of the next two, both in two ways, and these with the first.
    assert len(signs) >= 9
    truncated = explore(problem, [(np.zeros(15), 0.5)], (0.5, 2.5), control=SHARP, scope=Scope(max_branches=3))
    assert len(truncated.branches) == 3
    assert not truncated.complete
    assert truncated.failures


def test_deflation_finds_all_three_roots_of_a_cubic():
    problem = scalar(
        lambda x, p: (x - 1) * (x + 0.5) * (x - p),
        lambda x, p: (x + 0.5) * (x - p) + (x - 1) * (x - p) + (x - 1) * (x + 0.5),
        lambda x, p: -(x - 1) * (x + 0.5),
    )
    found = deflated_solutions(problem, np.array([2.0]), [np.array([0.8])])
    np.testing.assert_allclose(sorted(x[0] for x in found), [-0.5, 1.0, 2.0], rtol=1e-9)
    rest = deflated_solutions(problem, np.array([2.0]), [np.array([0.8])], known=[np.array([1.0])])
    np.testing.assert_allclose(sorted(x[0] for x in rest), [-0.5, 2.0], rtol=1e-9)


def test_deflation_never_returns_an_image_of_what_is_known():
    problem = enzyme()
    p = np.array([26.0])
    generator = np.random.default_rng(0)
    seeds = list(generator.uniform(0.1, 12, (12, 2)))
    found = deflated_solutions(problem, p, seeds, tolerance=1e-11)
    assert len(found) >= 4
    for x in found:
        np.testing.assert_allclose(problem.evaluate(x, p).residual, 0, atol=1e-9)
    for one, other in combinations(found, 2):
        assert not equivalent(problem, one, other, 1e-4)
    asymmetric = [x for x in found if abs(x[0] - x[1]) > 1e-3]
    assert asymmetric
    again = deflated_solutions(problem, p, seeds, known=[x[::-1] for x in found], tolerance=1e-11)
    for x in again:
        assert not any(equivalent(problem, x, other, 1e-4) for other in found)


def test_deflation_keeps_away_from_images_of_what_is_known():
    problem = scalar(lambda x, p: x - x**3, lambda x, p: 1 - 3 * x * x, lambda x, p: 0.0, symmetric=True)
    for known in (-1.0, 1.0):
        (found,) = deflated_solutions(problem, np.zeros(1), [np.array([0.9])], [np.array([known])])
        assert found[0] == pytest.approx(0, abs=1e-9)


def test_deflation_finds_an_isola():
    """x^2 + (p - 2)^2 = 1/4 beside the line x = 3: continuation from one never meets the other."""

    def parts(x, p):
        return x - 3, x * x + (p - 2) ** 2 - 0.25

    problem = scalar(
        lambda x, p: np.prod(parts(x, p)),
        lambda x, p: parts(x, p)[1] + 2 * x * parts(x, p)[0],
        lambda x, p: 2 * (p - 2) * parts(x, p)[0],
    )
    first = explore(problem, [(np.array([3.0]), 0.0)], (0, 4), control=SHARP)
    assert len(first.branches) == 1
    assert not first.branches[0].special_points
    known = [np.array([3.0])]
    new = deflated_solutions(problem, np.array([2.1]), [np.array([2.5])], known)
    assert len(new) == 2
    both = explore(problem, [(np.array([3.0]), 0.0), *[(x, 2.1) for x in new]], (0, 4), control=SHARP)
    assert len(both.branches) == 2
    isola = both.branches[1]
    assert isola.curve.endings == (Outcome.CLOSED, Outcome.CLOSED)
    np.testing.assert_allclose(located(isola.special_points, SpecialPointKind.FOLD), [1.5, 2.5], rtol=1e-9)


def test_nothing_is_switched_to_at_a_fold():
    section, _, special_points = branch(reaction(), [0, 0], [0, 18.0], (0, 0.2), control=StepControl(tolerance=1e-12))
    for special in special_points:
        assert switch(section, special) == (special, [])
