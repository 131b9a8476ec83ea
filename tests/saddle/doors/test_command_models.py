"""Models that the command takes from files, and what is said of files that hold none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from replica import AttentionModel, Spectrum
from saddle import PhaseDiagram
from saddle.cli import main
from saddle.cli.options import ModelOptions


def model_of(file: str | None, **numbers: Any) -> AttentionModel:
    names = ("omega", "sigma", "regularization", "positional_matrix")
    return ModelOptions(file, **{name: numbers.get(name) for name in names}).model()


GENERAL = AttentionModel(0.3, rank=2, spectrum=Spectrum.power_law(1.2, tokens=2, count=3))


def test_a_model_travels_through_json(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(GENERAL.to_dict()))
    assert model_of(str(path)) == GENERAL
    path.write_text('{"omega": 0.2}')
    assert model_of(str(path)) == AttentionModel.paper(omega=0.2)


def test_a_python_file_may_import_its_neighbours_and_print(tmp_path, capsys):
    (tmp_path / "constants_beside.py").write_text("OMEGA = 0.25\n")
    path = tmp_path / "model.py"
    path.write_text(
        "from constants_beside import OMEGA\nfrom replica import AttentionModel\nprint('said')\n"
        "model = AttentionModel(OMEGA, attention=lambda h: h * h.T)\n"
    )
    model = model_of(str(path))
    assert model.omega == 0.25
    assert model.attention
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "said\n")


def test_numbers_of_a_file_can_be_replaced(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(AttentionModel(0.3, rank=2).to_dict()))
    replaced = model_of(str(path), omega=0.1, positional_matrix="1 0; 0 1")
    assert replaced == AttentionModel(0.1, rank=2, positional_matrix=[[1.0, 0.0], [0.0, 1.0]])
    assert model_of(None, sigma=0.4) == AttentionModel.paper(omega=0.3, sigma=0.4)
    assert model_of(None) == AttentionModel.paper(omega=0.3)


BAD = {
    "missing.py": (None, "there is no file"),
    "model.txt": ("", "ends with .py or .json"),
    "raises.py": ("x = 1\nmodel = x / 0\n", "in line 2 ZeroDivisionError: division by zero"),
    "syntax.py": ("x = 1\ndef f(:\n", "in line 2 SyntaxError"),
    "leaves.py": ("raise SystemExit(3)\n", "in line 1 SystemExit: 3"),
    "nothing.py": ("", "defines nothing"),
    "other.py": ("import math\nx = 1\n", "defines math, x"),
    "number.py": ("model = 3\n", "must be an AttentionModel or a MultiIndexModel, got a value of type int"),
    "bad.py": ("from replica import AttentionModel\nmodel = AttentionModel(omega=7)\n", "InvalidModel: omega"),
    "half.json": ('{"omega": ', "must hold JSON"),
    "list.json": ("[1]", "got [1]"),
    "unknown.json": ('{"omega": 0.3, "colour": 1}', "unknown entry 'colour'"),
    "empty.json": ("{}", "no entry 'omega'"),
    "large.json": ('{"omega": 2}', "omega must lie in [0, 1], got 2"),
    "index.json": ('{"kind": "multi-index", "loss": "x", "outputs": ""}', "srepr of a matrix"),
    "nan.json": ('{"omega": NaN}', "nan"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_without_a_model_is_one_line(name, tmp_path):
    content, said = BAD[name]
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(main, ["solve", "--model", str(path), "--output", str(tmp_path / "out"), "--json"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr
    assert str(path) in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("--debug", "solve"), ("solve", "--debug")])
def test_tracebacks_are_shown_to_those_who_ask(arguments, tmp_path):
    path = tmp_path / "raises.py"
    path.write_text("model = 1 / 0\n")
    result = CliRunner().invoke(main, [*arguments, "--model", str(path)])
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert "model = 1 / 0" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert not result.stdout


def test_an_interrupt_in_a_file_is_an_interrupt(tmp_path):
    path = tmp_path / "stopped.py"
    path.write_text("raise KeyboardInterrupt\n")
    assert CliRunner().invoke(main, ["solve", "--model", str(path)]).exit_code == 130


def test_a_report_is_of_a_model_or_of_results(tmp_path, monkeypatch):
    monkeypatch.setattr(PhaseDiagram, "load", lambda _: pytest.fail("nothing was to be read"))
    result = CliRunner().invoke(main, ["report", "--model", "a.py", "--results", "b.nc"])
    assert result.exit_code == 2
    assert "'a.py' and 'b.nc'" in result.stderr
