"""The equations of k steps: replica symmetry as a limit, stationarity, symmetries, spectra."""

from dataclasses import replace

import numpy as np
import pytest

from replica import AttentionModel, Spectrum, SpectrumAtom
from replica.hierarchy.quantities import HierarchyQuantities
from replica.quantities.layout import Layout
from saddle import StateEvolution, find_point
from saddle.averages.channel import Channel
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.averages.moreau_envelope import EnvelopeTable
from saddle.continuation.newton import OutsideDomain
from saddle.state_evolution.steps.excess_on_grids import grid_excess
from saddle.state_evolution.steps.excess_on_lines import LineExcess
from saddle.state_evolution.steps.grid_rule import GridRule
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState, step_space

MODEL = AttentionModel.paper(omega=0.3)
RULE = GridRule(nodes=8, spacing=1.2, reach=5.0)
STATE = StepState(
    np.array([0.0480]), np.array([[0.0020]]), np.array([0.25]), np.array([12.0]), np.array([[0.03]]), np.array([300.0])
)


def test_vectors_and_states_are_the_same_thing():
    space = step_space(MODEL.structure.layout, 1)
    vector = space.vector(STATE)
    np.testing.assert_allclose(vector, [0.048, 0.05, 0.25, 12.0, 0.03])
    assert space.state(vector, STATE.parisi).gaps[0, 0] == pytest.approx(0.002)


@pytest.mark.parametrize("groups", [(0, 0), (0, 1)])
@pytest.mark.parametrize("steps", [1, 3])
def test_names_are_those_of_the_derivation(groups, steps):
    layout = Layout(groups)
    expected = tuple(x.name for x in HierarchyQuantities(layout, steps).order_parameters)
    assert step_space(layout, steps).names == expected


@pytest.mark.parametrize("rule", [RULE, JumpLineRule(roughness=30.0)])
@pytest.mark.parametrize("alpha", [0.8, 1.5])
def test_a_small_y_gives_replica_symmetry_back(alpha, rule):
    # At y -> 0 the gap drops out of everything but its own equation.
    evolution = StateEvolution(MODEL)
    symmetric = np.array([0.05, 0.25, 12.0, 0.03])
    expected = evolution.evaluate(symmetric, alpha)
    state = replace(STATE, parisi=np.array([0.5]))
    found = StepEquations(evolution, 1, rule).evaluate(state, alpha)
    rest = found.residual_state
    assert found.average_envelope == pytest.approx(expected.averages.envelope, rel=1e-4)
    units = expected.full_units
    ours = [rest.levels[-1, 0], rest.positional_overlap[0], rest.susceptibility[0], rest.semantic_overlap[0, 0]]
    np.testing.assert_allclose(ours / units, expected.full_residual / units, atol=1e-3)


@pytest.mark.parametrize("alpha", [2.5, 3.0])
def test_a_small_gap_decays_by_the_replicon(alpha):
    # Two minima drawn independently: what is left of a gap that vanishes is 1 - the replicon eigenvalue of it. There
    # are no jumps here, so that the Almeida-Thouless line is where either vanishes.
    point = find_point(StateEvolution(MODEL), "semantic", alpha)
    q, _, V, theta = point.evaluation.state
    gap = 0.05 * (q - theta**2 / MODEL.sigma**2)
    state = StepState(
        np.array([q - gap]),
        np.array([[gap]]),
        np.zeros(1),
        np.array([V]),
        np.array([[theta]]),
        np.array([0.002 * V / gap]),
    )  # fmt: skip
    found = StepEquations(point.evolution, 1, GridRule(nodes=16)).evaluate(state, alpha)
    replicon = point.replicon()
    assert replicon.jump_strength == 0.0
    excess = float(found.residual_state.gaps[0, 0]) / gap
    assert excess == pytest.approx(replicon.regular, abs=replicon.regular_error + 1e-3)


def test_lines_and_grids_are_two_ways_to_the_same():
    evolution = StateEvolution(MODEL)
    equations = StepEquations(evolution, 1, JumpLineRule())
    lines = equations.evaluate(STATE, 1.3)
    grid = StepEquations(evolution, 1, GridRule(nodes=12, spacing=0.8)).evaluate(STATE, 1.3)
    assert lines.free_entropy == pytest.approx(grid.free_entropy, rel=2e-5)
    assert lines.by_parisi[0] == pytest.approx(grid.by_parisi[0], rel=0.02)
    units = np.array([0.05, 0.05, 0.22, 12.0, 0.22])
    np.testing.assert_allclose(lines.residual / units, grid.residual / units, atol=1e-3)
    # What is left beyond the first order in the gap is a small part of it, and less than it.
    excess = lines.average[0] + lines.averages.envelope
    assert 0.0 < excess < equations.law.first_order(np.array([lines.average[4]]), STATE)[0]


@pytest.mark.parametrize("teacher_rank", [1, 2])
@pytest.mark.parametrize("position", [0.0, 0.25])
def test_nodes_that_reversals_map_to_each_other_are_worth_one(monkeypatch, teacher_rank, position):
    model = AttentionModel.paper(omega=0.3, teacher_rank=teacher_rank)
    state = replace(STATE, positional_overlap=np.array([position]), semantic_overlap=np.zeros((1, teacher_rank)))
    equations = StepEquations(StateEvolution(model), 1, GridRule(nodes=4, spacing=1.5, reach=4.0))
    folded = equations.grid(state)
    found = grid_excess(equations.law, state, folded)
    monkeypatch.setattr(Channel, "symmetries", lambda self, state, **_: ())
    every = equations.grid(state)
    assert len(folded.weights) < 0.8 * len(every.weights)
    np.testing.assert_allclose(found, grid_excess(equations.law, state, every), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("gap", [0.0068, 0.0007])
def test_a_share_of_the_first_order_leaves_lines_little_error(gap):
    # The solution at omega = 0.2, and a smaller gap with a balanced y. What embedded rules say of what a step adds
    # falls by a factor where the gap is large, and what few lines are wrong by is covered.
    evolution = StateEvolution(AttentionModel.paper(omega=0.2))
    state = StepState(
        np.array([0.0619 - gap]), np.array([[gap]]), np.array([0.2203]), np.array([13.93]), np.array([[0.0]]),
        np.array([25.4 / np.sqrt(gap)]),
    )  # fmt: skip

    def on_lines(roughness: float) -> tuple[float, float, float]:
        """Return the average, its error by lines, and the same error with all of the first order left out."""
        lines = StepEquations(evolution, 1, JumpLineRule(roughness=roughness)).evaluate(state, 1.5).source
        assert isinstance(lines, LineExcess)
        weights, excess, error = lines.outer.weights, lines.excess, lines.outer.error
        first = 0.5 * state.parisi[0] * gap * excess.squares.sum(axis=1)
        whole = np.array([(x - weights) @ (excess.value - first) for x in lines.outer.embedded])
        stated = error(lines.differences[:, 0]) + error(lines.share_differences[:, 0])
        return lines.total[0], stated, error(whole)

    fine, known, _ = on_lines(1.0)
    for roughness in (3.0, 30.0):
        found, stated, whole = on_lines(roughness)
        assert abs(found - fine) < stated + known
        if roughness < 10.0 and gap > 1e-3:
            assert stated < 0.3 * whole


def test_no_gap_leaves_all_of_the_first_order():
    law = StepEquations(StateEvolution(MODEL), 1).law
    assert law.first_order_share(replace(STATE, gaps=np.array([[1e-12]])))[0] == pytest.approx(1.0, abs=1e-4)
    assert 0.0 < law.first_order_share(STATE)[0] < 1.0


@pytest.mark.parametrize("shared", [False, True])
def test_a_share_of_the_first_order_has_its_derivatives(shared):
    law = StepEquations(StateEvolution(MODEL), 1).law
    space, squares = step_space(MODEL.structure.layout, 1), np.array([0.013])
    function = law.share_of_first_order if shared else law.first_order
    here = np.append(space.vector(STATE), STATE.parisi)
    slopes = function(squares, STATE)[1:]
    for place in range(len(here)):
        step = 1e-6 * here[place] * np.eye(len(here))[place]
        up, down = (function(squares, space.state(x[:-1], x[-1:]))[0] for x in (here + step, here - step))
        assert slopes[place] == pytest.approx((up - down) / (2.0 * step[place]), rel=1e-5, abs=1e-9)


def test_lines_differentiate_what_they_sum():
    equations = StepEquations(StateEvolution(MODEL), 1, JumpLineRule(roughness=30.0))

    def lines_at(state: StepState) -> LineExcess:
        source = equations.evaluate(state, 1.3).source
        assert isinstance(source, LineExcess)
        return source

    def added(**change) -> float:
        lines = lines_at(replace(STATE, **change))
        return float(lines.outer.weights @ lines.excess.value)

    here = lines_at(STATE)
    weights, excess = here.outer.weights, here.excess
    # With V the lines' jumps move, are born and vanish, with the gap nodes beside them do: sums see steps.
    for name, known, near in (
        ("gaps", np.sum(weights @ excess.by_step_variance), 1e-2),
        ("susceptibility", np.sum(weights @ excess.by_susceptibility), 2e-2),
        ("parisi", weights @ excess.by_parisi, 1e-3),
    ):
        value = getattr(STATE, name)
        up, down = (added(**{name: value * (1 + sign * 0.01)}) for sign in (1, -1))
        assert known == pytest.approx((up - down) / float(0.02 * value.ravel()[0]), rel=near)


def test_no_gap_is_too_small_for_lines(monkeypatch):
    # As many evaluations of the envelope whatever the gap; and where proximal points jump, the gap that a gap makes
    # grows as its root.
    counts = []
    counted = EnvelopeTable.at

    def at(table, fields, *rest):
        counts[-1] += len(fields)
        return counted(table, fields, *rest)

    monkeypatch.setattr(EnvelopeTable, "at", at)
    equations = StepEquations(StateEvolution(MODEL, threads=1), 1, JumpLineRule(roughness=30.0))
    made = []
    for gap in (1e-4, 1e-5, 1e-6):
        counts.append(0)
        state = replace(STATE, outer_overlap=STATE.levels[-1] - gap, gaps=np.array([[gap]]), parisi=15 / np.sqrt([gap]))
        made.append(gap - float(equations.evaluate(state, 1.3).residual_state.gaps[0, 0]))
    assert max(counts) < 1.2 * min(counts)
    assert made[1] / made[2] == pytest.approx(np.sqrt(10.0), rel=0.1)


def test_the_functional_is_stationary_where_the_residual_vanishes():
    # d(Phi - Phi')/dx along any direction is the conjugates' share of the residual: compare slopes by differences.
    # On enough nodes: first orders in gaps are the kernel's, whose derivatives belong to its own nodes.
    equations = StepEquations(StateEvolution(MODEL), 1, GridRule(nodes=16))
    grid = equations.grid(STATE)
    here = equations.evaluate(STATE, 1.3, grid)
    n = step_space(MODEL.structure.layout, 1).size
    trace = equations.terms.trace_function
    space = step_space(MODEL.structure.layout, 1)
    _, _, hessian = trace.evaluate(np.concatenate([space.vector(STATE), np.zeros(n), STATE.parisi]))
    stationarity = hessian[n : 2 * n, :n] @ here.residual
    step = 1e-6
    for name in ("outer_overlap", "positional_overlap", "semantic_overlap", "gaps"):
        moved = [
            equations.evaluate(replace(STATE, **{name: getattr(STATE, name) + sign * step}), 1.3, grid)
            for sign in (1, -1)
        ]
        slope = (moved[0].free_entropy - moved[1].free_entropy) / (2 * step)
        through = stationarity @ (moved[0].conjugates - moved[1].conjugates) / (2 * step)
        assert slope == pytest.approx(through, rel=2e-4, abs=1e-7)
    moved = [equations.evaluate(replace(STATE, parisi=STATE.parisi + sign * 0.01), 1.3, grid) for sign in (1, -1)]
    slope = (moved[0].free_entropy - moved[1].free_entropy) / 0.02
    through = stationarity @ (moved[0].conjugates - moved[1].conjugates) / 0.02
    assert slope - through == pytest.approx(here.by_parisi[0], rel=1e-5)


def test_nodes_that_symmetries_fold_stand_for_all():
    state = replace(STATE, semantic_overlap=np.zeros((1, 1)))
    folded = StepEquations(StateEvolution(MODEL), 1, RULE)
    # Encodings that are no more opposite, by nothing that matters.
    odd = AttentionModel.paper(omega=0.3, positional_encoding=(1.0, -1.0 + 1e-13))
    whole = StepEquations(StateEvolution(odd), 1, RULE)
    a, b = folded.evaluate(state, 1.2), whole.evaluate(state, 1.2)
    assert a.grid is not None
    assert b.grid is not None
    assert len(a.grid.weights) < len(b.grid.weights)
    assert a.free_entropy == pytest.approx(b.free_entropy, rel=1e-9)
    np.testing.assert_allclose(a.residual, b.residual, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(a.by_parisi, b.by_parisi, rtol=1e-6)


def test_a_spectrum_of_equal_eigenvalues_is_no_spectrum():
    variance = MODEL.sigma**2
    spectrum = Spectrum([SpectrumAtom(0.25, (variance,) * 2), SpectrumAtom(0.75, (variance,) * 2)])
    with_spectrum = replace(MODEL, spectrum=spectrum, sigma=None)
    plain = StepEquations(StateEvolution(MODEL), 1, RULE).evaluate(STATE, 1.2)
    other = StepEquations(StateEvolution(with_spectrum), 1, RULE).evaluate(STATE, 1.2)
    assert other.free_entropy == pytest.approx(plain.free_entropy, rel=1e-9)
    np.testing.assert_allclose(other.residual, plain.residual, rtol=1e-6, atol=1e-10)


def test_what_is_outside_the_domain_is_refused():
    equations = StepEquations(StateEvolution(MODEL), 1, RULE)
    for change in (
        {"outer_overlap": np.array([-0.01])},
        {"gaps": np.array([[0.0]])},
        {"susceptibility": np.array([np.nan])},
        {"parisi": np.array([-1.0])},
        {"semantic_overlap": np.array([[0.2]])},
    ):
        with pytest.raises(OutsideDomain, match="outside their domain"):
            equations.evaluate(replace(STATE, **change), 1.2)


def test_two_columns_are_refused():
    with pytest.raises(ValueError, match="rank 1, got rank 2"):
        StepEquations(StateEvolution(AttentionModel.paper(rank=2)), 1)


def test_lines_serve_one_step():
    with pytest.raises(ValueError, match="one step and two tokens or more, got 2 step"):
        StepEquations(StateEvolution(MODEL), 2, JumpLineRule())


@pytest.mark.parametrize(("name", "value"), [("modes", 2), ("nodes", 0), ("roughness", 0.0), ("spacing", np.nan)])
def test_rules_that_make_no_lines_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        JumpLineRule(**{name: value})


def test_too_many_points_are_refused_before_they_are_made():
    equations = StepEquations(StateEvolution(MODEL), 1, RULE)
    with pytest.raises(ValueError, match="points of local fields are needed"):
        equations.grid(replace(STATE, gaps=np.array([[1e-9]])))


@pytest.mark.parametrize(("name", "value"), [("nodes", 1), ("nodes", 2.5), ("spacing", 0.0), ("reach", np.inf)])
def test_rules_that_make_no_grid_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        GridRule(**{name: value})
