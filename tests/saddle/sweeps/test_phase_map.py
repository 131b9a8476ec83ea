"""Maps over two parameters: the diagrams they are made of, seen as a plane."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure

from replica import AttentionModel, InvalidArgument
from saddle import SolveSettings, solve_map, solve_phase_diagram
from saddle.sweeps.map_interpolation import family_depths, finer_axis, finer_surface, near_models
from saddle.sweeps.model_sweep import ModelSweep, SweptModel

QUIET = SolveSettings(tolerance=2e-2, progress=False)
ALPHA, OMEGAS, SIGMAS = (0.2, 2.0), (0.25, 0.32), (0.48, 0.52)


@pytest.fixture(scope="module")
def solved():
    return solve_map(AttentionModel.paper(), "omega", "sigma", (OMEGAS, SIGMAS), alpha=ALPHA, settings=QUIET)


@pytest.mark.slow
def test_every_cell_is_the_diagram_of_its_model(solved):
    alone = solve_phase_diagram(
        AttentionModel.paper(omega=0.25, sigma=0.52), ALPHA, points=2, tolerance=2e-2, progress=False
    )
    assert solved.at(0, 1).diagram == alone
    alpha, error = solved.transition("alpha_c")
    assert alpha.shape == error.shape == (2, 2)
    assert alpha[0, 1] == alone.alpha_c.alpha
    assert np.isnan(solved.transition("no such")[0]).all()
    for place in (0.3, 1.0, 1.9):
        expected = next(x.branch for x in alone.phases if x.low <= place <= x.high)
        assert solved.families(place)[0, 1] == expected.split()[0]


@pytest.mark.slow
def test_alpha_c_grows_with_omega_and_falls_with_sigma(solved):
    """As in figures 4 and 5 of the paper: position is favoured by the positional part of the target."""
    alpha, _ = solved.transition("alpha_c")
    assert np.all(np.diff(alpha, axis=0) > 0.0)
    assert np.all(np.diff(alpha, axis=1) < 0.0)


@pytest.mark.slow
def test_regions_end_where_transitions_are(solved):
    """Colours and lines are two ways of asking: the depths of both families vanish on alpha_c's own surface."""
    alpha = float(np.median(solved.transition("alpha_c")[0]))
    depths = family_depths(solved, alpha)
    surface = finer_surface(solved.values, np.log(solved.transition("alpha_c")[0]))
    semantic, positional = (finer_surface(solved.values, depths[name]) for name in ("semantic", "positional"))
    np.testing.assert_allclose(semantic, np.log(alpha) - surface, atol=1e-12)
    np.testing.assert_allclose(positional, surface - np.log(alpha), atol=1e-12)
    both = [near_models(depths[name]).all() for name in ("semantic", "positional")]
    assert both == [True, True]
    for i, j in np.ndindex(2, 2):
        deepest = max(depths, key=lambda name: depths[name][i, j])
        assert deepest == solved.families(alpha)[i, j]


@pytest.mark.slow
def test_between_models_a_map_says_what_their_own_diagrams_would(solved):
    middle = AttentionModel.paper(omega=float(np.mean(OMEGAS)), sigma=float(np.mean(SIGMAS)))
    own = solve_phase_diagram(middle, ALPHA, points=2, tolerance=2e-2, progress=False).alpha_c
    surface = np.exp(finer_surface(solved.values, np.log(solved.transition("alpha_c")[0])))
    # Half the cell is as far away as it can be.
    assert abs(surface[len(surface) // 2, len(surface) // 2] - own.alpha) < 0.1 * np.ptp(surface)


def test_surfaces_pass_through_their_values_and_end_with_them():
    axes = np.array([0.0, 1.0, 3.0, 4.0]), np.array([0.0, 2.0, 3.0])
    surface = np.add.outer(0.5 * axes[0], -2.0 * axes[1])
    surface[0, 0] = np.nan
    fine = finer_surface(axes, surface)
    first, second = (finer_axis(axis) for axis in axes)
    places = np.ix_(np.searchsorted(first, axes[0]), np.searchsorted(second, axes[1]))
    np.testing.assert_allclose(fine[places], surface, atol=1e-12)
    # A plane stays one; of the cell with three corners half is there.
    plane = np.add.outer(0.5 * first, -2.0 * second)
    np.testing.assert_allclose(np.where(np.isnan(fine), plane, fine), plane, atol=1e-12)
    assert np.isnan(fine[np.add.outer(first, 0.5 * second) < 1.0 - 1e-9]).all()
    assert not np.isnan(fine[np.add.outer(first, 0.5 * second) > 1.0 + 1e-9]).any()
    assert np.isnan(finer_surface(axes, np.full((4, 3), np.nan))).all()


@pytest.mark.slow
def test_a_figure_takes_axes_sizes_and_styles(solved):
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert solved.plot(1.0, ax=axes[0]) is figure
    assert axes[0].get_label() == "map"
    assert [text.get_text() for text in axes[0].texts] == ["positional", "semantic"]
    assert not figure.legends
    column = solved.plot(1.0, size=3.4, style="paper")
    assert column.get_figwidth() == pytest.approx(3.4)
    with pytest.raises(InvalidArgument, match="ax must be"):
        solved.plot(1.0, ax=3)
    with pytest.raises(InvalidArgument, match="size"):
        solved.plot(size=-1.0)


@pytest.mark.slow
def test_it_draws_and_pickles(solved, tmp_path):
    middle = float(np.mean(solved.transition("alpha_c")[0]))
    for figure in (solved.plot(), solved.plot(middle), solved.plot(0.25)):
        figure.savefig(tmp_path / "map.png")
    assert pickle.loads(pickle.dumps(solved)) == solved
    assert "4 of 4 models solved" in repr(solved)
    html = solved._repr_html_()
    assert "4 of 4 models solved" in html
    assert "alpha_c" in html
    data = solved.to_dataset()
    np.testing.assert_array_equal(data["alpha"].sel(transition="alpha_c"), solved.transition("alpha_c")[0])
    assert data["alpha"].dims[:2] == ("omega", "sigma")


@pytest.mark.slow
def test_it_draws_what_was_interrupted_or_failed(solved, tmp_path):
    some = [solved.sweep[0], *(SweptModel(one.model, None, "interrupted") for one in solved.sweep[1:])]
    partial = dataclasses.replace(solved, sweep=ModelSweep(tuple(some)))
    none = dataclasses.replace(solved, sweep=ModelSweep(tuple(SweptModel(x.model, None, "lost") for x in solved.sweep)))
    assert not partial.complete
    assert list(partial.families(1.0).ravel()).count("") == 3
    for unfinished in (partial, none):
        assert pickle.loads(pickle.dumps(unfinished)) == unfinished
        assert f"{len(unfinished.sweep.diagrams)} of 4" in unfinished._repr_html_()
        assert not unfinished.to_dataset()["complete"].all()
        for alpha in (None, 1.0):
            figure = unfinished.plot(alpha)
            assert "incomplete" in figure.get_suptitle()
            figure.savefig(tmp_path / "map.png")


@pytest.mark.parametrize(
    ("first", "second", "values", "said"),
    [
        ("omega", "kappa", (OMEGAS, SIGMAS), "'kappa'"),
        ("omega", "omega", (OMEGAS, OMEGAS), "twice"),
        ("omega", "sigma", (OMEGAS,), "pair"),
        ("omega", "sigma", (OMEGAS, (0.5, 0.4)), "increase"),
        ("omega", "sigma", (OMEGAS, (0.5,)), "two or more"),
        ("omega", "sigma", ((0.5, 1.5), SIGMAS), "omega must lie in"),
        ("omega", 3, (OMEGAS, SIGMAS), "got 3"),
    ],
)
def test_bad_maps_are_refused_before_any_work(first, second, values, said):
    with pytest.raises(InvalidArgument, match=said):
        solve_map(AttentionModel.paper(), first, second, values)


@pytest.mark.slow
def test_alpha_must_have_been_solved(solved):
    with pytest.raises(InvalidArgument, match="range that was solved"):
        solved.families(5.0)
    with pytest.raises(InvalidArgument, match="range that was solved"):
        solved.plot(5.0)
