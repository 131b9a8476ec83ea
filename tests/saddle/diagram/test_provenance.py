"""A diagram says what made it: versions, equations, what was asked, seconds by stage."""

import importlib.metadata
import pickle
from dataclasses import replace

import numba
import pytest

from replica import AttentionModel
from replica.common.stages import recorded, stage, told
from saddle import LineRule, PhaseDiagram, Provenance, solve_phase_diagram
from saddle.diagram import solving

MODEL = AttentionModel.paper(omega=0.3)
RULE = LineRule.for_tolerance(2e-2)


@pytest.fixture(scope="module")
def diagram():
    return solve_phase_diagram(MODEL, alpha=(1.0, 1.5), points=3, rule=RULE, threads=1)


def test_it_says_what_made_it(diagram):
    provenance = diagram.provenance
    assert provenance.versions["attention-phase"] == importlib.metadata.version("attention-phase")
    assert provenance.versions["numba"] == numba.__version__
    assert provenance.digest == next(iter(diagram.branches.values())).evolution.channel.kernel.digest
    assert provenance.settings == {
        "alpha": "[1.0, 1.5]", "points": "3", "sweep": '"down"', "tolerance": "null", "threads": "1", "rule": repr(RULE)
    }  # fmt: skip
    assert {"follow", "audit", "solve on the grid"} <= set(provenance.seconds)
    assert all(seconds >= 0.0 for seconds in provenance.seconds.values())


def test_it_is_kept_in_files_and_printed(diagram, tmp_path):
    diagram.save(tmp_path / "diagram.nc")
    loaded = PhaseDiagram.load(tmp_path / "diagram.nc")
    assert loaded.provenance == diagram.provenance
    assert loaded.provenance.seconds == diagram.provenance.seconds
    assert str(loaded.provenance) == str(diagram.provenance)
    assert pickle.loads(pickle.dumps(diagram.provenance)) == diagram.provenance
    assert [line.split(":")[0] for line in str(loaded.provenance).splitlines()] == [
        "made with", "equations", "asked", "stages"
    ]  # fmt: skip


def test_an_interrupted_diagram_has_one_too(monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(solving, "search_interval", interrupt)
    diagram = solve_phase_diagram(MODEL, alpha=(1.0, 1.5), points=3, rule=RULE, threads=1)
    assert not diagram.complete
    assert diagram.provenance.settings["points"] == "3"
    assert diagram.provenance.digest
    diagram.save(tmp_path / "interrupted.nc")
    assert PhaseDiagram.load(tmp_path / "interrupted.nc").provenance == diagram.provenance


def test_seconds_make_no_difference(diagram):
    assert replace(diagram.provenance, seconds={}) == diagram.provenance
    assert replace(diagram.provenance, digest="") != diagram.provenance


def test_what_is_not_known_is_said():
    assert str(Provenance()).splitlines() == [
        f"{name}: not known" for name in ("made with", "equations", "asked", "stages")
    ]


def test_stages_are_added_up_where_they_are_recorded():
    with recorded() as outer:
        told("a", 1.0)
        with recorded() as inner:
            told("a", 2.0)
            with pytest.raises(KeyboardInterrupt), stage("b"):
                raise KeyboardInterrupt
        told("c", 0.5)
    told("a", 4.0)
    assert inner == {"a": 2.0, "b (not finished)": inner["b (not finished)"]}
    assert outer == {"a": 3.0, "b (not finished)": inner["b (not finished)"], "c": 0.5}
