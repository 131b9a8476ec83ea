"""Stability of steps against one more: replica symmetry's replicon, growth of gaps that are split off, closed forms."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel, Spectrum, SpectrumAtom
from replica.hierarchy.equations.splitting import Splitting
from replica.hierarchy.functional import hierarchical_free_entropy
from saddle import GridRule, JumpLineRule, Replicon, StateEvolution, StepStability, find_point
from saddle.averages.nested_averages import curvature_forms
from saddle.averages.replicon_map import weights_map
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_stability import _responses, solution_stability, step_stability
from saddle.state_evolution.steps.step_state import StepState

MODEL = AttentionModel.paper(omega=0.3)
RULE = GridRule(nodes=10, spacing=1.0, reach=5.0)


def nearly_symmetric(point, gap: float) -> StepState:
    """Return a solution of replica symmetry with a gap, in units of its fields' variance, and a y that vanishes."""
    q, m, V, theta = point.evaluation.state
    width = gap * (q - theta**2 / MODEL.sigma**2)
    return StepState(
        np.array([q - width]), np.array([[width]]), np.array([m]), np.array([V]), np.array([[theta]]),
        np.array([2e-3 * V / width]),
    )  # fmt: skip


def split(state: StepState, level: int, share: float, y: float) -> StepState:
    """Split a gap, a share of the outermost one, off a level: the overlap between levels becomes two."""
    gap = share * state.gaps[0]
    outer = state.outer_overlap - gap if level == 0 else state.outer_overlap
    gaps = np.insert(state.gaps, level, gap, axis=0)
    if level > 0:
        gaps[level - 1] -= gap
    return replace(state, outer_overlap=outer, gaps=gaps, parisi=np.insert(state.parisi, level, y))


def growth(evolution, state: StepState, level: int, y: float, grid_rule: GridRule, alpha: float) -> float:
    """Return how much of a gap that is split off reproduces itself, less one: extrapolated to none from two gaps."""
    equations = StepEquations(evolution, len(state.parisi) + 1, grid_rule)
    grid = StepEquations(evolution, len(state.parisi), replace(grid_rule, spacing=0.3)).grid(state)
    found = []
    for share in (0.2, 0.1):
        moved = split(state, level, share, y)
        rest = equations.evaluate(moved, alpha, grid).residual_state.gaps[level, 0]
        found.append(float(rest / moved.gaps[level, 0]))
    return 2.0 * found[1] - found[0]


def stability(evolution, state: StepState, alpha: float, rule: GridRule) -> StepStability:
    equations = StepEquations(evolution, len(state.parisi), rule)
    here = equations.evaluate(state, alpha)
    assert here.grid is not None
    return step_stability(equations, [(here, here.grid)])


def test_a_vanishing_gap_has_the_replicon_of_replica_symmetry_on_both_sides():
    # No jumps here, so that smoothing by a narrow gap changes nothing.
    point = find_point(StateEvolution(MODEL), "semantic", 2.5)
    found = stability(point.evolution, nearly_symmetric(point, 0.02), 2.5, GridRule(nodes=16))
    expected = point.replicon()
    for one in found.replicons:
        assert one.regular == pytest.approx(expected.regular, abs=expected.regular_error + 2e-4)
        assert one.jump_strength == expected.jump_strength == 0.0
    assert found.stable
    assert np.all(np.isfinite(found.eigenvalues))


def test_jumps_within_blocks_are_as_strong_as_replica_symmetrys():
    point = find_point(StateEvolution(MODEL), "positional", 1.5)
    found = stability(point.evolution, nearly_symmetric(point, 0.02), 1.5, GridRule(nodes=20))
    outer, inner = found.replicons
    # Twenty nodes per teacher field are good for some per cent of it.
    assert inner.jump_strength == pytest.approx(point.replicon().jump_strength, rel=0.08)
    assert inner.jumps > 100
    assert inner.failures == 0
    assert outer.jump_strength == 0.0
    assert found.eigenvalues[1] == -np.inf
    assert "proximal points jump" in found.reasons[1]
    assert not found.stable


def test_a_gap_between_blocks_grows_by_the_outermost_eigenvalue():
    # At any state; the y of the new gap does not matter.
    evolution = StateEvolution(MODEL)
    state = StepState(
        np.array([0.0480]), np.array([[0.0040]]), np.array([0.25]), np.array([12.0]), np.array([[0.03]]),
        np.array([300.0]),
    )  # fmt: skip
    rule = replace(RULE, nodes=6)
    fine = replace(rule, spacing=0.3)
    expected = stability(evolution, state, 1.5, fine).replicons[0].regular
    assert abs(expected - 1.0) > 0.3
    for y in (100.0, 250.0):
        assert growth(evolution, state, 0, y, rule, 1.5) == pytest.approx(expected, abs=5e-3)


def test_a_gap_within_blocks_grows_by_the_innermost_eigenvalue():
    point = find_point(StateEvolution(MODEL), "semantic", 2.5)
    state = replace(nearly_symmetric(point, 0.1), parisi=np.array([150.0]))
    rule = replace(RULE, nodes=8)
    expected = stability(point.evolution, state, 2.5, replace(rule, spacing=0.3)).replicons[1].regular
    assert growth(point.evolution, state, 1, 400.0, rule, 2.5) == pytest.approx(expected, abs=2e-3)


@pytest.mark.slow
def test_a_gap_between_two_steps_grows_by_the_eigenvalue_of_its_level():
    evolution = StateEvolution(MODEL)
    state = StepState(
        np.array([0.0450]), np.array([[0.0040], [0.0030]]), np.array([0.25]), np.array([12.0]), np.array([[0.03]]),
        np.array([100.0, 400.0]),
    )  # fmt: skip
    rule = replace(RULE, nodes=4)
    found = stability(evolution, state, 1.5, replace(rule, spacing=0.3)).replicons
    assert len(found) == 3
    assert abs(found[1].regular - found[0].regular) > 0.05
    assert growth(evolution, state, 1, 200.0, rule, 1.5) == pytest.approx(found[1].regular, abs=1e-2)


def test_a_spectrum_answers_with_mean_squares():
    variance = MODEL.sigma**2
    spectrum = Spectrum([SpectrumAtom(0.5, (0.4 * variance,) * 2), SpectrumAtom(0.5, (1.6 * variance,) * 2)])
    evolution = StateEvolution(replace(MODEL, spectrum=spectrum, sigma=None))
    state = StepState(
        np.array([0.0480]), np.array([[0.0040]]), np.array([0.25]), np.array([9.0]), np.array([[0.0]]),
        np.array([150.0]),
    )  # fmt: skip
    rule = replace(RULE, nodes=6)
    expected = stability(evolution, state, 1.0, replace(rule, spacing=0.3)).replicons[0].regular
    assert growth(evolution, state, 0, 100.0, rule, 1.0) == pytest.approx(expected, abs=1e-3)


def test_curvatures_of_a_quadratic_function_are_known():
    # F = -a x^2 / 2 becomes -a x^2 / (2 (1 + y a Delta)) level by level; a mixed term stays one.
    a, y, gaps = 1.3, np.array([0.7, 1.9]), np.array([[0.2, 0.2], [0.3, 0.3]])
    axis = np.linspace(-7.0, 7.0, 281)
    axes = np.broadcast_to(axis, (1, 2, 281)).copy()
    values = -0.5 * a * (axis[:, None] ** 2 + axis[None, :] ** 2)[None]
    forms, tilted = curvature_forms(values, axes, np.array([[0.3, -0.1]]), np.ones(1), np.full(2, 0.25), gaps, y)
    inner = a / (1.0 + y[1] * a * 0.3)
    outer = inner / (1.0 + y[0] * inner * 0.2)
    np.testing.assert_allclose(forms, [np.eye(2) * outer**2, np.eye(2) * inner**2], atol=1e-7)
    assert tilted.sum() == pytest.approx(1.0, abs=1e-6)


def test_mixed_curvatures_are_differences_of_the_levels_function():
    # F_1 of one node by its own values: the outermost average at a variance that vanishes next to the grid's width.
    axis = np.linspace(-4.0, 4.0, 161)
    axes = np.broadcast_to(axis, (1, 2, 161)).copy()
    values = (np.tanh(axis[:, None] + 0.5 * axis[None, :]) - 0.1 * axis[:, None] ** 2)[None]
    y, gap = np.array([0.8]), np.array([[0.3, 0.2]])
    x = np.linspace(-3.2, 3.2, 401)
    weights = [np.exp(-(x**2) / (2 * v)) / np.sum(np.exp(-(x**2) / (2 * v))) for v in gap[0]]

    def outer(u: float, v: float) -> float:
        moved = np.tanh((u + x)[:, None] + 0.5 * (v + x)[None, :]) - 0.1 * (u + x)[:, None] ** 2
        return float(np.log(weights[0] @ np.exp(y[0] * moved) @ weights[1]) / y[0])

    place, h = (0.4, -0.3), 1e-3
    mixed = sum(s * t * outer(place[0] + s * h, place[1] + t * h) for s in (1, -1) for t in (1, -1)) / (4 * h * h)
    narrow = np.full(2, 0.01)
    forms, _ = curvature_forms(values, axes, np.array([place]), np.ones(1), narrow, gap, y)
    # Averaged over a width of 0.1.
    assert forms[0, 0, 1] == pytest.approx(mixed**2, rel=0.05)


def perfectly_made(*values: tuple[float, float]) -> StepStability:
    return StepStability(tuple(Replicon(x, 0.01, jump, 1e-6, int(jump > 0), 0) for x, jump in values))


def test_what_is_said_follows_from_the_numbers():
    found = perfectly_made((0.2, 0.0), (0.005, 0.0), (0.3, 1e-4))
    np.testing.assert_array_equal(found.eigenvalues, [0.2, 0.005, -np.inf])
    between, middle, within = found.reasons
    assert between.startswith("between blocks stable")
    assert middle.startswith("of level 1 not known")
    assert "-infinity" in within
    assert found.stable_levels == (True, None, False)
    np.testing.assert_array_equal(found.errors, [0.01, 0.01, 0.0])
    assert found.stable is False
    assert perfectly_made((0.2, 0.0), (0.3, 0.0)).stable is True
    assert perfectly_made((-0.2, 0.0), (0.3, 0.0)).stable is False
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    assert all(reason in repr(found) for reason in found.reasons)


@pytest.mark.parametrize("value", [0.005, -0.005, 0.01, -0.01, 0.0])
def test_an_eigenvalue_that_is_zero_within_its_error_answers_nothing(value):
    found = perfectly_made((value, 0.0), (0.3, 0.0))
    assert found.stable_levels == (None, True)
    assert found.stable is None
    assert "not known to be stable or not" in found.reasons[0]
    # One level that does split is enough for an answer, whatever is known of the others.
    assert perfectly_made((value, 0.0), (-0.3, 0.0)).stable is False
    # Replica symmetry is the same with one level.
    assert perfectly_made((value, 0.0)).replicons[0].stable is None


STATE = StepState(
    np.array([0.0450]), np.array([[0.0080]]), np.array([0.25]), np.array([12.0]), np.array([[0.0]]), np.array([150.0])
)


@pytest.mark.parametrize("level", [0, 1])
def test_the_weights_answer_as_is_derived(level):
    equations = StepEquations(StateEvolution(MODEL), 1, replace(RULE, nodes=4))
    here = equations.evaluate(STATE, 1.5)
    terms = equations.terms
    symbols = (*(x.symbol for x in terms.quantities.conjugates), *terms.quantities.parameters)
    values = dict(zip(symbols, (*here.conjugates, *STATE.parisi), strict=True))
    known = {x.symbol: MODEL.parameter_values()[x.name] for x in terms.model.parameters if "omega" not in x.name}
    values |= known | {terms.model.ridge: MODEL.regularization}
    for symbol, formula in terms.prior.precisions.items():
        values[symbol] = formula.xreplace(values)
    splitting = Splitting(hierarchical_free_entropy(MODEL, 1), level)
    hat = splitting.conjugate_gap(0)[0, 0]
    (answer,) = (value.xreplace({**values, hat: 1.0}) for value in splitting.gap_equations.values())
    assert weights_map(*_responses(equations, here, level))[0, 0] == pytest.approx(float(answer), rel=1e-12)


def test_solutions_on_lines_have_the_stability_of_those_on_grids():
    evolution = StateEvolution(MODEL)
    lines = StepEquations(evolution, 1, JumpLineRule(roughness=30.0))
    found = solution_stability(lines, lines.evaluate(STATE, 1.5), [])
    expected = stability(evolution, STATE, 1.5, GridRule())
    for one, other in zip(found.replicons, expected.replicons, strict=True):
        assert one.regular == pytest.approx(other.regular, rel=1e-2)
        assert one.jump_strength == pytest.approx(other.jump_strength, rel=1e-2)
    assert all(one.regular_error > 0.0 for one in found.replicons)


def test_what_no_grid_resolves_is_not_known():
    equations = StepEquations(StateEvolution(MODEL), 1, JumpLineRule(roughness=30.0))
    here = equations.evaluate(replace(STATE, gaps=np.array([[1e-6]])), 1.5)
    for found, said in (
        (solution_stability(equations, here, []), "gap of 2.2e-05 of the fields' variance"),
        (solution_stability(equations, here, None), "to a factor only"),
    ):
        assert found.stable is None
        assert found.stable_levels == ()
        assert found.eigenvalues.shape == found.errors.shape == (0,)
        assert said in found.reasons[0]
        assert "not known" in repr(found)


@pytest.mark.slow
def test_tokens_of_two_variances_grow_together():
    # The gap is a vector, and what it makes of itself a matrix: its largest eigenvalue decides.
    spectrum = Spectrum([SpectrumAtom(0.5, (0.3, 0.1)), SpectrumAtom(0.5, (0.2, 0.4))])
    evolution = StateEvolution(replace(MODEL, spectrum=spectrum, sigma=None))
    state = StepState(
        np.array([0.050, 0.046]), np.array([[0.0050, 0.0040]]), np.array([0.2]), np.array([10.0, 12.0]),
        np.array([[0.02], [0.03]]), np.array([200.0]),
    )  # fmt: skip
    rule, y, alpha = replace(RULE, nodes=4), 100.0, 1.2
    expected = stability(evolution, state, alpha, replace(rule, spacing=0.3)).replicons[0].regular
    equations = StepEquations(evolution, 2, rule)
    grid = StepEquations(evolution, 1, replace(rule, spacing=0.3)).grid(state)
    matrices = []
    for share in (0.2, 0.1):
        # Two directions of positive gaps, and what is left of each.
        gaps = share * state.gaps[0] * np.array([[1.0, 0.6], [0.6, 1.0]])
        left = []
        for gap in gaps:
            moved = replace(
                state, outer_overlap=state.outer_overlap - gap, gaps=np.stack([gap, state.gaps[0]]),
                parisi=np.array([y, 200.0]),
            )  # fmt: skip
            left.append(equations.evaluate(moved, alpha, grid).residual_state.gaps[0])
        matrices.append(np.linalg.solve(gaps, np.array(left)).T)
    found = np.linalg.eigvals(2.0 * matrices[1] - matrices[0])
    assert abs(found[0] - found[1]) > 0.1
    assert np.min(found.real) == pytest.approx(expected, abs=1e-2)
