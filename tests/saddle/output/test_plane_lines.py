"""Lines at one alpha: drawn over the plane, in tables and documents, kept; also those without points."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel
from replica.common.errors import UnreadableFile
from replica.quantities.names import order_parameters
from saddle import LineEnd, LineRule, ParameterPlane, TransitionLine, TransitionLines
from saddle.diagram.lines.line import empty_line
from saddle.output.documents import lines_document, lines_rows
from saddle.output.files.json_values import to_json
from saddle.output.files.sealing import sealed
from saddle.output.tables import line_table

DATA = Path(__file__).resolve().parents[2] / "data"
MODEL = AttentionModel.paper()
PLANE = ParameterPlane("sigma", (0.3, 0.7), 1.5)
UNKNOWNS = len(order_parameters(MODEL.structure.layout))


def circle(name: str, kind: str, solutions: int, points: int = 9) -> TransitionLine:
    """A made-up line that closes; on one of one solution, half is metastable."""
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    first, second = 0.25 + 0.2 * np.cos(angle), 0.5 + 0.15 * np.sin(angle)
    end = LineEnd("bicritical point", 0.45, 1e-4, 1.5, 0.0, (0.1,) * UNKNOWNS, 0.5, 2e-4)
    return TransitionLine(
        name=name, kind=kind, between=("positional", "semantic"), model=MODEL, over="omega", parameter=first,
        alpha=np.full(points, 1.5), error=0.01 * np.abs(np.cos(angle)) + 1e-6,
        tangent=-0.75 * np.cos(angle) / np.where(np.sin(angle) == 0.0, 1e-9, np.sin(angle)),
        order_parameters=np.full((points, solutions, UNKNOWNS), 0.1), free_entropy=np.full((points, solutions), -1e-3),
        test_error=np.full((points, solutions), 2e-3), endings=("closed", "closed"), rule=LineRule(),
        ends=(None, end if solutions == 2 else None), metastable=np.arange(points) > 4 if solutions == 1 else None,
        plane=PLANE, second=second, second_error=0.0075 * np.abs(np.sin(angle)) + 1e-6,
    )  # fmt: skip


FULL = {
    "alpha_c": circle("alpha_c", "first-order", 2),
    "alpha_l": circle("alpha_l", "baseline-crossing", 1, 6),
    "short": circle("short", "event", 1, 2),
    "none": empty_line("none", MODEL, "omega", "it does not come to alpha = 1.5", plane=PLANE),
}
CASES = {
    "full": TransitionLines(MODEL, "omega", (0.0, 0.5), FULL, plane=PLANE),
    "empty": TransitionLines(MODEL, "omega", (0.0, 0.5), {"none": FULL["none"]}, plane=PLANE),
    "interrupted": TransitionLines(MODEL, "omega", (0.0, 0.5), {}, complete=False, plane=PLANE),
}


@pytest.mark.parametrize("case", CASES)
def test_they_are_kept(case, tmp_path):
    lines = CASES[case]
    lines.save(tmp_path / "lines.nc")
    loaded = TransitionLines.load(tmp_path / "lines.nc")
    assert loaded == lines == pickle.loads(pickle.dumps(lines))
    assert hash(loaded) == hash(lines)
    assert loaded != dataclasses.replace(lines, plane=dataclasses.replace(PLANE, alpha=1.6))
    for line in loaded.lines.values():
        assert not line.second.flags.writeable


@pytest.mark.parametrize("case", CASES)
def test_they_are_drawn_and_shown(case, tmp_path):
    lines = CASES[case]
    figure = lines.plot()
    figure.savefig(tmp_path / "lines.png")
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (r"$\omega$", r"$\sigma$")
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 0.5), (0.3, 0.7))
    assert r"\alpha = 1.5" in figure.get_suptitle()
    assert ("incomplete" in figure.get_suptitle()) == (not lines.complete)
    for text in (repr(lines), lines._repr_html_()):
        assert "sigma = 0.3 to 0.7, at alpha = 1.5" in text
        assert all(name in text for name in lines.lines)
    assert ("does not come to" in repr(lines)) == ("none" in lines.lines)
    for line in lines.lines.values():
        assert "omega and sigma" in line._repr_html_()


def test_a_band_lies_across_the_line():
    """On a circle with errors of the radius alone, the band is a ring of their width."""
    lines = dataclasses.replace(CASES["full"], lines={"alpha_c": FULL["alpha_c"]})
    (band,) = lines.plot().axes[0].patches
    x, y = (band.get_path().vertices - [0.25, 0.5]).T
    np.testing.assert_allclose(np.abs(np.hypot(x / 0.2, y / 0.15) - 1.0), 0.05, atol=0.02)


def test_tables_and_documents_have_both_parameters():
    lines = CASES["full"]
    table = line_table(lines)
    assert "sigma" in table.splitlines()[0]
    assert "sigma = 0.50000 +- 2e-04" in table
    assert "no none: it does not come to alpha = 1.5" in table
    document = lines_document(lines)
    assert document["plane"] == {"second": "sigma", "between": [0.3, 0.7], "alpha": 1.5}
    assert document["lines"]["alpha_c"]["second"] == FULL["alpha_c"].second.tolist()
    assert to_json(document)
    rows = lines_rows(lines)
    assert rows[0][:4] == ["line", "omega", "sigma", "alpha"]
    assert {len(row) for row in rows} == {len(rows[0])}
    frame = lines.to_dataframe()
    assert set(frame.over) == {"omega, sigma"}
    np.testing.assert_array_equal(frame.second[frame.line == "alpha_c"], FULL["alpha_c"].second)
    data = lines.to_dataset()
    assert "sigma" in data.second.attrs["long_name"]
    assert "line_end_second" in data
    assert "second" not in TransitionLines(MODEL, "omega", (0.0, 0.5), {}).to_dataset()


def test_models_and_values_are_read_off_a_line():
    line = FULL["alpha_c"]
    model = line.model_at(-2)
    assert (model.omega, model.sigma) == (line.parameter[-2], line.second[-2])
    # The first time that the line passes: it runs back above.
    assert line.at(float(line.parameter[2])) == pytest.approx(line.second[2])
    with pytest.raises(ValueError, match="k must lie between -9 and 8"):
        line.model_at(9)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (ParameterPlane("omega", (0.3, 0.7), 1.5), "another parameter"),
        (ParameterPlane("nu", (0.3, 0.7), 1.5), "another parameter"),
        (ParameterPlane("sigma", (0.3, np.nan), 1.5), "range"),
        (ParameterPlane("sigma", (0.3, 0.7), 1.6), "plane's, 1.6"),
        ({"second": "sigma"}, "alpha"),
    ],
)
def test_a_plane_that_is_none_is_refused(value, said, tmp_path):
    data = CASES["full"].to_dataset().assign_attrs(plane=to_json(value))
    sealed(data).to_netcdf(tmp_path / "lines.nc", engine="scipy")
    with pytest.raises(UnreadableFile, match=said):
        TransitionLines.load(tmp_path / "lines.nc")


def test_earlier_files_have_no_plane():
    for version in (1, 2, 3):
        lines = TransitionLines.load(DATA / f"lines_{version}.nc")
        assert lines.plane is None
        assert all(line.plane is line.second is line.second_error is None for line in lines.lines.values())
    assert lines.lines["alpha_c"].ends[1].kind == "bicritical point"
    assert np.isnan(lines.lines["alpha_c"].ends[1].second)
