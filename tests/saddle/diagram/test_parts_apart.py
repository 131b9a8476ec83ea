"""Laws of models whose parts do not interact: tokens are more samples, columns are learners of their own."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel, Spectrum
from saddle import LineRule, SolverError, find_point, solve_phase_diagram
from saddle.diagram.solving import _unseen
from saddle.state_evolution.state_evolution import StateEvolution

# Its nodes reach so far that some 2e-5 of averages are beyond, which two models leave out differently.
RULE = LineRule.for_tolerance(1e-4)
ROUGH = LineRule.for_tolerance(2e-2)
PENALTY = 0.05


def square(z, y):
    return (y - z) ** 2 / 2


def pseudo_huber(z, y):
    return sp.sqrt(1 + (y - z) ** 2) - 1


def single(loss, output) -> MultiIndexModel:
    return MultiIndexModel(lambda z, y: loss(z[0], y[0]), PENALTY, lambda h, xi: [output(h[0])])


def solved(model: MultiIndexModel, alpha: float, sector: str = ""):
    """Return the solution of a sector, by default of the one where most vanishes."""
    evolution = StateEvolution(model, RULE, threads=1)
    return find_point(evolution, sector or evolution.sectors[0].name, alpha)


@pytest.mark.slow
def test_tokens_that_do_not_interact_are_more_samples():
    two = MultiIndexModel(
        lambda z, y: pseudo_huber(z[0], y[0]) + pseudo_huber(z[1], y[1]),
        PENALTY,
        lambda h, xi: [sp.erf(h[0]), sp.erf(h[1])],
        spectrum=Spectrum.isotropic(1.0, 1.0),
    )
    of_two, of_one = solved(two, 0.8), solved(single(pseudo_huber, sp.erf), 1.6)
    np.testing.assert_allclose(of_two.evaluation.state, of_one.evaluation.state, rtol=5e-5)
    assert of_two.train_loss == pytest.approx(of_one.train_loss, rel=5e-5)
    assert of_two.test_error == pytest.approx(of_one.test_error, rel=5e-5)
    # What an error or a replicon says of the law of a sample, too.
    assert of_two.replicon().regular == pytest.approx(of_one.replicon().regular, abs=1e-5)
    # A law that any two solutions obey would be none.
    assert solved(two, 1.6).train_loss != pytest.approx(of_one.train_loss, rel=0.1)


COLUMNS = MultiIndexModel(
    lambda z, y: square(z[0], y[0]) + pseudo_huber(z[1], y[1]),
    PENALTY,
    lambda h, xi: [sp.erf(h[0]), h[1] + h[1] ** 3 / 6],
    rank=2,
    teacher_rank=2,
)
PARTS = (single(square, sp.erf), single(pseudo_huber, lambda h: h + h**3 / 6))


@pytest.fixture(scope="module")
def columns():
    """Both columns where they know nothing of each other."""
    return solved(COLUMNS, 1.5)


def test_columns_that_do_not_interact_have_a_family_in_which_they_know_nothing_of_each_other():
    space = StateEvolution(COLUMNS, RULE).space
    apart, together = space.sectors
    vanishing = {space.quantities[i].name for i in range(space.size) if i not in apart.free}
    assert vanishing == {"self_overlap_12", "susceptibility_12", "teacher_overlap_12", "teacher_overlap_21"}
    assert len(together.free) == space.size


@pytest.mark.slow
def test_columns_that_do_not_interact_are_learners_of_their_own(columns):
    both, alpha = columns, 1.5
    space, state = both.evolution.space, both.evaluation.state
    alone = [solved(model, alpha) for model in PARTS]
    q, V, theta = np.array([x.evaluation.state for x in alone]).T
    for kind, diagonal in (("self_overlap", q), ("susceptibility", V), ("semantic_overlap", theta)):
        np.testing.assert_allclose(space.matrices(state, kind)[0], np.diag(diagonal), rtol=1e-4, atol=1e-8)
    assert both.train_loss == pytest.approx(sum(x.train_loss for x in alone), rel=1e-4)
    assert both.test_error == pytest.approx(sum(x.test_error for x in alone), rel=1e-4)
    # The loss is convex: there is no other solution, as one in which columns know of each other would be.
    with pytest.raises(SolverError):
        find_point(StateEvolution(COLUMNS, ROUGH, threads=1), "teacher-12 2", alpha)


@pytest.mark.slow
def test_errors_of_columns_that_do_not_interact_are_those_of_their_own(columns):
    """The lattice of two columns has directions that are not alike: each column varies along its own alone."""
    both = find_point(StateEvolution(COLUMNS, ROUGH, threads=1), "teacher-12", 1.5)
    exact = columns.evaluation.state
    away = np.abs(both.evaluation.state - exact)
    stated = both.evaluation.order_parameter_errors(both.sector.free)
    assert np.all(away <= stated + 1e-9)


def units(h):
    """Two units whose sum and difference are columns: exchanging them reverses the second column."""
    return (h[0] + h[1]) / sp.sqrt(2), (h[0] - h[1]) / sp.sqrt(2)


def outputs_of(h):
    return sum(sp.erf(2 * x) for x in units(h))


COMMITTEE = MultiIndexModel(
    lambda z, y: square(outputs_of(z), y[0]), 0.02, lambda h, xi: [outputs_of(h)], rank=2, teacher_rank=2
)
ALIKE = {"self_overlap_12", "susceptibility_12", "teacher_overlap_12", "teacher_overlap_21"}


def typed(h):
    return sum(sp.erf(2 * h[k]) for k in range(2))


TYPED = MultiIndexModel(lambda z, y: square(typed(z), y[0]), 0.02, lambda h, xi: [typed(h)], rank=2, teacher_rank=2)


def test_a_committee_in_sum_and_difference_is_the_one_that_was_typed_so():
    assert TYPED.in_sum_and_difference() == COMMITTEE


@pytest.mark.slow
def test_equations_do_not_know_in_which_columns_a_committee_is_written():
    """Averages at a state of units, turned into their sum and difference, are those of the model written so."""
    of_units, of_sums = (StateEvolution(model, LineRule.for_tolerance(5e-4)) for model in (TYPED, COMMITTEE))
    turn = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)
    space = of_units.space
    state = np.zeros(space.size)
    matrices = {
        "self_overlap": np.array([[0.5, 0.1], [0.1, 0.7]]),
        "susceptibility": np.array([[1.2, 0.2], [0.2, 0.9]]),
        "semantic_overlap": np.array([[0.5, 0.1], [0.2, 0.4]]),
    }
    turned = np.zeros(space.size)
    for index, x in enumerate(space.quantities):
        state[index] = matrices[x.kind][x.indices]
        turned[index] = (turn @ matrices[x.kind] @ turn)[x.indices]
    here, there = of_units.channel.averages(state), of_sums.channel.averages(turned)
    # Lattices in turned coordinates are others: to what is left of their errors of some per cent.
    assert here.envelope == pytest.approx(there.envelope, rel=0.015)
    assert here.test_error == pytest.approx(there.test_error, rel=0.005)
    assert of_sums.channel.averages(state).test_error != pytest.approx(there.test_error, rel=0.02)
    assert _unseen(of_units).startswith("columns of the student may be exchanged (1 with 2)")
    assert _unseen(of_sums) == ""


@pytest.mark.slow
def test_a_diagram_of_columns_that_may_be_exchanged_says_so():
    """A sum of two columns: their difference is not learned at all, so that q has no inverse, and none is known."""
    model = MultiIndexModel(lambda z, y: square(z[0] + z[1], y[0]), PENALTY, rank=2)
    rule = LineRule(teacher_spacing=1.2, common_spacing=1.2, reach=3.0)
    diagram = solve_phase_diagram(model, (1.0, 2.0), points=2, rule=rule, progress=False)
    assert diagram.audit.unseen.startswith("columns of the student may be exchanged (1 with 2)")
    assert not diagram.audit.passed
    assert [phase.branch for phase in diagram.phases] == [None]


@pytest.mark.slow
def test_units_of_a_committee_are_alike_or_specialised_where_columns_are_their_sum_and_difference():
    evolution = StateEvolution(COMMITTEE, LineRule(teacher_spacing=0.8, common_spacing=1.0, reach=3.5))
    space = evolution.space
    vanishing = [{space.quantities[i].name for i in range(space.size) if i not in x.free} for x in space.sectors]
    named = dict(zip((x.name for x in space.sectors), vanishing, strict=True))
    assert named["teacher-1"] == {*ALIKE, "teacher_overlap_22"}
    assert named["teacher-12"] == ALIKE
    alike, specialised = (find_point(evolution, name, 3.0) for name in ("teacher-1", "teacher-12"))
    difference = [x.name for x in space.quantities].index("teacher_overlap_22")
    assert alike.evaluation.state[difference] == 0.0
    assert specialised.evaluation.state[difference] > 0.5
    # With as many samples units that specialise have the lower loss, and know much more; with few, none do.
    assert specialised.train_loss < alike.train_loss
    assert specialised.test_error < 0.1 < 0.4 < alike.test_error
    find_point(evolution, "teacher-1", 1.0)
    with pytest.raises(SolverError):
        find_point(evolution, "teacher-12", 1.0)
