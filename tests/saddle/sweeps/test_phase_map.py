"""Maps over two parameters: the diagrams they are made of, seen as a plane."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from replica import AttentionModel, InvalidArgument
from saddle import SolveSettings, solve_map, solve_phase_diagram
from saddle.sweeps.model_sweep import ModelSweep, SweptModel

QUIET = SolveSettings(tolerance=2e-2, progress=False)
ALPHA, OMEGAS, SIGMAS = (0.2, 2.0), (0.25, 0.32), (0.48, 0.52)


@pytest.fixture(scope="module")
def solved():
    return solve_map(AttentionModel.paper(), "omega", "sigma", (OMEGAS, SIGMAS), alpha=ALPHA, settings=QUIET)


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


def test_alpha_c_grows_with_omega_and_falls_with_sigma(solved):
    """As in figures 4 and 5 of the paper: position is favoured by the positional part of the target."""
    alpha, _ = solved.transition("alpha_c")
    assert np.all(np.diff(alpha, axis=0) > 0.0)
    assert np.all(np.diff(alpha, axis=1) < 0.0)


def test_it_draws_and_pickles(solved, tmp_path):
    middle = float(np.mean(solved.transition("alpha_c")[0]))
    for figure in (solved.plot(), solved.plot(middle), solved.plot(0.25)):
        figure.savefig(tmp_path / "map.png")
    assert pickle.loads(pickle.dumps(solved)) == solved
    assert "4 of 4 models solved" in repr(solved)


def test_it_draws_what_was_interrupted_or_failed(solved, tmp_path):
    some = [solved.sweep[0], *(SweptModel(one.model, None, "interrupted") for one in solved.sweep[1:])]
    partial = dataclasses.replace(solved, sweep=ModelSweep(tuple(some)))
    none = dataclasses.replace(solved, sweep=ModelSweep(tuple(SweptModel(x.model, None, "lost") for x in solved.sweep)))
    assert not partial.complete
    assert list(partial.families(1.0).ravel()).count("") == 3
    for unfinished in (partial, none):
        for alpha in (None, 1.0):
            figure = unfinished.plot(alpha)
            assert "incomplete" in figure.axes[0].get_title()
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


def test_alpha_must_have_been_solved(solved):
    with pytest.raises(InvalidArgument, match="range that was solved"):
        solved.families(5.0)
    with pytest.raises(InvalidArgument, match="range that was solved"):
        solved.plot(5.0)
