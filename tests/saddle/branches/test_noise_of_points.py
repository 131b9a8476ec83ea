"""Scattered points respect no symmetry: a symmetric solution is not taken for another one by what they err."""

from __future__ import annotations

import numpy as np
import pytest

from replica import AttentionModel
from saddle import SobolRule, StateEvolution, find_point
from saddle.branches.search.sector_solver import evaluation_of, free_of_noise, solve_state
from saddle.branches.search.seeking import seek
from tests.models.multi_index import single_location


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_solution_is_not_found_again_where_points_break_its_symmetry(seed):
    evolution, alpha = StateEvolution(single_location(2.0), SobolRule(points=64, seed=seed)), 6.0
    symmetric, wider = evolution.sectors
    known = find_point(evolution, symmetric, alpha).evaluation.state
    broken = sorted(set(wider.free) - set(symmetric.free))
    # In the wider sector there is a solution beside it, which breaks the symmetry by no more than the points err.
    here = evaluation_of(solve_state(evolution, wider, known + 1e-3, alpha))
    assert np.all(np.abs(here.state[broken]) > 1e-6)
    cleaned = free_of_noise(here, wider)
    np.testing.assert_array_equal(cleaned[broken], 0.0)
    np.testing.assert_array_equal(cleaned[list(symmetric.free)], here.state[list(symmetric.free)])
    assert seek(evolution, alpha, [known]).new == ()


# Of two scrambles Student's law says next to nothing: what is large stays all the same.
@pytest.mark.parametrize("scrambles", [2, 4])
def test_what_exceeds_errors_stays(coarse_rule, scrambles):
    model = AttentionModel.paper(omega=0.3)
    state, mixed = np.array([0.07, 0.13, 22.0, 0.06]), StateEvolution(model, coarse_rule).sectors[-1]
    scattered = StateEvolution(model, SobolRule(points=64, scrambles=scrambles)).evaluate(state, 1.2)
    np.testing.assert_array_equal(free_of_noise(scattered, mixed), state)
    # On a lattice errors are no scatter, and symmetries are its own.
    tiny = np.array([0.07, 0.13, 22.0, 1e-7])
    np.testing.assert_array_equal(free_of_noise(StateEvolution(model, coarse_rule).evaluate(tiny, 1.2), mixed), tiny)


def test_what_does_not_vanishes():
    evolution = StateEvolution(AttentionModel.paper(omega=0.3), SobolRule(points=512))
    here = evolution.evaluate(np.array([0.0817, 1e-7, 18.3, 0.118]), 1.2515)
    assert free_of_noise(here, evolution.sectors[-1]).tolist() == [0.0817, 0.0, 18.3, 0.118]
