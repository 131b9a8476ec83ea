"""What files say to readers who have xarray alone: every variable is described, and what is said twice agrees."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.io import netcdf_file

from replica import AttentionModel
from replica.common.errors import UnreadableFile, UnwritableFile
from replica.reports.formats.bibliography import PUBLICATIONS
from saddle import LineRule, Outcome, PhaseDiagram, SweptModel, TransitionLines, solve_phase_diagram, sweep_dataset
from saddle.diagram import solving
from saddle.diagram.lines.ends import LineEnd
from saddle.output.files.json_values import from_plain, to_json
from saddle.output.files.metadata import REFERENCE
from saddle.output.files.sealing import sealed
from saddle.sweeps.dataset import COLUMNS as OF_SWEEPS

DATA = Path(__file__).resolve().parents[2] / "data"
OF_JSON = (
    "model",
    "rule",
    "audit",
    "provenance",
    "curves",
    "everywhere",
    "reasons",
    "lines",
    "columns",
    "between",
)


def interrupted_diagram() -> PhaseDiagram:
    """As Ctrl-C leaves it that comes at once."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(solving, "search_interval", interrupt)
        return solve_phase_diagram(AttentionModel.paper(), (1.0, 1.5), points=3, rule=LineRule.for_tolerance(2e-2))


def made() -> dict[str, PhaseDiagram | TransitionLines]:
    """Return results of every kind: whole, with nothing in them, interrupted, with numbers that are none."""
    diagram = PhaseDiagram.load(DATA / "phase_diagram_6.nc")
    lines = TransitionLines.load(DATA / "lines_2.nc")
    nothing = {"alpha_c": None, "alpha_l": None, "bifurcations": (), "first_order": (), "everywhere": ()}
    doubtful = dataclasses.replace(diagram.alpha_c, alpha=2.0, error=math.inf, bracket=None, points=(), resolved=False)
    end = LineEnd("an overlap vanishes", math.nan, math.nan, math.nan, math.nan, ())
    ended = dataclasses.replace(lines.lines["alpha_c"], ends=(None, end), complete=False)
    return {
        "diagram": diagram,
        "no transition": dataclasses.replace(diagram, **nothing),
        "no branch": dataclasses.replace(diagram, **nothing, branches={}),
        "interrupted": interrupted_diagram(),
        "not finite": dataclasses.replace(diagram, alpha_l=doubtful, searched=(0.0, math.inf)),
        "lines": lines,
        "no line": dataclasses.replace(lines, lines={}, columns=()),
        "ended lines": dataclasses.replace(lines, lines={**lines.lines, "alpha_c": ended}, complete=False),
    }


KINDS = (
    "diagram", "no transition", "no branch", "interrupted", "not finite", "lines", "no line", "ended lines",
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, tuple]:
    """Of each kind: what was saved, and the file."""
    folder = tmp_path_factory.mktemp("layout")
    items = made()
    assert tuple(items) == KINDS
    for name, item in items.items():
        item.save(folder / f"{name}.nc")
    return {name: (item, folder / f"{name}.nc") for name, item in items.items()}


def check_described(data: xr.Dataset) -> None:
    """Hold a Dataset to what the CF conventions ask of every variable, as far as that can be told without a unit."""
    for name, variable in data.variables.items():
        said = variable.attrs
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", str(name))
        assert said["units"] == "1", name
        assert re.fullmatch(r"\S.+", said["long_name"]), name
        assert ("flag_values" in said) == ("flag_meanings" in said), name
        if "flag_values" in said:
            values, meanings = np.atleast_1d(said["flag_values"]), said["flag_meanings"].split()
            assert values.dtype == (np.int8 if variable.dtype == bool else variable.dtype), name
            assert len(set(values.tolist())) == len(values) == len(set(meanings)) == len(meanings) > 1, name
            assert np.all(np.isin(variable.values, values)), name
        else:
            assert variable.dtype.kind in "fUO" or name == "line_points", name
        for other in said.get("ancillary_variables", "").split():
            assert data[other].dims == variable.dims or other in ("merged", "transition_resolved"), (name, other)
    for name, text in {"Conventions": "CF-1", "references": "arXiv:2402.03902", "source": "attention-phase"}.items():
        assert text in data.attrs[name]
    assert data.attrs["title"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_variable_and_file_says_what_it_is(kind, saved):
    item, path = saved[kind]
    with xr.open_dataset(path) as data:
        check_described(data)
        created = datetime.datetime.fromisoformat(data.attrs["created"])
        assert created.utcoffset() == datetime.timedelta(0)
        assert data.attrs["history"].startswith(f"{data.attrs['created']}: written by {data.attrs['software']}")
        asked = item.provenance.settings
        assert data.attrs["settings"] == (", ".join(f"{k} = {v}" for k, v in asked.items()) or "not known")
    check_described(item.to_dataset())
    # Only what has gaps says what stands in them; a coordinate has none.
    with netcdf_file(path, mmap=False) as raw:
        gaps = {name for name, x in raw.variables.items() if hasattr(x, "_FillValue")}
        assert gaps == {name for name, x in raw.variables.items() if x.typecode() == "d" and np.isnan(x[:]).any()}
        assert not gaps & set(raw.dimensions)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_was_written(kind, saved):
    item, path = saved[kind]
    loaded = type(item).load(path)
    assert loaded == item
    assert loaded.to_dataset().identical(item.to_dataset())


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_json_for_everyone(kind, saved):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    with xr.open_dataset(saved[kind][1]) as data:
        found = [name for name in OF_JSON if name in data.attrs]
        assert len(found) > 3
        for name in found:
            json.loads(data.attrs[name], parse_constant=refuse)
        if kind == "not finite":
            assert json.loads(data.attrs["searched"]) == [0.0, "Infinity"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e300, -0.0])
def test_numbers_that_json_does_not_know_are_read_back(number):
    text = to_json({"a": (number, np.float64(number))})
    (first, second) = from_plain(tuple[float, float], json.loads(text)["a"], "a")
    assert math.copysign(1.0, first) == math.copysign(1.0, number) or math.isnan(number)
    assert np.array_equal([first, second], [number, number], equal_nan=True)
    with pytest.raises(UnreadableFile, match="must be float"):
        from_plain(float, "nan", "a")


def test_merged_entries_are_those_of_the_branch_that_is_named(saved):
    item, path = saved["diagram"]
    with xr.open_dataset(path) as opened:
        data = opened.load()
    met = set()
    for name, branch in item.branches.items():
        own = data.sel(branch=name)
        for k, outcome in enumerate(branch.outcome):
            assert str(own.outcome[k].item()) == outcome.name
            meanings = dict(zip(own.outcome_code.flag_values, own.outcome_code.flag_meanings.split(), strict=True))
            assert meanings[own.outcome_code[k].item()] == outcome.name
            other = str(own.merged_with[k].item())
            assert bool(own.merged[k]) == bool(other) == (outcome is Outcome.MERGED)
            if other:
                met.add((name, other))
                # The last of a chain, which has values of its own.
                assert item.branches[other].outcome[k] is Outcome.CONVERGED
                for column in ("self_overlap", "semantic_overlap", "test_error", "eigenvalue_real", "jump_strength"):
                    np.testing.assert_array_equal(own[column][k], data[column].sel(branch=other)[k])
        families = dict(zip(own.family.flag_values, own.family.flag_meanings.split(), strict=True))
        assert families[own.family.item()] == branch.family
    assert met


def test_merged_branches_of_which_nothing_is_known_say_so(saved):
    item, _ = saved["diagram"]
    name = next(name for name, b in item.branches.items() if Outcome.MERGED in b.outcome)
    alone = dataclasses.replace(item, branches={name: item.branches[name]}, alpha_c=None, alpha_l=None)
    data = alone.to_dataset()
    np.testing.assert_array_equal(data.merged_with[0] == "unknown", data.merged[0] == 1)


def test_transitions_are_variables(saved):
    for kind in ("diagram", "no transition", "not finite"):
        item, path = saved[kind]
        with xr.open_dataset(path) as data:
            assert list(data.transition.values) == list(item.transitions)
            for name, one in item.transitions.items():
                own = data.sel(transition=name)
                assert (own.transition_alpha.item(), own.transition_alpha_error.item()) == (one.alpha, one.error)
                assert (own.transition_kind.item(), own.transition_criticality.item()) == (one.kind, one.criticality)
                assert tuple(own.transition_between.values) == one.between
                assert bool(own.transition_resolved) == one.resolved
                assert own.transition_unstable_to.item() == one.unstable_to
                assert np.array_equal(own.transition_bracket, one.bracket or (np.nan, np.nan), equal_nan=True)
                assert int(np.isfinite(own.transition_test_error).sum()) == len(one.points)
                for k, point in enumerate(one.points):
                    there = own.isel(solution=k)
                    np.testing.assert_array_equal(there.transition_order_parameters, point.order_parameters)
                    assert there.transition_free_entropy.item() == point.free_entropy
                    assert there.transition_test_error.item() == point.test_error


def test_nodes_of_curves_say_whose_they_are(saved):
    item, path = saved["diagram"]
    with xr.open_dataset(path) as data:
        for name, branch in item.branches.items():
            np.testing.assert_array_equal(data.curve_alpha[data.curve_branch == name], branch.curve.alpha)


def test_lines_are_variables(saved):
    for kind in ("lines", "no line", "ended lines"):
        item, path = saved[kind]
        with xr.open_dataset(path) as data:
            assert list(data.transition.values) == list(item.lines)
            assert item.over in data.parameter.long_name
            for name, line in item.lines.items():
                own = data.sel(transition=name)
                assert own.line_points.item() == len(line) == int((data.line == name).sum())
                assert (own.line_kind.item(), own.line_reason.item()) == (line.kind, line.reason)
                assert (tuple(own.line_between.values), tuple(own.line_endings.values)) == (line.between, line.endings)
                assert bool(own.line_complete) == line.complete
                kinds = ["" if end is None else end.kind for end in line.ends]
                assert own.line_end_kind.values.tolist() == kinds
                points = data.isel(point=np.flatnonzero(data.line == name))
                expected = [-1] * len(line) if line.metastable is None else line.metastable.astype(int)
                np.testing.assert_array_equal(points.metastable, expected)
                solutions = line.free_entropy.shape[1]
                assert {tuple(x) for x in points.solution_branch.values} == {(*line.between[:solutions], "")[:2]}


CONTRADICTIONS = {
    "diagram": (
        "transition", "transition_alpha", "transition_between", "transition_order_parameters", "transition_resolved",
        "merged", "merged_with", "outcome_code", "family", "stable", "replica_stable",
    ),
    "lines": ("transition", "line_kind", "line_points", "line_complete", "metastable", "solution_branch"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in CONTRADICTIONS.items() for name in names])
def test_what_is_said_twice_may_not_disagree_even_under_a_seal(kind, name, saved, tmp_path):
    item, path = saved[kind]
    with xr.open_dataset(path) as opened:
        data = opened.load()
    values = np.array(data[name].values)
    values.flat[0] = {"O": "other", "f": 0.125}.get(values.dtype.kind, 0 if values.flat[0] else 1)
    changed = sealed(data.assign({name: (data[name].dims, values, data[name].attrs)}))
    changed.to_netcdf(tmp_path / "changed.nc", engine="scipy")
    with pytest.raises(UnreadableFile, match=f"variable '{name}' contradicts the rest of the file"):
        type(item).load(tmp_path / "changed.nc")
    sealed(data.drop_vars(name)).to_netcdf(tmp_path / "changed.nc", engine="scipy")
    with pytest.raises(UnreadableFile, match=f"'{name}' is missing"):
        type(item).load(tmp_path / "changed.nc")


def test_flags_have_no_other_values(saved, tmp_path):
    item, path = saved["diagram"]
    with xr.open_dataset(path) as opened:
        data = opened.load()
    signs = (data.jacobian_signs.dims, np.full(data.jacobian_signs.shape, 2, dtype=np.int8), {})
    sealed(data.assign(jacobian_signs=signs)).to_netcdf(tmp_path / "changed.nc", engine="scipy")
    with pytest.raises(UnreadableFile, match=r"-1 \(negative\), 0 \(none\), 1 \(positive\) and nothing else"):
        type(item).load(tmp_path / "changed.nc")


def test_files_of_one_time_have_the_same_bytes(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for kind, (item, _) in saved.items():
        for name in ("one", "two"):
            item.save(tmp_path / f"{name}.nc")
        assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes(), kind
        with xr.open_dataset(tmp_path / "one.nc") as data:
            assert data.attrs["created"] == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("time", ["", "yesterday", "1e9", "9" * 30])
def test_a_time_that_is_none_is_refused_before_anything_is_written(time, saved, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", time)
    with pytest.raises(UnwritableFile, match=f"SOURCE_DATE_EPOCH must be a number of seconds since 1970, got '{time}'"):
        saved["lines"][0].save(tmp_path / "lines.nc")
    assert not list(tmp_path.iterdir())


def test_a_line_beyond_zero_cannot_be_saved_and_is_named(saved, tmp_path):
    """Such a line was found once: at its turn the finer rule led to alpha = -9.7."""
    item, _ = saved["lines"]
    line = item.lines["alpha_l"]
    alpha = np.where(np.arange(len(line)) == 7, -9.75, line.alpha)
    wrong = dataclasses.replace(item, lines={**item.lines, "alpha_l": dataclasses.replace(line, alpha=alpha)})
    with pytest.raises(UnwritableFile, match=r"alpha must be positive, got -9.75 on the line 'alpha_l'"):
        wrong.save(tmp_path / "lines.nc")
    assert not list(tmp_path.iterdir())


def test_files_of_the_versions_before_read():
    diagram, earlier = (PhaseDiagram.load(DATA / f"phase_diagram_{version}.nc") for version in (6, 5))
    assert diagram == earlier
    lines = TransitionLines.load(DATA / "lines_2.nc")
    assert {name: len(line) for name, line in lines.lines.items()} == {"alpha_c": 12, "alpha_l": 12}
    assert lines.lines["alpha_c"].at(0.3) == pytest.approx(1.2515, abs=2e-2)
    assert lines.provenance.settings == {}
    assert lines.columns


def test_the_reference_is_that_of_reports():
    assert PUBLICATIONS[0].text == REFERENCE


def test_a_table_of_many_models_is_described_too(saved, tmp_path):
    diagram, _ = saved["diagram"]
    empty, _ = saved["interrupted"]
    models = [AttentionModel.paper(omega=omega, sigma=sigma) for omega in (0.2, 0.3) for sigma in (0.4, 0.5)]
    grid = [SweptModel(model, diagram) for model in models]
    for members in (grid, grid[:1], [diagram, empty], [SweptModel(models[0], None, "no")]):
        data = sweep_dataset(members)
        check_described(data)
        data.to_netcdf(tmp_path / "sweep.nc", engine="scipy")
        with xr.open_dataset(tmp_path / "sweep.nc") as read:
            check_described(read)
            assert read.equals(data)
    assert set(data.data_vars) == {column.name for column in OF_SWEEPS}
    assert dict(sweep_dataset(grid).sizes) == {"omega": 2, "sigma": 2, "transition": len(diagram.transitions)}


def test_a_diagram_is_a_table(saved):
    for kind in ("diagram", "no branch", "interrupted"):
        item, _ = saved[kind]
        table = item.to_dataframe()
        assert len(table) == len(item.branches) * len(item.alpha)
        assert not table.duplicated(["branch", "alpha"]).any()
        for name, branch in item.branches.items():
            own = table[table.branch == name]
            np.testing.assert_array_equal(own.alpha, item.alpha)
            np.testing.assert_array_equal(own.test_error, branch.test_error)
            np.testing.assert_array_equal(own.self_overlap_error, branch.errors[:, 0])
            np.testing.assert_array_equal(own.stable, branch.stable)
            assert own.outcome.tolist() == [outcome.name for outcome in branch.outcome]
            assert set(own.family) == {branch.family}
            assert ((own.merged_with != "") == (own.outcome == "MERGED")).all()


def test_lines_are_a_table(saved):
    for kind in ("lines", "no line"):
        item, _ = saved[kind]
        table = item.to_dataframe()
        assert len(table) == sum(map(len, item.lines.values()))
        for name, line in item.lines.items():
            own = table[table.line == name]
            for column in ("parameter", "alpha", "error", "tangent"):
                np.testing.assert_array_equal(own[column], getattr(line, column))
            assert set(own.over) == {item.over}
            for k in range(line.free_entropy.shape[1]):
                assert set(own[f"branch_{k + 1}"]) == {line.between[k]}
                np.testing.assert_array_equal(own[f"test_error_{k + 1}"], line.test_error[:, k])
                np.testing.assert_array_equal(own[f"semantic_overlap_{k + 1}"], line.order_parameters[:, k, 3])
            if line.free_entropy.shape[1] == 1:
                assert own.test_error_2.isna().all()
