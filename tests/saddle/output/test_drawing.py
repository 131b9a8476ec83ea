"""Curves of branches: what is drawn of them, and where they end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from saddle.output.styles import QUANTITIES, baseline_style, draw_branch


def heights(diagram, branch, name):
    axes = Figure().subplots()
    draw_branch(axes, diagram, branch, QUANTITIES[name])
    return np.concatenate([line.get_ydata() for line in axes.get_lines()])


def test_a_branch_reaches_down_to_the_pitchfork_it_is_born_at(diagram):
    for name in ("positional", "semantic"):
        drawn = heights(diagram, diagram.branches[name], f"{name}_overlap")
        assert np.nanmin(drawn) == 0.0


def test_a_branch_that_runs_past_a_pitchfork_does_not_end_there(diagram):
    """Where the new branch lies beyond the range, the transition bears the family's name alone."""
    born = next(t for t in diagram.bifurcations if t.between == ("agnostic", "positional from agnostic"))
    renamed = replace(born, between=("agnostic", "positional"))
    others = tuple(renamed if t is born else t for t in diagram.bifurcations)
    unclear = replace(diagram, bifurcations=others)
    branch = diagram.branches["positional"]
    before, after = (heights(d, branch, "positional_overlap") for d in (diagram, unclear))
    np.testing.assert_array_equal(before, after)


def test_baselines_of_users_are_grey():
    assert baseline_style("linear positional") != baseline_style("mine") == baseline_style("yours")
