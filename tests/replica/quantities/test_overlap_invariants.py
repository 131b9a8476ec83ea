"""Invariants of overlaps under rotations of the student's columns: given matrices, bounds, names, chance."""

import math

import numpy as np
import pytest

from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters
from replica.quantities.overlap_invariants import invariant_errors, invariant_names, overlap_invariants, single_overlaps
from validation.simulation.compared import COMPARED, chance_ratio, compared_names, quantity_label, signless_overlaps


def test_of_one_column_they_are_the_overlaps_without_signs():
    values = {"self_overlap": 0.1, "positional_overlap": -0.2, "semantic_overlap": -0.3, "susceptibility": 9.0}
    expected = {"self_overlap": 0.1, "positional_overlap": 0.2, "semantic_overlap": 0.3}
    assert overlap_invariants(Layout(), values) == expected
    errors = {name: 1e-3 * (k + 1) for k, name in enumerate(values)}
    assert invariant_errors(Layout(), errors) == {name: errors[name] for name in expected}
    assert (*expected, "train_loss", "test_error") == COMPARED


def test_of_given_matrices_they_are_eigenvalues_and_singular_values():
    layout = Layout((0, 1), rank=2, teacher_rank=1, directions=2)
    values = {
        "self_overlap_1_11": 2.0, "self_overlap_1_12": 1.0, "self_overlap_1_22": 2.0,
        "self_overlap_2_11": 5.0, "self_overlap_2_12": 0.0, "self_overlap_2_22": 7.0,
        "positional_overlap_11": 0.0, "positional_overlap_12": -3.0, "positional_overlap_21": 2.0,
        "positional_overlap_22": 0.0,
        "semantic_overlap_1_1": 3.0, "semantic_overlap_1_2": -4.0,
        "semantic_overlap_2_1": 0.0, "semantic_overlap_2_2": 1.0,
    }  # fmt: skip
    expected = {
        "self_overlap_1_1": 3.0, "self_overlap_1_2": 1.0, "self_overlap_2_1": 7.0, "self_overlap_2_2": 5.0,
        "positional_overlap_1": 3.0, "positional_overlap_2": 2.0, "semantic_overlap_1": 5.0, "semantic_overlap_2": 1.0,
    }  # fmt: skip
    found = overlap_invariants(layout, values)
    assert found == pytest.approx(expected, abs=1e-14)
    assert tuple(found) == invariant_names(layout)
    del values["positional_overlap_21"]
    with pytest.raises(ValueError, match="positional_overlap_21"):
        overlap_invariants(layout, values)


@pytest.mark.parametrize("layout", [Layout(), Layout((0, 1)), Layout((0, 1, 0), 3, 2, 2), Layout((0, 0), 2, 3, 1)])
def test_no_perturbation_within_the_errors_moves_an_invariant_by_more_than_its_bound(layout):
    generator = np.random.default_rng(0)
    names = [entry.name for entry in order_parameters(layout)]
    for _ in range(50):
        values, errors = (dict(zip(names, generator.normal(size=len(names)), strict=True)) for _ in range(2))
        errors = {name: 1e-2 * abs(x) for name, x in errors.items()}
        moved = {name: values[name] + generator.uniform(-1, 1) * errors[name] for name in names}
        bounds = invariant_errors(layout, errors)
        here, there = overlap_invariants(layout, values), overlap_invariants(layout, moved)
        assert all(abs(here[name] - there[name]) <= bounds[name] + 1e-15 for name in bounds)
    if layout.rank == 1:
        assert bounds["positional_overlap"] == errors["positional_overlap"]


def test_names_that_keep_a_sign_and_names_that_have_none():
    groups = Layout((0, 1))
    assert single_overlaps(groups) == ("positional_overlap", "semantic_overlap_1", "semantic_overlap_2")
    assert signless_overlaps(groups) == ()
    two = Layout((0, 0), rank=2, directions=2)
    assert single_overlaps(two) == ()
    assert signless_overlaps(two) == ("positional_overlap_1", "positional_overlap_2", "semantic_overlap")
    assert [quantity_label(name) for name in compared_names(two)] == [
        "q_1", "q_2", "m_1", "m_2", "theta", "training loss", "test error",
    ]  # fmt: skip


@pytest.mark.parametrize(("rank", "teachers"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_chance_explains_at_most_this_ratio_of_mean_to_spread(rank, teachers):
    layout = Layout((0, 0), rank, teachers)
    entries = np.random.default_rng(1).standard_normal((20_000, rank, teachers))
    lengths = np.linalg.norm(entries, axis=(1, 2))
    ratio = chance_ratio(layout, "semantic_overlap")
    assert lengths.mean() / lengths.std() == pytest.approx(ratio, rel=0.03)
    if rank == teachers == 1:
        assert ratio == pytest.approx(math.sqrt(2 / math.pi) / math.sqrt(1 - 2 / math.pi))
