"""The vector of order parameters of any model: sectors, units, domain, rotations and exchanges of columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters
from replica.symmetry.sectors import PAPER_SECTORS, find_sectors
from replica.symmetry.signs import sign_group
from saddle.averages.state_space import StateSpace

STUDENT, TEACHER = (1, -1, 1, -1), (1, 1, 1, -1)
RANK_TWO = Layout((0, 0), 2, 1, 1)


@st.composite
def layouts(draw, most_rank=3):
    groups = draw(st.sampled_from([(0, 0), (0, 1), (0, 1, 0), (0, 1, 2)]))
    return Layout(
        groups, draw(st.integers(1, most_rank)), draw(st.integers(1, 2)), draw(st.integers(1, min(2, len(groups))))
    )


def column_reversals(layout):
    """Return how reversals of every student's column and every teacher's column act."""
    found = []
    for column in range(layout.rank):
        signs = []
        for x in order_parameters(layout):
            sign = -1 if x.indices[0] == column else 1
            both = x.kind in ("self_overlap", "susceptibility")
            signs.append(-sign if both and x.indices[1] == column else sign)
        found.append(tuple(signs))
    for column in range(layout.teacher_rank):
        found.append(
            tuple(
                -1 if x.kind == "semantic_overlap" and x.indices[1] == column else 1 for x in order_parameters(layout)
            )
        )
    return tuple(found)


def space_of(layout):
    return StateSpace(layout, column_reversals(layout), layout.rank > 1)


def as_matrices(space, state):
    kinds = ("self_overlap", "positional_overlap", "susceptibility", "semantic_overlap")
    return {kind: space.matrices(state, kind) for kind in kinds}


def as_state(space, matrices):
    values = []
    for x in space.quantities:
        values.append(matrices[x.kind][x.group or 0][x.indices])
    return np.array(values)


def random_state(layout, seed):
    """Return a state inside the domain, and the teacher's variances."""
    generator = np.random.default_rng(seed)
    r, t, k, groups = layout.rank, layout.teacher_rank, layout.directions, layout.group_count
    joint = generator.standard_normal((groups, r + t, 2 * (r + t)))
    joint = joint @ joint.transpose(0, 2, 1)
    root = generator.standard_normal((groups, r, 2 * r))
    matrices = {
        "self_overlap": joint[:, :r, :r],
        "semantic_overlap": joint[:, :r, r:],
        "susceptibility": root @ root.transpose(0, 2, 1),
        "positional_overlap": np.broadcast_to(generator.standard_normal((r, k)), (groups, r, k)),
    }
    return as_state(space_of(layout), matrices), joint[:, r:, r:]


def rotated(space, state, rotation):
    """Return the state of Q R: matrices transform as R^T q R, R^T m, R^T theta."""
    matrices = as_matrices(space, state)
    for kind in matrices:
        both = kind in ("self_overlap", "susceptibility")
        matrices[kind] = rotation.T @ matrices[kind] @ (rotation if both else np.eye(matrices[kind].shape[2]))
    return as_state(space, matrices)


def test_sectors_of_the_paper():
    assert find_sectors(Layout(), (STUDENT, TEACHER)) == PAPER_SECTORS
    assert sign_group((STUDENT, TEACHER)) == (STUDENT, TEACHER, (1, -1, 1, 1))


def test_without_the_teachers_reversal_families_are_not_told_apart():
    space = StateSpace(Layout(), (STUDENT,))
    assert [sector.name for sector in space.sectors] == ["agnostic", "mixed"]
    assert not space.tells_families_apart
    assert StateSpace(Layout(), ()).sectors[0].free == (0, 1, 2, 3)


def test_sectors_of_a_student_of_rank_two():
    space = space_of(RANK_TWO)
    letters = [x.letter for x in space.quantities]
    aligned = {s.name: {letters[i] for i in s.broken} for s in space.sectors if space.is_aligned(s)}
    # The teacher in the encodings' column or in the other one: two ways to be mixed.
    assert aligned == {
        "agnostic": set(),
        "positional": {"m_1"},
        "semantic": {"theta_1"},
        "mixed": {"m_1", "theta_2"},
        "mixed 2": {"m_1", "theta_1"},
    }
    assert space.tells_families_apart


def test_a_block_holds_what_symmetries_do_not_separate():
    space = space_of(RANK_TWO)
    letters = [x.letter for x in space.quantities]
    positional = space.sector_named("positional")
    blocks = {x: {letters[i] for i in space.block_of(positional, letters.index(x))} for x in letters}
    assert blocks["m_2"] == {"q_12", "V_12", "m_2"}
    assert blocks["theta_1"] == {"theta_1"}
    assert blocks["q_11"] == {letters[i] for i in positional.free}


@settings(max_examples=40)
@given(layout=layouts(), seed=st.integers(0, 1000))
def test_matrices_hold_every_entry_once(layout, seed):
    space = space_of(layout)
    state, _ = random_state(layout, seed)
    np.testing.assert_array_equal(as_state(space, as_matrices(space, state)), state)


@settings(max_examples=40)
@given(layout=layouts(), seed=st.integers(0, 1000), shrink=st.floats(1.01, 3.0))
def test_domain_is_where_covariances_are_positive_definite(layout, seed, shrink):
    space = space_of(layout)
    state, variances = random_state(layout, seed)
    assert space.inside(state, variances)
    # theta at the edge explains all of q along some direction; beyond it nothing is left.
    q, theta = space.matrices(state, "self_overlap"), space.matrices(state, "semantic_overlap")
    explained = theta @ np.linalg.inv(variances) @ theta.transpose(0, 2, 1)
    largest = max(np.linalg.eigvals(np.linalg.solve(a, b)).real.max() for a, b in zip(q, explained, strict=True))
    beyond = state.copy()
    index = list(space.of_kind("semantic_overlap"))
    beyond[index] *= shrink / np.sqrt(largest)
    assert not space.inside(beyond, variances)
    beyond[index] /= 1.02 * shrink
    assert space.inside(beyond, variances)
    for kind in ("self_overlap", "susceptibility"):
        wrong = state.copy()
        wrong[space.of_kind(kind)[0]] *= -1.0
        assert not space.inside(wrong, variances)
    assert not space.inside(np.where(np.arange(state.size) == 0, np.nan, state), variances)


@settings(max_examples=40)
@given(layout=layouts(), seed=st.integers(0, 1000))
def test_symmetries_map_the_domain_and_units_to_themselves(layout, seed):
    # Correlated columns of the teacher cannot be reversed one by one.
    assume(layout.teacher_rank == 1)
    space = space_of(layout)
    state, variances = random_state(layout, seed)
    for element in space.group:
        image = np.array(element) * state
        assert space.inside(image, variances)
        np.testing.assert_allclose(space.units(image, variances), space.units(state, variances))


@settings(max_examples=40)
@given(layout=layouts(), seed=st.integers(0, 1000))
def test_tangents_of_orbits(layout, seed):
    space = space_of(layout)
    state, _ = random_state(layout, seed)
    pairs = [(a, b) for a in range(layout.rank) for b in range(a + 1, layout.rank)]
    assert len(space._rotations) == len(pairs)
    angle = 1e-5
    for (a, b), change in zip(pairs, space._rotations, strict=True):
        rotation = np.eye(layout.rank)
        rotation[a, a] = rotation[b, b] = np.cos(angle)
        rotation[b, a], rotation[a, b] = np.sin(angle), -np.sin(angle)
        moved = (rotated(space, state, rotation) - rotated(space, state, rotation.T)) / (2 * angle)
        np.testing.assert_allclose(change @ state, moved, atol=1e-8 * np.abs(state).max())


@settings(max_examples=30)
@given(seed=st.integers(0, 1000))
def test_only_the_orbits_eigenvalue_changes(seed):
    space = space_of(RANK_TWO)
    state, variances = random_state(RANK_TWO, seed)
    units = space.units(state, variances)
    (change,) = space._rotations
    tangent = change @ state
    generator = np.random.default_rng(seed)
    jacobian = generator.standard_normal((space.size, space.size))
    jacobian -= np.outer(jacobian @ tangent, tangent) / (tangent @ tangent)
    before = np.linalg.eigvals(jacobian)
    after = np.linalg.eigvals(space.across_orbits(state, jacobian, units))
    others = np.delete(before, np.argmin(np.abs(before)))
    for value in (*others, 1.0):
        assert np.min(np.abs(after - value)) < 1e-6


@settings(max_examples=30)
@given(layout=layouts(), seed=st.integers(0, 1000))
def test_exchanges_of_columns(layout, seed):
    space = space_of(layout)
    state, _ = random_state(layout, seed)
    assert len(space.exchanges) == layout.rank - 1
    for a, moved in enumerate(space.exchanges):
        exchange = np.eye(layout.rank)[[*range(a), a + 1, a, *range(a + 2, layout.rank)]]
        np.testing.assert_array_equal(state[moved], rotated(space, state, exchange))
        alike = 0.5 * (state + state[moved])
        assert any(np.array_equal(moved, other) for other in space.exchanges_fixing(alike))
        assert not any(np.array_equal(moved, other) for other in space.exchanges_fixing(state))


def test_what_a_sector_breaks():
    space = StateSpace(Layout(), (STUDENT, TEACHER))
    positional, mixed = space.sector_named("positional"), space.sector_named("mixed")
    assert set(space.broken_by(positional)) == {(1,)}
    assert set(space.broken_by(mixed)) == {(1, 3), (3,), (1,)}
    with pytest.raises(KeyError):
        space.sector_named("neither")
