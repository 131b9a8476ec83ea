"""The reference solver on attention: against the compiled solver, and laws for higher rank."""

from __future__ import annotations

import numpy as np
import pytest

from replica import AttentionModel, derive
from replica.model.any_model import model_atoms
from saddle import StateEvolution
from saddle.averages.rules.sobol import SobolRule
from saddle.reference import GaussHermite, ReferenceRule, ReferenceSettings, ReferenceSystem, solve_model


def conjugates(model: AttentionModel, rule: ReferenceRule, state: dict[str, float], alpha: float) -> dict[str, float]:
    """Conjugates at a state, by name."""
    derivation = derive(model)
    system = ReferenceSystem(derivation.saddle_system, rule)
    given = system.given_values(derivation.parameter_values, alpha)
    values = np.array([state.get(x.name, 0.0) for x in system.system.order_parameters])
    found = system.evaluate(values, given, model_atoms(model)).conjugates
    return dict(zip((x.name for x in system.system.conjugates), found.tolist(), strict=True))


def test_semantic_solution_of_the_paper():
    """Values of an independent code, at omega = 0.3 and alpha = 2; the proximal point jumps, so only coarsely."""
    start = {"self_overlap": 0.1, "susceptibility": 12.0, "semantic_overlap": 0.14}
    rule = ReferenceRule(GaussHermite(8), GaussHermite(8))
    point = solve_model(
        AttentionModel.paper(omega=0.3), 2.0, start=start, rule=rule, settings=ReferenceSettings(tolerance=1e-5)
    )
    assert point.converged
    found = point.order_parameters
    assert found["positional_overlap"] == pytest.approx(0.0, abs=1e-10)
    assert found["self_overlap"] == pytest.approx(0.11483, rel=1e-2)
    assert found["susceptibility"] == pytest.approx(12.665, rel=1e-2)
    assert found["semantic_overlap"] == pytest.approx(0.15817, rel=1e-2)
    for name, value, digit in (
        ("self_overlap", 0.11483, 1e-5),
        ("susceptibility", 12.665, 1e-3),
        ("semantic_overlap", 0.15817, 1e-5),
    ):
        assert abs(found[name] - value) <= point.error[name] + digit
        assert point.error[name] < 1e-2 * value
    assert point.free_entropy == pytest.approx(-0.0035905, rel=1e-3)
    assert point.test_error == pytest.approx(0.002808 / 2, rel=1e-2)


def test_rotating_the_students_columns_rotates_the_equations():
    """Two columns: q, V and their conjugates turn as matrices, m, theta and theirs as vectors.

    V is small, so that the proximal point is unique and smooth.
    """
    rule = ReferenceRule(GaussHermite(9), GaussHermite(4), start_height=None)
    model = AttentionModel(omega=0.3, rank=2)
    cosine, sine = np.cos(0.5), np.sin(0.5)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    matrices = {
        "self_overlap": np.array([[0.3, 0.1], [0.1, 0.2]]),
        "susceptibility": np.array([[0.8, 0.2], [0.2, 0.5]]),
    }
    vectors = {"positional_overlap": np.array([0.2, -0.1]), "semantic_overlap": np.array([0.05, 0.15])}

    def at(rotate: np.ndarray) -> dict[str, np.ndarray]:
        state = {}
        for name, matrix in matrices.items():
            turned = rotate @ matrix @ rotate.T
            state |= {f"{name}_{i + 1}{j + 1}": turned[i, j] for i, j in ((0, 0), (0, 1), (1, 1))}
        for name, vector in vectors.items():
            state |= {f"{name}_{i + 1}": x for i, x in enumerate(rotate @ vector)}
        found = conjugates(model, rule, state, 1.0)
        return {
            name: np.array([[found[f"{name}_conjugate_{min(i, j)}{max(i, j)}"] for j in (1, 2)] for i in (1, 2)])
            for name in matrices
        } | {name: np.array([found[f"{name}_conjugate_{i}"] for i in (1, 2)]) for name in vectors}

    plain, turned = at(np.eye(2)), at(rotation)
    for name in matrices:
        np.testing.assert_allclose(turned[name], rotation @ plain[name] @ rotation.T, rtol=2e-3, atol=1e-5)
    for name in vectors:
        np.testing.assert_allclose(turned[name], rotation @ plain[name], rtol=2e-3, atol=1e-5)


@pytest.mark.slow
def test_three_tokens_as_the_compiled_solver_has_them():
    """Two kinds of rules, two implementations; neither is accurate for three tokens where the proximal point jumps."""
    matrix = ((0.6, 0.3, 0.1), (0.2, 0.6, 0.2), (0.1, 0.3, 0.6))
    model = AttentionModel(omega=0.3, positional_matrix=matrix, positional_encoding=(1.0, 0.2, -1.0))
    state = {"self_overlap": 0.18, "positional_overlap": 0.1, "susceptibility": 9.0, "semantic_overlap": 0.12}
    slow = conjugates(model, ReferenceRule(GaussHermite(6), GaussHermite(6)), state, 2.0)
    fast = StateEvolution(model, SobolRule(1024)).evaluate(np.array([*state.values()]), 2.0)
    tolerances = {"positional_overlap_conjugate": 0.15}
    for (name, value), compiled in zip(slow.items(), fast.conjugates, strict=True):
        assert value == pytest.approx(compiled, rel=tolerances.get(name, 0.02)), name
