"""Folds with steps: where a branch turns back, where it does not, and where replica symmetry holds at its fold."""

import pickle

import numpy as np
import pytest

from replica import MultiIndexModel
from saddle import (
    BrokenSymmetryPoint,
    GridRule,
    JumpLineRule,
    SolvedPoint,
    SolverError,
    StateEvolution,
    find_point,
    load_steps,
    save_steps,
    solve_phase_diagram,
    transition_with_steps,
)
from saddle.branches.steps.branch_fold import branch_fold, further_fold
from saddle.branches.steps.fold_fit import BranchFold, FoldFit
from saddle.branches.steps.from_symmetric import break_symmetry
from saddle.branches.steps.solving import solve_steps_at
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_unknowns import StepUnknowns

RULE = GridRule(nodes=60, spacing=0.4, reach=5.6)
NAME = "teacher -> teacher from fold"


def saturating(field):
    """Of fourth order in weak fields: a teacher is found in a jump, also at large penalties."""
    return field**4 / (1 + field**4)


def square(field):
    return field**2


def regression(function, regularization: float) -> MultiIndexModel:
    """A student that learns a function of a teacher's field from squared differences."""
    return MultiIndexModel(
        loss=lambda z, y: (function(z[0]) - y[0]) ** 2 / 2,
        regularization=regularization,
        outputs=lambda h, xi: [function(h[0])],
    )


@pytest.mark.parametrize("third", [0.0, 0.3])
def test_an_extremum_is_fitted_through_five_values(third):
    places = 0.4 + 0.1 * np.linspace(-1.0, 1.0, 5)
    x = places - 0.41
    fit = FoldFit.of(places, 2.0 - 3.0 * x**2 + third * x**3)
    assert fit.value == pytest.approx(2.0, abs=1e-6 + fit.error)
    assert fit.place == pytest.approx(0.41, abs=1e-3)
    assert fit.curvature == pytest.approx(-3.0, rel=0.05)
    assert fit.error < 1e-5 + 1e-3 * third
    # Steps of the values are an error of the extremum.
    steps = 1e-3 * np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    assert FoldFit.of(places, 2.0 - 3.0 * x**2 + steps).error > 5e-4


@pytest.fixture(scope="module")
def symmetric():
    return solve_phase_diagram(regression(saturating, 8.0), (10.0, 16.0), points=2, progress=False)


@pytest.mark.slow
def test_a_fold_without_a_gap_is_that_of_replica_symmetry(symmetric, tmp_path):
    found = transition_with_steps(symmetric, NAME, rule=GridRule(), progress=False)
    own = symmetric.transitions[NAME]
    assert own.kind == "fold"
    assert (found.alpha, found.error, found.shift, found.shift_error) == (own.alpha, own.error, 0.0, 0.0)
    assert isinstance(found.points[0], SolvedPoint)
    assert "fold with 1 step of replica-symmetry breaking (teacher symmetric)" in repr(found)
    assert pickle.loads(pickle.dumps(found)) == found
    save_steps(found, tmp_path / "fold.nc")
    assert load_steps(tmp_path / "fold.nc") == found
    # Nor is there anything for a second step to split.
    two = transition_with_steps(symmetric, NAME, 2, rule=GridRule(), progress=False)
    assert (two.alpha, two.error, two.steps, two.shift) == (own.alpha, own.error, 2, 0.0)
    assert "fold with 2 steps" in repr(two)
    with pytest.raises(ValueError, match="more than one step need a GridRule"):
        transition_with_steps(symmetric, NAME, 2, rule=JumpLineRule())


@pytest.fixture(scope="module")
def start() -> BrokenSymmetryPoint:
    point = find_point(StateEvolution(regression(saturating, 3.0)), "teacher", 4.1)
    return break_symmetry(point.evolution, point.sector, point.evaluation, 1, RULE)


@pytest.fixture(scope="module")
def fold(start) -> BranchFold:
    # Near 3.85 solutions of replica symmetry, which is unstable there, come and go with the rule.
    return branch_fold(start, 3.85, False)


@pytest.mark.slow
def test_a_branch_turns_back(fold):
    # On twice as many nodes and grids three times as fine: 3.7844(6).
    assert fold.alpha == pytest.approx(3.7844, abs=0.004)
    assert fold.error < 0.004
    assert fold.curvature > 0.0
    assert abs(fold.nearest.alpha - fold.alpha) < 2.0 * fold.error + 0.01
    assert fold.nearest.state.gaps[0, 0] > 1e-3


@pytest.mark.slow
def test_a_second_step_moves_a_fold_on(fold):
    two = further_fold(fold, 2)
    # On finer rules: 3.7874(5), by a fifth of a per mille more than one step.
    assert two.alpha == pytest.approx(3.7874, abs=0.004)
    assert two.error < 0.004
    assert two.nearest.steps == 2
    assert two.nearest.state.gaps.shape == (2, 1)
    # A second step brings what is unstable closer to zero, as away from folds.
    assert fold.nearest.stability.eigenvalues[0] < two.nearest.stability.eigenvalues[0] < 0.0
    assert further_fold(fold, 1) is fold


@pytest.mark.slow
def test_solutions_are_two_on_one_side_of_a_fold_and_none_on_the_other(start, fold):
    equations = StepEquations(start.evolution, 1, RULE)
    unit = float(np.sqrt(np.max(start.state.levels[-1])))
    plain = StepUnknowns(start.evolution.space, start.sector, 1, unit, parisi=True)
    nearest = fold.nearest
    vector = plain.vector(nearest.state, nearest.alpha)
    found: dict[float, list[float]] = {}
    for side in (-1.0, 1.0):
        state = nearest.state
        for distance in (0.03, 0.06):
            # Beside the fold, on either branch, and then at given alpha.
            place = float(fold.held + side * np.sqrt(distance / fold.curvature))
            alpha = fold.alpha + distance
            beside = solve_steps_at(equations, plain.holding_at(fold.pivot, place), alpha, state)
            state = solve_steps_at(equations, plain, alpha, beside.state, grid=beside.evaluation.grid).state
            found.setdefault(distance, []).append(float(plain.vector(state, 1.0)[fold.pivot]))
    apart = [high - low for low, high in found.values()]
    assert apart[0] / 2.0 == pytest.approx(np.sqrt(0.03 / fold.curvature), rel=0.25)
    # The squared distance of the two is linear in alpha.
    assert (apart[1] / apart[0]) ** 2 == pytest.approx(2.0, rel=0.3)
    # None beyond: what is found there, if anything, is no neighbour.
    try:
        beyond = solve_steps_at(equations, plain, fold.alpha - 0.08, nearest.state)
    except SolverError:
        return
    assert np.max(np.abs(plain.vector(beyond.state, 1.0)[list(plain.overlap_places)] - vector[fold.pivot])) > 0.2


@pytest.mark.slow
def test_a_branch_that_does_not_turn_back_is_said_so():
    # With one step phase retrieval's teacher is followed far below where it folds without.
    model = regression(square, 0.6)
    diagram = solve_phase_diagram(model, (1.2, 2.0), points=3, progress=False)
    assert diagram.transitions[NAME].alpha == pytest.approx(1.4116, abs=3e-3)
    with pytest.raises(SolverError, match="with one step the teacher branch"):
        transition_with_steps(diagram, NAME, rule=GridRule(), progress=False)
