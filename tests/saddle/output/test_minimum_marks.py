"""What figures say of the global minimum is what the diagram says: on its grid, and at its transitions."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from saddle.output.figures.minimum_marks import MINIMUM, NOT_KNOWN, drawn_phases
from saddle.output.figures.styles import BRANCH_COLOURS, QUANTITIES

ORDER_PARAMETERS = ("self_overlap", "positional_overlap", "susceptibility", "semantic_overlap")
DRAWN = (*ORDER_PARAMETERS, "train_loss", "free_entropy", "test_error")


@pytest.fixture(scope="module")
def unknown_beyond(stored):
    """The audit says that a branch is missing at alpha = 2.298, where the minimum would be semantic."""
    points = [replace(p, missing=("a solution",)) if 2.0 < p.alpha < 3.0 else p for p in stored.audit.points]
    return replace(stored, audit=replace(stored.audit, points=tuple(points)))


@pytest.fixture(scope="module")
def continuous(stored):
    """Without the positional branch: the semantic one is born from the minimum, at a pitchfork on the grid's range."""
    return replace(stored, branches={k: b for k, b in stored.branches.items() if b.family != "positional"})


def strokes(axes):
    """Colours and points (k, 2) of what marks the minimum; upright ones last."""
    marks = [x for x in axes.collections if x.get_label() == MINIMUM]
    found = [(x.get_colors()[0], np.array(path)) for x in marks for path in x.get_segments()]
    along = [(colour, path) for colour, path in found if path[0, 0] != path[-1, 0]]
    upright = [path for _, path in found if path[0, 0] == path[-1, 0] and np.ptp(path[:, 1]) > 1e-9]
    return along, upright


def unknown_ranges(axes):
    """Ranges of alpha of the rules that say that it is not known."""
    marks = [x for x in axes.collections if x.get_label() == NOT_KNOWN]
    return [tuple(map(float, path.get_extents().intervalx)) for x in marks for path in x.get_paths()]


def legend_words(figure):
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


@pytest.mark.parametrize(
    "which",
    ["stored", "unknown_beyond", *(pytest.param(x, marks=pytest.mark.slow) for x in ("without_curves", "continuous"))],
)
def test_at_every_point_of_the_grid_the_mark_is_on_the_diagram_s_own_minimum(request, which):
    diagram = request.getfixturevalue(which)
    for axes in diagram.plot(quantities=DRAWN).axes:
        along, _ = strokes(axes)
        for k, (alpha, minimum) in enumerate(zip(diagram.alpha, diagram.global_minimum, strict=True)):
            here = [(colour, path) for colour, path in along if path[0, 0] <= alpha <= path[-1, 0]]
            assert len(here) == (0 if minimum is None else 1)
            assert any(low <= alpha <= high for low, high in unknown_ranges(axes)) == (minimum is None)
            for colour, path in here:
                branch = diagram.branches[minimum]
                assert tuple(colour[:3]) == to_rgba(BRANCH_COLOURS[branch.family])[:3]
                value = QUANTITIES[axes.get_label()].of_branch(branch)[k]
                assert np.interp(alpha, *path.T) == pytest.approx(value, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("which", ["stored", "unknown_beyond", "continuous"])
def test_marks_cover_the_range_without_gaps_and_change_where_phases_do(request, which):
    diagram = request.getfixturevalue(which)
    axes = diagram.plot(quantities="train_loss").axes[0]
    along, _ = strokes(axes)
    ranges = sorted([(path[0, 0], path[-1, 0]) for _, path in along] + unknown_ranges(axes))
    phases = [(phase.low, phase.high) for phase in diagram.phases]
    assert len(phases) > 1
    # Curves end where the other's rule says, to its error.
    np.testing.assert_allclose(ranges, phases, rtol=1e-3)


def test_jumps_are_upright_between_the_two_solutions_of_the_transition(stored):
    (jump,) = stored.first_order
    for axes in stored.plot(quantities=(*ORDER_PARAMETERS, "test_error")).axes:
        (path,) = strokes(axes)[1]
        assert path[0, 0] == path[-1, 0] == jump.alpha
        # The transition was solved for on a finer rule.
        values = sorted(QUANTITIES[axes.get_label()].of_point(point) for point in jump.points)
        assert sorted(path[:, 1]) == pytest.approx(values, rel=2e-3, abs=1e-9)


def test_overlaps_of_both_solutions_jump_in_one_stroke(stored):
    (jump,) = stored.first_order
    _, upright = strokes(stored.plot(quantities="overlap").axes[0])
    highest = max(max(map(abs, (p.order_parameters[1], p.order_parameters[3]))) for p in jump.points)
    assert len(upright) == 1
    assert (upright[0][:, 1].min(), upright[0][:, 1].max()) == pytest.approx((0.0, highest), rel=2e-3)


def test_nothing_jumps_where_the_transition_is_continuous_or_the_minimum_not_known(continuous, unknown_beyond):
    assert [phase.branch for phase in continuous.phases] == ["agnostic", "semantic"]
    for axes in continuous.plot(quantities=DRAWN).axes:
        # Two rules' errors apart: less than the width of a line.
        assert all(np.ptp(path[:, 1]) < 0.01 * np.ptp(axes.get_ylim()) for path in strokes(axes)[1])
    assert [phase.branch for phase in drawn_phases(unknown_beyond)] == ["positional", None]
    assert all(not strokes(axes)[1] for axes in unknown_beyond.plot(quantities=DRAWN).axes)


def test_legends_say_what_is_marked(stored, without_curves, unknown_beyond):
    for diagram, words in ((stored, {MINIMUM}), (without_curves, {NOT_KNOWN}), (unknown_beyond, {MINIMUM, NOT_KNOWN})):
        assert legend_words(diagram.plot()) & {MINIMUM, NOT_KNOWN} == words


def test_marks_can_be_left_out_and_move_nothing(stored):
    marked, bare = stored.plot(), stored.plot(mark_minimum=False)
    assert not legend_words(bare) & {MINIMUM, NOT_KNOWN}
    for first, second in zip(marked.axes, bare.axes, strict=True):
        assert strokes(first)[0]
        assert strokes(second) == ([], [])
        assert (first.get_xlim(), first.get_ylim()) == (second.get_xlim(), second.get_ylim())
        labels = [[text.get_text() for text in axes.texts] for axes in (first, second)]
        assert labels[0] == labels[1]


def test_a_figure_that_begins_below_its_grid_marks_what_is_known_there(stored):
    """The grid of a wide range begins near zero, and so does the figure; nothing is known below the search."""
    wide = replace(stored, alpha=np.array([0.1, 3.0]), branches={})
    phases = drawn_phases(wide)
    assert (phases[0].low, phases[-1].high) == (wide.searched[0], 3.0)


def test_diagrams_with_one_point_or_nothing_are_marked(stored):
    nothing = replace(stored, branches={}, bifurcations=(), everywhere=(), first_order=(), alpha_c=None, alpha_l=None)
    for diagram in (nothing, replace(nothing, complete=False)):
        axes = diagram.plot(quantities="overlap").axes[0]
        assert strokes(axes) == ([], [])
        assert unknown_ranges(axes) == [(0.5, 3.0)]
    branches = {}
    for name, branch in stored.branches.items():
        given = {field.name: getattr(branch, field.name) for field in fields(branch)}
        last = {key: x[-1:] for key, x in given.items() if isinstance(x, np.ndarray | tuple) and len(x) == 4}
        branches[name] = replace(branch, **last)
    one = replace(stored, alpha=stored.alpha[-1:], branches=branches)
    along, _ = strokes(one.plot(quantities="overlap", ax=Figure().subplots()).axes[0])
    assert [tuple(path[[0, -1], 0]) for _, path in along] == [pytest.approx((2.7, 3.3))]
