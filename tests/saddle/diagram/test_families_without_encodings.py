"""Families of models without encodings: named by the teacher's columns, and looked for in all of them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel, derive
from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters
from replica.symmetry.families import FAMILIES, families_of, family_of, is_family
from saddle import (
    LineRule,
    SolverError,
    StateEvolution,
    find_point,
    solve_broken_symmetry,
    solve_phase_diagram,
    solve_transition_line,
)
from saddle.branches.search.informed_starts import seeds_of_family
from saddle.branches.search.seeking import seek

RULE = LineRule.for_tolerance(2e-2)


def blind(z, y):
    """A loss that knows its arguments up to their signs."""
    return (z**2 - y**2) ** 2 / 4


RETRIEVAL = MultiIndexModel(lambda z, y: blind(z[0], y[0]), 0.05)
TWO_COLUMNS = MultiIndexModel(lambda z, y: blind(z[0], y[0]) + blind(z[1], y[1]), 0.05, rank=2, teacher_rank=2)
COMMITTEE = MultiIndexModel(
    lambda z, y: (sp.erf(z[0]) + sp.erf(z[1]) - y[0]) ** 2 / 2,
    0.05,
    lambda h, xi: [sp.erf(h[0]) + sp.erf(h[1])],
    rank=2,
    teacher_rank=2,
)


def regression(outputs, noise: int = 0) -> MultiIndexModel:
    return MultiIndexModel(lambda z, y: (z[0] - y[0]) ** 2 / 2, 0.1, outputs, noise=noise)


def test_a_family_is_what_its_free_overlaps_say():
    layout = Layout(rank=2, teacher_rank=2, directions=0)
    quantities = order_parameters(layout)
    overlaps = {x.name: x for x in quantities if x.kind == "semantic_overlap"}
    assert set(overlaps) == {"teacher_overlap_11", "teacher_overlap_12", "teacher_overlap_21", "teacher_overlap_22"}
    assert family_of([x for x in quantities if x.kind == "self_overlap"], layout) == "agnostic"
    assert family_of([overlaps["teacher_overlap_21"]], layout) == "teacher-1"
    assert family_of([overlaps["teacher_overlap_21"], overlaps["teacher_overlap_12"]], layout) == "teacher-12"
    assert families_of(layout) == ("agnostic", "teacher-1", "teacher-2", "teacher-12")
    assert families_of(Layout()) == FAMILIES
    assert not any(map(is_family, ("teacher-", "teacher-0", "teachers", "", "null")))


def test_columns_that_do_not_interact_are_reversed_one_by_one():
    symmetries = derive(TWO_COLUMNS).symmetries
    assert {(x.student, x.teacher) for x in symmetries.generators} == {
        ((0,), ()), ((1,), ()), ((), (0,)), ((), (1,))
    }  # fmt: skip
    # The teacher's sign is no symmetry of its outputs, but one of the loss.
    (sector,) = [x for x in derive(RETRIEVAL).sectors if x.family == "agnostic"]
    assert sector.free == (0, 1)
    squares = MultiIndexModel(lambda z, y: (z[0] - y[0]) ** 2 + (z[1] - y[1]) ** 2, 0.1, rank=2, teacher_rank=2)
    # Only with their teachers: correlations between columns may vanish then, and nothing else.
    assert [x.broken for x in derive(squares).sectors if len(x.free) == 6] == [(6, 9)]


def test_starts_of_several_columns_are_states_that_weights_can_have():
    evolution = StateEvolution(COMMITTEE, RULE, threads=1)
    space, variances = evolution.space, evolution.channel.variances
    (sector,) = space.sectors
    seeds = list(seeds_of_family(evolution, sector.family, sector.broken))
    assert all(space.inside(state, variances) for state in seeds)
    thetas = [space.matrices(state, "semantic_overlap")[0] for state in seeds]
    # Each column of the teacher is known by both of the student's, or by one.
    assert {int(np.count_nonzero(theta)) for theta in thetas} == {2, 4}


@pytest.mark.slow
def test_each_of_two_columns_finds_its_teacher_or_not():
    """Where one column is a minimum with and without its teacher, two that do not interact are in all four ways."""
    evolution = StateEvolution(TWO_COLUMNS, LineRule.for_tolerance(5e-3), threads=1)
    found = {one.sector.family: one for one in seek(evolution, 4.0, []).new if one.attracting}
    assert set(found) == {"agnostic", "teacher-1", "teacher-2", "teacher-12"}
    phi = {family: one.evaluation.free_entropy for family, one in found.items()}
    error = sum(one.evaluation.free_entropy_error for one in found.values())
    assert phi["teacher-12"] + phi["agnostic"] == pytest.approx(phi["teacher-1"] + phi["teacher-2"], abs=3.0 * error)
    single = seek(StateEvolution(RETRIEVAL, LineRule.for_tolerance(1e-3), threads=1), 4.0, []).new
    (one,) = [x for x in single if x.sector.family == "teacher" and x.attracting]
    assert phi["teacher-12"] == pytest.approx(2.0 * one.evaluation.free_entropy, rel=0.01)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alpha_c", "defined for attention"),
        ("linear positional", "defined for attention"),
        ("agnostic -> semantic", "begin with 'null', 'agnostic', 'teacher'"),
    ],
)
def test_lines_of_what_other_models_have_are_refused_at_once(name, words):
    with pytest.raises(ValueError, match=words):
        solve_transition_line(RETRIEVAL, name, "regularization", (0.03, 0.06))


def test_a_convex_loss_with_noise_has_no_gap():
    point = find_point(StateEvolution(regression(lambda h, xi: [h[0] + xi[0]], 1), RULE, threads=1), "teacher", 1.0)
    with pytest.raises(SolverError, match="no gap between overlaps"):
        solve_broken_symmetry(point)


def test_a_sector_is_asked_for_by_its_own_name():
    evolution = StateEvolution(regression(lambda h, xi: [h[0] + xi[0]], 1), RULE, threads=1)
    assert find_point(evolution, "teacher", 1.0).order_parameters["teacher_overlap"] > 0.1
    with pytest.raises(ValueError, match="'teacher', got 'semantic'"):
        find_point(evolution, "semantic", 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outputs", "noise", "family"),
    [
        # A faint overlap is one: noise of 400 times the signal's variance.
        (lambda h, xi: [h[0] + 20 * xi[0]], 1, "teacher"),
        # None is left by symmetry here, but the teacher has no linear part.
        (lambda h, xi: [h[0] ** 3 - 3 * h[0]], 0, "agnostic"),
        (lambda h, xi: [sp.Integer(1)], 0, "agnostic"),
    ],
)
def test_agnostic_is_what_overlaps_with_no_teacher(outputs, noise, family):
    diagram = solve_phase_diagram(regression(outputs, noise), (0.1, 2.0), points=3, tolerance=1e-3, progress=False)
    assert [phase.branch for phase in diagram.phases] == [family]
    overlap = np.abs(diagram.branches[family].order_parameters["teacher_overlap"])
    assert np.all(overlap > 0.01) if family == "teacher" else np.all(overlap < 2e-3)
