"""Curves of branches: what is drawn of them, where they end, and the labels beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from saddle.branches.branch_curve import CurveEnd
from saddle.output.figures.dense_curves import dense_curve
from saddle.output.figures.label_places import drawn_points
from saddle.output.figures.stability_parts import stability_parts
from saddle.output.figures.styles import BRANCH_COLOURS, QUANTITIES, baseline_style, draw_branch

# In points: what a reader sees as one line.
LINE_WIDTH = 0.75


@pytest.fixture(scope="module")
def drawn(diagram) -> Figure:
    """The default figure of the default diagram."""
    return diagram.plot()


def height(values):
    return float(np.nanmax(values) - np.nanmin(values)) or 1.0


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


# ----------------------------------------------------------------------------------------------------------- curves


def test_a_curve_passes_through_every_point_of_the_grid(diagram, stored, without_curves):
    for each in (diagram, stored, without_curves):
        for branch in each.branches.values():
            curve, own = dense_curve(each, branch), branch.distinct
            if not own.any():
                continue
            assert curve is not None
            for column in range(branch.states.shape[1]):
                there = np.interp(branch.alpha[own], curve.alpha, curve.states[:, column])
                # A panel is some 200 points high.
                np.testing.assert_allclose(
                    there, branch.states[own, column], atol=LINE_WIDTH / 200 * height(branch.states[own, column])
                )
            for name in ("train_loss", "test_error"):
                there = np.interp(branch.alpha[own], curve.alpha, getattr(curve, name))
                values = getattr(branch, name)[own]
                np.testing.assert_allclose(there, values, atol=LINE_WIDTH / 200 * height(values))


def test_a_curve_lies_on_the_branch_between_the_points_of_the_grid(stored, diagram):
    """Three points on a grid give the same curves as forty-eight, but for the rules' errors."""
    for name in ("positional", "semantic", "mixed"):
        rough, fine = (dense_curve(d, d.branches[name]) for d in (stored, diagram))
        assert rough is not None
        assert fine is not None
        alpha = np.linspace(0.9, 2.9, 101)
        for k in (1, 3):
            there = [np.interp(alpha, curve.alpha, curve.states[:, k]) for curve in (rough, fine)]
            np.testing.assert_allclose(*there, atol=2e-2 * max(height(fine.states[:, k]), 1e-3))


def test_a_curve_begins_at_the_bifurcation_it_is_born_at(diagram, stored):
    for each in (diagram, stored):
        for born in each.bifurcations:
            curve = dense_curve(each, each.branches[born.between[1]])
            assert curve is not None
            assert curve.ends[0] is born
            assert curve.alpha[0] == born.alpha
            np.testing.assert_array_equal(curve.states[0], born.points[0].order_parameters)
            assert curve.test_error[0] == born.points[0].test_error


def test_a_curve_ends_at_the_bifurcation_that_ends_it(stored):
    """A branch cut off at alpha = 2, where a transition was located nearby."""
    semantic = stored.branches["semantic"]
    curve = semantic.curve
    there = {
        "alpha": 2.0,
        "states": curve.state(2.0)[0],
        "free_entropy": curve.free_entropies(np.array([2.0]))[0],
        "average_envelope": 0.0,
        "test_error": curve.test_errors(np.array([2.0]))[0],
    }
    cut = curve.ending(1, CurveEnd("pitchfork", 2.0, "agnostic"), curve.alpha < 2.0, there)
    born = next(t for t in stored.bifurcations if t.between[1] == "semantic")
    for alpha in (1.999, 2.001):
        point = replace(born.points[0], order_parameters=tuple(1.001 * there["states"]), test_error=there["test_error"],
                        free_entropy=there["free_entropy"])  # fmt: skip
        ending = replace(born, alpha=alpha, points=(point,))
        outcome = tuple(o if a < 2.0 else "none" for a, o in zip(semantic.alpha, semantic.outcome, strict=True))
        short = replace(semantic, curve=cut, outcome=outcome)
        drawn = dense_curve(replace(stored, bifurcations=(ending, *stored.bifurcations)), short)
        assert drawn is not None
        assert drawn.ends == (born, ending)
        assert drawn.alpha[-1] == alpha
        assert np.all(np.diff(drawn.alpha) > 0.0)
        np.testing.assert_array_equal(drawn.states[-1], point.order_parameters)
        # One far away in its order parameters is another's.
        other = replace(ending, points=(replace(point, order_parameters=tuple(2.0 * there["states"])),))
        apart = dense_curve(replace(stored, bifurcations=(other, *stored.bifurcations)), short)
        assert apart is not None
        assert apart.ends == (born, None)
        assert apart.alpha[-1] == 2.0


def test_an_onset_is_a_square_root_and_no_polygon(stored):
    """Beside its pitchfork the overlap squared is a straight line, between any two points of the grid."""
    curve = dense_curve(stored, stored.branches["semantic"])
    assert curve is not None
    near = (curve.alpha > curve.alpha[0]) & (curve.alpha < curve.alpha[0] + 0.02)
    assert np.count_nonzero(near) >= 10
    slope = curve.states[near, 3] ** 2 / (curve.alpha[near] - curve.alpha[0])
    assert slope.min() > 0.8 * slope.max()
    heights = np.abs(np.diff(curve.states[:, 3]))
    assert heights.max() < 0.05 * curve.states[:, 3].max()


def test_stability_changes_at_bifurcations_whatever_the_grid(diagram, stored):
    for name in ("agnostic", "positional", "semantic", "mixed", "positional from agnostic"):
        rough, fine = (stability_parts(d, d.branches[name], 0.9, 3.0) for d in (stored, diagram))
        assert [part.stable for part in rough] == [part.stable for part in fine]
    semantic = diagram.branches["semantic"]
    few = replace(
        semantic, outcome=tuple(o if a > 1.0 else "none" for a, o in zip(semantic.alpha, semantic.outcome, strict=True))
    )
    mixed = next(t for t in diagram.bifurcations if t.between[1] == "mixed")
    # Without a point before the bifurcation at which it becomes stable, it is still known not to be.
    assert [part.stable for part in stability_parts(diagram, few, 0.72, 3.0)] == [False, True]
    assert stability_parts(diagram, few, 0.72, 3.0)[0].high == mixed.alpha


def test_what_the_grid_does_not_tell_is_not_said(stored):
    """A branch without a point and without known bifurcations."""
    semantic = stored.branches["semantic"]
    empty = replace(semantic, outcome=("none",) * semantic.alpha.size)
    unknown = replace(stored, bifurcations=(), everywhere=())
    assert [part.stable for part in stability_parts(unknown, empty, 0.8, 3.0)] == [None]


# ----------------------------------------------------------------------------------------------------------- labels


def label_boxes(axes):
    """Names of branches beside curves."""
    return [text for text in axes.texts if text.get_color() in BRANCH_COLOURS.values()]


@pytest.mark.parametrize(
    "asked", [{}, {"quantities": "overlap", "size": 3.4, "style": "paper"}], ids=["page", "column"]
)
def test_no_label_lies_on_a_curve_or_another_label(diagram, drawn, asked):
    figure = diagram.plot(**asked) if asked else drawn
    figure.draw_without_rendering()
    count = 0
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in label_boxes(axes)]
        points = np.concatenate(drawn_points(axes))
        for k, box in enumerate(boxes):
            inside = (points > box.min) & (points < box.max)
            assert not np.any(np.all(inside, axis=1)), label_boxes(axes)[k].get_text()
            assert axes.bbox.containsx(box.x0)
            assert axes.bbox.containsx(box.x1)
            assert not any(Bbox.intersection(box, other) for other in boxes[:k])
        count += len(boxes)
    assert count >= 4


def test_labels_of_transitions_stand_side_by_side(diagram, drawn):
    for figure in (drawn, diagram.plot(quantities="overlap", size=2.5, style="paper")):
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if "alpha" in text.get_text()]
        assert len(boxes) == 2
        assert not Bbox.intersection(*boxes)


def test_curves_need_no_labels(diagram):
    figure = diagram.plot(quantities="test_error", label_branches=False)
    assert not label_boxes(figure.axes[0])
