"""Steps for outputs with noise: an average over the noise of what steps are where it has one value."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel, Spectrum
from saddle import (
    GridRule,
    StateEvolution,
    find_point,
    load_steps,
    moreau_envelope,
    save_steps,
    solve_broken_symmetry,
    steps_dataset,
)
from saddle.averages.lines.jump_line_rule import JumpLineRule
from saddle.state_evolution.steps.excess_on_grids import grid_excess
from saddle.state_evolution.steps.step_equations import StepEquations
from saddle.state_evolution.steps.step_state import StepState
from tests.models.multi_index import NOISY_RETRIEVAL

NOISE, SHIFT = sp.symbols("noise shift")
NODES = 8
RULE = GridRule(nodes=NODES, spacing=0.8)
STATE = StepState(np.array([0.8]), np.array([[0.05]]), np.zeros(0), np.array([0.6]), np.array([[0.5]]), np.array([3.0]))
# Outputs h^2 + noise xi of ``NOISY_RETRIEVAL`` where the noise has one value.
SHIFTED = MultiIndexModel(
    lambda z, y: (z[0] ** 2 - y[0]) ** 2 / 4, 0.1, lambda h, xi: [h[0] ** 2 + SHIFT], parameters={"shift": 0.0}
)


def shifted(value: float) -> MultiIndexModel:
    return replace(SHIFTED, parameters={"shift": value})


def excess(model: MultiIndexModel) -> np.ndarray:
    equations = StepEquations(StateEvolution(model), 1, RULE)
    return grid_excess(equations.law, STATE, equations.grid(STATE))


def test_what_steps_add_is_an_average_over_the_noise():
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    parts = [share * excess(shifted(0.3 * xi)) for xi, share in zip(nodes, weights / weights.sum(), strict=True)]
    np.testing.assert_allclose(excess(NOISY_RETRIEVAL), np.sum(parts, axis=0), rtol=1e-9)
    # A law that holds of any noise would be none.
    assert not np.allclose(excess(NOISY_RETRIEVAL), excess(shifted(0.0)), rtol=0.01)


def test_the_envelope_takes_the_noise_that_outputs_have():
    random = np.random.default_rng(0)
    w, h, xi = random.normal(size=(5, 1, 1)), random.normal(size=(5, 1, 1)), random.normal(size=(5, 1))
    found = moreau_envelope(NOISY_RETRIEVAL, w, h, 0.6, noise=xi)
    for k in range(5):
        alone = moreau_envelope(shifted(0.3 * float(xi[k, 0])), w[k : k + 1], h[k : k + 1], 0.6)
        assert found.value[k] == pytest.approx(alone.value[0], rel=1e-12)
    for wrong in (None, np.zeros((5, 2)), np.zeros((4, 1))):
        with pytest.raises(ValueError, match=r"1 noise variable\(s\): noise must be of shape \(5, 1\)"):
            moreau_envelope(NOISY_RETRIEVAL, w, h, 0.6, noise=wrong)
    with pytest.raises(ValueError, match="finite numbers, got nan"):
        moreau_envelope(NOISY_RETRIEVAL, w, h, 0.6, noise=np.full((5, 1), np.nan))
    with pytest.raises(ValueError, match=r"0 noise variable\(s\)"):
        moreau_envelope(SHIFTED, w, h, 0.6, noise=xi)


@pytest.mark.slow
def test_lines_and_grids_are_two_ways_to_the_same_with_noise():
    """Two tokens: lines are on scattered points, and few."""
    model = MultiIndexModel(
        lambda z, y: (z[0] * z[1] - y[0]) ** 2 / 2,
        0.1,
        lambda h, xi: [h[0] * h[1] + NOISE * xi[0]],
        noise=1,
        parameters={"noise": 0.5},
        spectrum=Spectrum.isotropic(1.0, 1.0),
    )
    state = StepState(
        np.array([0.7]), np.array([[0.05]]), np.zeros(0), np.array([0.8]), np.array([[0.4]]), np.array([2.0])
    )
    evolution = StateEvolution(model)
    lines = StepEquations(evolution, 1, JumpLineRule()).evaluate(state, 1.5)
    grid = StepEquations(evolution, 1, GridRule(nodes=8)).evaluate(state, 1.5)
    assert lines.average[0] == pytest.approx(grid.average[0], rel=2e-3)
    np.testing.assert_allclose(lines.average[3:], grid.average[3:], rtol=0.01)


def saturating(field):
    return field**4 / (1 + field**4)


@pytest.mark.slow
def test_a_solution_with_little_noise_is_that_without(tmp_path):
    """A model in which one token has a gap; with both rules' errors, which where jumps are born say too little."""

    def solved(noise: float):
        model = MultiIndexModel(
            lambda z, y: (saturating(z[0]) - y[0]) ** 2 / 2,
            3.0,
            lambda h, xi: [saturating(h[0]) + (NOISE * xi[0] if noise else 0)],
            noise=1 if noise else 0,
            parameters={"noise": noise} if noise else {},
        )
        return solve_broken_symmetry(find_point(StateEvolution(model), "teacher", 4.2), rule=RULE)

    plain, noisy = solved(0.0), solved(1e-4)
    assert noisy.free_entropy == pytest.approx(plain.free_entropy, rel=2e-4)
    for name in ("self_overlap_0", "self_overlap_1", "susceptibility", "teacher_overlap"):
        assert noisy.order_parameters[name] == pytest.approx(plain.order_parameters[name], rel=0.02)
    # It is shown, copied and kept as any other.
    assert "1 step of replica-symmetry breaking" in repr(noisy)
    assert pickle.loads(pickle.dumps(noisy)) == noisy
    save_steps(noisy, tmp_path / "noisy.nc")
    assert load_steps(tmp_path / "noisy.nc") == noisy
    assert np.isfinite(steps_dataset(noisy)["free_entropy"])
    assert np.isfinite(noisy.free_entropy)
