"""Figures of diagrams: what is drawn is what was solved, where and in the style it was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from replica.common.errors import InvalidArgument
from replica.reports.typesetting.naming import Naming
from saddle import TransitionLines
from saddle.output.figures.dense_curves import drawn_range
from saddle.output.report import _figures

DATA = Path(__file__).resolve().parents[2] / "data"
LOSSES = ("train_loss", "test_error")


def axes_of(figure):
    return {axes.get_label(): axes for axes in figure.axes}


# ------------------------------------------------------------------------------------------------ panels and axes


def test_axes_bear_the_names_of_their_quantities(stored):
    assert [axes.get_label() for axes in stored.plot(label_branches=False).axes] == [
        "overlap",
        "train_loss",
        "test_error",
    ]


def test_quantities_and_panels_are_those_asked_for(stored):
    names = ("semantic_overlap", "susceptibility", "free_entropy")
    figure = stored.plot(quantities=names, panels=(2, 2), size=(6.0, 5.0))
    assert tuple(axes_of(figure))[:3] == names
    assert figure.axes[3].get_legend() is not None
    np.testing.assert_allclose(figure.get_size_inches(), (6.0, 5.0))
    assert figure.axes[0].get_ylabel() == r"semantic overlap, $\theta$"


def test_axes_of_the_user_are_drawn_in_and_nothing_else(stored):
    figure, (first, second) = pyplot.subplots(1, 2)
    second.plot([0.0, 5.0], [0.0, 1.0])
    numbers, size = pyplot.get_fignums(), tuple(figure.get_size_inches())
    before = (len(second.get_children()), second.get_xlim(), second.get_xlabel())
    try:
        assert stored.plot(ax=first, quantities="test_error") is figure
        assert pyplot.get_fignums() == numbers
        assert figure.axes == [first, second]
        assert (len(second.get_children()), second.get_xlim(), second.get_xlabel()) == before
        assert not figure.legends
        assert figure.get_suptitle() == ""
        assert tuple(figure.get_size_inches()) == size
        assert first.get_xlabel()
        assert first.get_label() == "test_error"
        # What was there stays in view.
        stored.plot(ax=[second], quantities=["train_loss"])
        assert second.get_xlim()[1] == 5.0
        assert second.get_ylim()[1] >= 1.0
    finally:
        pyplot.close(figure)


def test_a_mosaic_is_a_mapping_from_quantities_to_axes(stored):
    figure = Figure()
    mosaic = figure.subplot_mosaic([["test_error", "overlap"]])
    assert stored.plot(ax=mosaic) is figure
    assert "test error" in mosaic["test_error"].get_ylabel()
    assert mosaic["overlap"].get_ylabel() == "overlap"
    parts = Figure().subfigures(1, 2)
    assert stored.plot(ax=parts[1].subplots(), quantities="overlap") is parts[1].figure


def test_lines_are_drawn_in_the_axes_of_the_user():
    lines = TransitionLines.load(DATA / "lines_1.nc")
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert lines.plot(ax=left, style="paper") is figure
    assert left.get_label() == "lines"
    assert not right.get_lines()
    assert not figure.legends
    np.testing.assert_allclose(lines.plot(size=(3.4, 3.0)).get_size_inches(), (3.4, 3.0))


# ------------------------------------------------------------------------------------------------------- settings


def test_settings_of_the_user_hold_in_plots(stored):
    with mpl.rc_context(
        {"lines.linewidth": 3.0, "font.size": 14.0, "axes.labelsize": "small", "text.color": "#123456"}
    ):
        axes = stored.plot(quantities="test_error").axes[0]
        before = dict(mpl.rcParams)
        thin = stored.plot(quantities="test_error", style={"lines.linewidth": 0.5}).axes[0]
        assert dict(mpl.rcParams) == before
    assert max(line.get_linewidth() for line in axes.get_lines()) == pytest.approx(4.0)
    assert max(line.get_linewidth() for line in thin.get_lines()) == pytest.approx(0.5 * 2.0 / 1.5)
    assert axes.yaxis.label.get_fontsize() == pytest.approx(14.0 * 0.833, rel=1e-2)
    assert any(line.get_color() == "#123456" for line in axes.get_lines())


def test_a_style_sheet_of_the_user_holds(stored, tmp_path):
    sheet = tmp_path / "journal.mplstyle"
    sheet.write_text("axes.linewidth: 2.5\nfigure.facecolor: 0.5\n")
    figure = stored.plot(quantities="overlap", style=["paper", sheet])
    assert figure.axes[0].spines["left"].get_linewidth() == 2.5
    assert figure.axes[0].xaxis.label.get_fontsize() == 8.0
    assert stored.plot(quantities="overlap", style="dark_background").get_facecolor() == (0.0, 0.0, 0.0, 1.0)


def test_figures_of_reports_have_the_same_bytes_whatever_the_settings(stored):
    def bytes_now():
        return _figures(stored, (stored.linear_baseline,), Naming({}), ("svg",))["svg"]

    plain = bytes_now()
    with mpl.rc_context():
        mpl.style.use("dark_background")
        mpl.rcParams.update({"font.size": 17.0, "lines.linewidth": 4.0, "figure.dpi": 55.0, "savefig.bbox": "tight",
                             "axes.grid": True, "svg.fonttype": "none", "mathtext.fontset": "stix"})  # fmt: skip
        assert bytes_now() == plain


# ------------------------------------------------------------------------------------------- diagrams of every kind


def test_empty_interrupted_and_single_points_are_drawn(stored, without_curves):
    nothing = replace(stored, branches={}, bifurcations=(), everywhere=(), first_order=(), alpha_c=None, alpha_l=None)
    lost = {
        name: replace(branch, curve=None, outcome=("interrupted",) * branch.alpha.size)
        for name, branch in stored.branches.items()
    }
    interrupted = replace(nothing, branches=lost, complete=False)
    for each in (nothing, interrupted):
        figure = each.plot(quantities=("overlap", "susceptibility", "train_loss", "test_error"), size=7.0)
        figure.savefig(Path("/dev/null"), format="svg")
        low, high = figure.axes[0].get_xlim()
        assert (low, high) == drawn_range(each)
    assert "interrupted" in figure.get_suptitle()
    one = replace(without_curves.branches["semantic"], curve=None)
    last = tuple(o if k == one.alpha.size - 1 else "none" for k, o in enumerate(one.outcome))
    single = replace(without_curves, branches={"semantic": replace(one, outcome=last)}, bifurcations=(), everywhere=())
    lines = [line for line in single.plot(quantities="overlap").axes[0].get_lines() if len(line.get_xdata()) == 1]
    assert [line.get_marker() for line in lines] == ["."]


# ---------------------------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"quantities": "loss"}, "quantities must be one of 'overlap', 'train_loss', .*, got 'loss'"),
        ({"quantities": ["overlap", "theta"]}, r"quantities\[1\] must be one of 'overlap', .*, got 'theta'"),
        ({"quantities": []}, "quantities must be .*'overlap'.*, got \\[\\]"),
        ({"quantities": ["overlap", "overlap"]}, "quantities must be different names"),
        ({"quantities": 3}, "quantities must be a name or a sequence of names .*, got 3"),
        ({"panels": 3}, r"panels must be a pair \(rows, columns\) with room for 3 panels.*, got 3"),
        ({"panels": (1, 2)}, r"room for 3 panels.*, got \(1, 2\)"),
        ({"panels": (3, 0)}, r"panels\[1\] must lie between 1 and 100, got 0"),
        ({"panels": (1, 2, 3)}, r"panels must be a pair"),
        ({"size": "wide"}, "size must be a real number, got 'wide'; it is a width in inches, or a pair"),
        ({"size": -1.0}, r"size must lie in \[1, 100\], got -1.0"),
        ({"size": (3.4, float("nan"))}, r"size\[1\] must be finite, got nan"),
        ({"size": (3.4,)}, r"size must be a width in inches, or a pair \(width, height\), got \(3.4,\)"),
        ({"style": "papper"}, "style must be 'paper', .* got 'papper'"),
        ({"style": {"lines.width": 3}}, "style must be .*got {'lines.width': 3}"),
        ({"style": {"lines.linewidth": "thick"}}, "style must be .*got {'lines.linewidth': 'thick'}"),
        ({"style": [3]}, "style must be .*, got 3"),
        ({"label_branches": "yes"}, "label_branches must be True or False, got 'yes'"),
        ({"mark_minimum": 1}, "mark_minimum must be True or False, got 1"),
        ({"ax": "left"}, "ax must be a Matplotlib axes, .* got 'left'"),
        ({"ax": 3, "quantities": "overlap"}, "ax must be a Matplotlib axes, .* got 3"),
        ({"ax": Figure().subplots()}, "ax must be as many different axes as quantities .*'overlap'"),
        ({"ax": Figure().subplots(1, 2)}, "ax must be as many different axes as quantities"),
        ({"ax": [Figure().subplots()] * 2, "quantities": LOSSES}, "ax must be as many different axes"),
        ({"ax": {"loss": Figure().subplots()}}, r"quantities\[0\] must be one of .*, got 'loss'"),
        ({"ax": {"overlap": Figure().subplots()}, "quantities": "test_error"}, "one Matplotlib axes for each of 'test"),
        ({"ax": Figure().subplots(), "quantities": "overlap", "size": 3.4}, "size must be None where ax is given"),
        ({"ax": Figure().subplots(), "quantities": "overlap", "panels": (1, 1)}, "panels must be None where ax is"),
        ({"ax": Figure().add_subplot(projection="polar"), "quantities": "overlap"}, "two plain directions"),
        ({"baselines": ["linear"]}, "baselines may be 'linear positional', .*, got 'linear'"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_drawn(stored, asked, said, monkeypatch):
    monkeypatch.setattr("saddle.output.figures.diagram_figure.plot_phase_diagram", lambda *_: pytest.fail("drawn"))
    with pytest.raises(InvalidArgument, match=said) as raised:
        stored.plot(**asked)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"ax": 3}, "ax must be"), ({"size": 0}, "size must"), ({"style": 3}, "style must"),
     ({"ax": Figure().subplots(), "size": 3.4}, "size must be None")],
)  # fmt: skip
def test_bad_arguments_of_lines_are_named(asked, said):
    with pytest.raises(InvalidArgument, match=said):
        TransitionLines.load(DATA / "lines_1.nc").plot(**asked)
