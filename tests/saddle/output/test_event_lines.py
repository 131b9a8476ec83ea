"""Lines of events of the user's own: drawn apart, whatever their names, and kept as any other line."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from replica import AttentionModel
from replica.quantities.names import order_parameters
from saddle import LineRule, TransitionLine, TransitionLines
from saddle.output.figures.lines_figure import style_of

NAMES = ("alpha_c", "equal $x_ test errors", "test error of 0.002", "semantic replicon")


@pytest.fixture(scope="module")
def lines() -> TransitionLines:
    """Made-up lines over an entry of A, one of two solutions each but the last two."""
    model, made = AttentionModel.paper(), {}
    unknowns = len(order_parameters(model.structure.layout))
    for k, name in enumerate(NAMES):
        solutions = 2 if k < 2 else 1
        made[name] = TransitionLine(
            name=name, kind="first-order" if k == 0 else "event", between=("positional", "semantic"), model=model,
            over="positional_matrix_12", parameter=np.array([0.3, 0.4, 0.5]), alpha=np.array([1.0, 1.2, 1.3]) + 0.2 * k,
            error=np.full(3, 1e-4), tangent=np.array([2.0, 1.5, 1.0]),
            order_parameters=np.full((3, solutions, unknowns), 0.1), free_entropy=np.full((3, solutions), -1e-3),
            test_error=np.full((3, solutions), 2e-3), endings=("the range ends", "the range ends"), rule=LineRule(),
        )  # fmt: skip
    return TransitionLines(model, "positional_matrix_12", (0.3, 0.5), made)


def test_they_are_told_apart_without_colour(lines, tmp_path):
    styles = {name: style_of(name, NAMES) for name in NAMES}
    events = [styles[name] for name in NAMES[1:]]
    assert len({str(style) for _, _, style, _ in events}) == len(events)
    figure = lines.plot()
    figure.savefig(tmp_path / "lines.png")
    labels = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert {styles[name][0] for name in NAMES} <= labels


def test_they_are_kept(lines, tmp_path):
    lines.save(tmp_path / "lines.nc")
    assert TransitionLines.load(tmp_path / "lines.nc") == lines
    assert pickle.loads(pickle.dumps(lines)) == lines
    assert set(lines.to_dataframe().kind) == {"first-order", "event"}
    assert all(name in repr(lines) for name in NAMES)
    assert "semantic replicon" in lines._repr_html_()
