"""The paper's figures: what they show is what diagrams and runs hold, and a second start goes on from the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from replica.symmetry.sectors import Sector
from saddle.cli import main
from validation.paper import FIGURES, PaperSettings, reproduce_paper
from validation.paper.drawing import CompetingFamilies
from validation.paper.maps import interpolated_fields
from validation.paper.settings import paper_model, second_model

TINY = PaperSettings(
    points=10, tolerance=1e-2, line_points=3, continuous_lines=False, dimension=30, curve_alphas=(1.5, 2.0),
    curve_seeds=2, slice_alphas=(1.5,), slice_seeds=2, omega_slice=(0.3,), sigma_slice=(0.5,), lambda_slice=(0.01,),
    map_omegas=(0.3, 0.35), second_omegas=(0.02, 0.05), map_dimension=20, map_alphas=(0.5, 2.0), map_seeds=2,
    sizes=(10, 20), size_seeds=2,
)  # fmt: skip


def test_families_are_the_lowest_of_each_kind(diagram):
    families = CompetingFamilies.of(diagram)
    apart, alpha = families.losses_apart, diagram.alpha
    assert np.all(apart[alpha > diagram.alpha_c.alpha] < 0)
    born = next(t.alpha for t in diagram.bifurcations if t.between == ("agnostic", "positional"))
    assert np.all(apart[(alpha > born) & (alpha < diagram.alpha_c.alpha)] > 0)
    # Both have merged with the agnostic branch.
    assert np.all(apart[alpha < born] == 0)
    lowest = [diagram.branches[name].test_error[k] for k, name in enumerate(diagram.global_minimum)]
    np.testing.assert_allclose(families.lowest_error, lowest, rtol=1e-12)


def test_curves_agree_with_the_grid_and_jump_upright_at_alpha_c(diagram):
    grid, curves = CompetingFamilies.of(diagram), CompetingFamilies.along(diagram)
    there = np.interp(grid.alpha, curves.alpha, curves.losses_apart)
    np.testing.assert_allclose(there, grid.losses_apart, atol=1e-3 * np.abs(grid.losses_apart).max())
    alpha, error = curves.lowest_error_path
    (upright,) = np.flatnonzero(np.diff(alpha) == 0.0)
    assert alpha[upright] == pytest.approx(diagram.alpha_c.alpha, rel=1e-4)
    both = [point.test_error for point in diagram.alpha_c.points]
    np.testing.assert_allclose(error[upright : upright + 2], both, rtol=1e-3)
    # Beside it nothing else jumps.
    steps = np.delete(np.abs(np.diff(error)), upright)
    assert steps.max() < 0.2 * abs(both[0] - both[1])


def test_weights_vanish_where_nothing_is_drawn(diagram):
    empty = replace(diagram, branches={}, bifurcations=(), everywhere=())
    grid, curves = CompetingFamilies.of(empty), CompetingFamilies.along(empty)
    assert np.all(grid.losses_apart == 0.0)
    np.testing.assert_array_equal(curves.lowest_error_path[1], grid.lowest_error)


def test_maps_are_exact_at_solved_values_and_jump_at_alpha_c(diagram, diagram_02):
    alpha, omega, (apart, errors) = interpolated_fields((diagram_02, diagram))
    for row, solved in ((0, diagram_02), (-1, diagram)):
        families = CompetingFamilies.of(solved)
        np.testing.assert_allclose(apart[row], np.interp(alpha, solved.alpha, families.losses_apart), atol=1e-12)
        # Between two values of omega the global minimum changes once, between the values of alpha_c there.
    middle = apart[len(omega) // 2]
    change = alpha[np.flatnonzero((middle[:-1] > 0) & (middle[1:] <= 0))]
    assert change.size == 1
    assert diagram_02.alpha_c.alpha < change[0] < diagram.alpha_c.alpha
    jump = np.abs(np.diff(errors[len(omega) // 2]))
    assert alpha[np.argmax(jump)] == pytest.approx(change[0], abs=alpha[1] - alpha[0])


@pytest.mark.slow
def test_figures_are_written_with_a_summary_and_go_on_from_what_is_kept(tmp_path):
    names = ["overview", "slices", "scaling"]
    written = reproduce_paper(tmp_path, TINY, figures=names)
    assert {path.name for path in written} == {f"{n}.{kind}" for n in names for kind in ("png", "pdf")} | {"summary.md"}
    assert all(path.stat().st_size > 1000 for path in written)
    summary = (tmp_path / "summary.md").read_text()
    assert "alpha_c" in summary
    assert summary.count("![") == 3
    assert "semantic start against the semantic branch, alpha = 1.5, 2" in summary
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.*")}
    # One diagram serves all three, and equal runs are made once.
    assert len([path for path in kept if path.suffix == ".nc"]) == 1
    again = reproduce_paper(tmp_path, TINY, figures=names)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*.*")} == kept
    assert again == written
    assert (tmp_path / "summary.md").read_text() == summary


def test_unknown_figures_are_refused(tmp_path):
    with pytest.raises(ValueError, match="figures may be 'overview'"):
        reproduce_paper(tmp_path, TINY, figures=["cover"])
    result = CliRunner().invoke(main, ["paper", "--figure", "cover", "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert "cover" in result.output


def test_the_command_offers_every_figure():
    shown = CliRunner().invoke(main, ["paper", "--help"]).output
    assert all(name in shown for name in FIGURES)


@pytest.mark.slow
def test_maps_find_the_transitions_of_both_matrices(tmp_path):
    reproduce_paper(tmp_path, TINY, figures=["phase_maps", "second_matrix"])
    summary = (tmp_path / "summary.md").read_text()
    assert summary.count("Line of alpha_c: ") == 2
    assert "Simulated points" in summary
    assert (tmp_path / "second_matrix.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_second_matrix_has_positional_solutions_at_small_omega_only():
    """Attention with tied weights cannot favour the other token, as this matrix does."""
    from saddle import solve_phase_diagram

    small, large = (
        solve_phase_diagram(second_model(omega), (0.1, 1.5), points=6, tolerance=1e-2) for omega in (0.02, 0.2)
    )
    assert small.alpha_c is not None
    assert small.alpha_c.alpha == pytest.approx(0.5795, abs=2e-3)
    assert not large.branches["positional"].distinct.any()
    assert large.alpha_c is None


@pytest.mark.slow
def test_branches_that_begin_at_zero_weights_have_no_invented_folds():
    """With wide regularization Q = 0 is the minimum up to some alpha, where the equations become degenerate."""
    from saddle import solve_phase_diagram

    solved = solve_phase_diagram(paper_model(sigma=0.3), (0.1, 2.0), points=8, tolerance=1e-2)
    positional = [branch for branch in solved.branches.values() if branch.sector == Sector.POSITIONAL]
    assert len(positional) == 1
    assert not [transition for transition in solved.bifurcations if transition.kind == "fold"]
    own = positional[0].distinct
    assert own.any()
    # With little noise: q is hardly more than what the overlap with the encodings alone gives.
    m, q = (positional[0].order_parameters[name][own] for name in ("positional_overlap", "self_overlap"))
    assert np.all((q > 0.09 * m**2) & (q < 1.2 * 0.09 * m**2))


@pytest.mark.slow
def test_where_the_weights_vanish_attention_is_uniform():
    """Descent goes to Q = 0 there, from either start."""
    from baselines import uniform_attention
    from saddle import LineRule, solve_phase_diagram
    from validation import Training, simulate

    model = paper_model(regularization=0.1)
    solved = solve_phase_diagram(model, (0.5, 0.8), points=3, rule=LineRule.for_tolerance(0.05))
    assert [branch.name for branch in solved.branches.values() if branch.distinct.any()] == ["null"]
    assert [phase.branch for phase in solved.phases] == ["null"]
    families = CompetingFamilies.of(solved)
    uniform = uniform_attention(model).test_error
    np.testing.assert_allclose(families.lowest_error, uniform)
    for start in ("semantic", "positional-informed"):
        run = simulate(model, start, 0.8, 400, 1, training=Training(method="l-bfgs"))
        assert run.self_overlap < 1e-10
        assert run.train_loss == pytest.approx(families.semantic_loss[-1], rel=0.1)
        assert run.test_error == pytest.approx(uniform, rel=0.1)
