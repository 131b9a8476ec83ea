"""What the command prints for programs: strict JSON or one CSV table, with the numbers of the diagram itself."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from matplotlib.figure import Figure

from baselines import linear_positional
from replica import AttentionModel
from saddle import LineRule, PhaseDiagram, Transition, TransitionLines, TransitionPoint
from saddle.cli import INTERRUPTED, main
from saddle.diagram.lines.line import TransitionLine, empty_line
from saddle.output.tables import line_table, transition_table

PAPER = AttentionModel.paper()
POINT = TransitionPoint((0.1, 0.2, 30.0, np.nextafter(0.3, 1.0)), -0.1 / 3.0, 2e-3 / 7.0)
FIRST = Transition(1.25 + 1e-15, 1e-5 / 3.0, "first-order", ("positional", "semantic"), points=(POINT, POINT))
FORK = Transition(
    0.1 / 3.0, float("nan"), "pitchfork", ("agnostic", 'a, "b" <c>'), "positional_overlap", "supercritical", False
)
FULL = PhaseDiagram(
    PAPER, np.linspace(0.01, 3.0, 4), {}, FIRST, None, (FORK,), linear_positional(PAPER), {"alpha_l": "none, it says"},
    LineRule(), first_order=(FIRST,), everywhere=(FIRST, FORK),
)  # fmt: skip
EMPTY = dataclasses.replace(FULL, alpha_c=None, bifurcations=(), first_order=(), everywhere=(), reasons={})
PARTIAL = dataclasses.replace(
    EMPTY, complete=False, reasons={"interrupted": "the computation was interrupted"}, searched=(0.0, np.inf)
)
DIAGRAMS = {"full": FULL, "empty": EMPTY, "interrupted": PARTIAL}


def line_of(points: int) -> TransitionLine:
    steps = np.arange(1.0, points + 1.0) / 3.0
    values = np.zeros((points, 1, 4)), np.zeros((points, 1)), np.zeros((points, 1))
    return dataclasses.replace(
        empty_line("alpha_c", PAPER, "omega", ""), parameter=steps, alpha=steps**2, error=steps * 1e-5,
        tangent=steps * np.nan, order_parameters=values[0], free_entropy=values[1], test_error=values[2],
    )  # fmt: skip


NONE = empty_line("alpha_l", PAPER, "omega", 'there is none, "<so>"')
LINES = {
    "full": TransitionLines(PAPER, "omega", (0.0, 0.5), {"alpha_c": line_of(3), "alpha_l": NONE}),
    "empty": TransitionLines(PAPER, "omega", (0.0, 0.5), {"alpha_l": NONE}),
    "interrupted": TransitionLines(PAPER, "omega", (0.0, 0.5), {"alpha_c": line_of(1)}, complete=False),
}


@pytest.fixture
def run(monkeypatch, tmp_path) -> Callable[..., Any]:
    """Let the command 'solve' what is given, and draw nothing."""

    def command(name: str, solved: PhaseDiagram | TransitionLines, *arguments: str) -> Any:
        monkeypatch.setattr("saddle.phase_diagram.solve_phase_diagram", lambda *_, **__: solved)
        monkeypatch.setattr("saddle.transition_lines.solve_transition_lines", lambda *_, **__: solved)
        monkeypatch.setattr(type(solved), "plot", lambda *_, **__: Figure())
        # What is made by hand need not hold what a file must.
        monkeypatch.setattr(type(solved), "save", lambda *_: None)
        result = CliRunner().invoke(main, [name, "--output", str(tmp_path), *arguments])
        assert result.exit_code == (0 if solved.complete else INTERRUPTED), result.output
        return result

    return command


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def document(result: Any) -> dict[str, Any]:
    return json.loads(result.stdout, parse_constant=refuse)


def rows(result: Any) -> list[dict[str, str]]:
    header, *others = csv.reader(io.StringIO(result.stdout))
    assert all(len(row) == len(header) for row in others)
    return [dict(zip(header, row, strict=True)) for row in others]


@pytest.mark.parametrize("kind", DIAGRAMS)
def test_json_holds_a_diagram_s_numbers_to_the_last_digit(kind, run):
    diagram = DIAGRAMS[kind]
    result = run("solve", diagram, "--json")
    found = document(result)
    assert found["complete"] is diagram.complete
    assert AttentionModel(**found["model"]) == diagram.model
    assert found["alpha"] == diagram.alpha.tolist()
    assert found["reasons"] == diagram.reasons
    assert found["linear_baseline"]["test_error"] == diagram.linear_baseline.test_error
    assert list(found["transitions"]) == list(diagram.transitions)
    for name, one in diagram.transitions.items():
        told = found["transitions"][name]
        assert (told["alpha"], told["kind"], tuple(told["between"])) == (one.alpha, one.kind, one.between)
        assert told["error"] == (None if np.isnan(one.error) else one.error)
        assert [TransitionPoint(tuple(x.pop("order_parameters")), **x) for x in told["points"]] == list(one.points)
    assert len(found["order_parameters"]) == 4
    assert "phase_diagram.nc" in result.stderr


@pytest.mark.parametrize("kind", DIAGRAMS)
def test_csv_is_one_table_with_a_diagram_s_numbers(kind, run):
    diagram = DIAGRAMS[kind]
    told = {row["transition"]: row for row in rows(run("solve", diagram, "--csv"))}
    assert set(told) == {"alpha_c", "alpha_l", *diagram.transitions}
    for name, row in told.items():
        one = diagram.transitions.get(name)
        if one is None:
            assert row["alpha"] == row["error"] == ""
            assert row["reason"] == diagram.reasons.get(name, diagram.reasons.get("interrupted", ""))
        else:
            assert float(row["alpha"]) == one.alpha
            assert row["error"] == ("" if np.isnan(one.error) else repr(one.error))
            assert (row["first"], row["second"], row["resolved"]) == (*one.between, str(one.resolved))


def test_pandas_reads_the_table(run):
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(io.StringIO(run("solve", FULL, "--csv").stdout)).set_index("transition")
    # Some versions of pandas round the last digit.
    assert table.alpha["alpha_c"] == pytest.approx(FIRST.alpha, rel=1e-14)
    assert table.alpha.isna()["alpha_l"]
    # A column of truth values with gaps is one of texts to some versions of pandas.
    assert str(table.resolved["agnostic -> " + FORK.between[1]]) == "False"


@pytest.mark.parametrize("kind", DIAGRAMS)
def test_text_is_the_table(kind, run):
    assert run("solve", DIAGRAMS[kind]).stdout.startswith(transition_table(DIAGRAMS[kind]) + "\n")
    assert run("lines", LINES[kind]).stdout.startswith(line_table(LINES[kind]) + "\n")


@pytest.mark.parametrize("kind", LINES)
def test_lines_are_printed_with_all_their_points(kind, run):
    solved = LINES[kind]
    found, table = document(run("lines", solved, "--json")), rows(run("lines", solved, "--csv"))
    assert (found["complete"], found["over"]) == (solved.complete, "omega")
    for name, line in solved.lines.items():
        told = found["lines"][name]
        assert told["alpha"] == line.alpha.tolist()
        assert told["tangent"] == [None] * len(line)
        assert told["reason"] == line.reason
        own = [row for row in table if row["line"] == name]
        if len(line):
            assert [float(row["omega"]) for row in own] == line.parameter.tolist()
            assert [float(row["error"]) for row in own] == line.error.tolist()
        else:
            assert [(row["omega"], row["reason"]) for row in own] == [("", line.reason)]


def test_a_report_s_files_are_printed(run, monkeypatch, tmp_path):
    monkeypatch.setattr(PhaseDiagram, "report", lambda *_, **__: [tmp_path / "a,b.md"])
    assert document(run("report", FULL, "--json"))["files"] == [str(tmp_path / "a,b.md")]
    assert rows(run("report", FULL, "--csv")) == [{"file": str(tmp_path / "a,b.md")}]
    assert document(run("report", PARTIAL, "--json"))["result"] == "phase diagram"


@pytest.mark.parametrize("command", ["solve", "lines", "report", "simulate", "paper"])
def test_two_forms_at_once_are_refused(command):
    result = CliRunner().invoke(main, [command, "--json", "--csv"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: --json and --csv exclude each other, got both\n"


def test_simulations_are_one_document_also_after_an_interrupt(monkeypatch):
    from validation import compare_at

    def once(*arguments: Any, **settings: Any) -> Any:
        if arguments[2] == "positional":
            raise KeyboardInterrupt
        return compare_at(*arguments, **settings)

    arguments = ["simulate", "--dimension", "20", "--steps", "5", "--start", "semantic"]
    whole = CliRunner().invoke(main, [*arguments, "--json"])
    found = document(whole)
    assert found["complete"] is True
    names = [quantity["name"] for quantity in found["comparisons"][0]["quantities"]]
    assert names[-2:] == ["train_loss", "test_error"]
    table = rows(CliRunner().invoke(main, [*arguments, "--csv"]))
    for row, quantity in zip(table, found["comparisons"][0]["quantities"], strict=True):
        assert row["quantity"] == quantity["name"]
        assert float(row["mean"]) == quantity["mean"] == pytest.approx(np.mean(quantity["values"]))
    monkeypatch.setattr("validation.compare_at", once)
    partial = CliRunner().invoke(main, [*arguments, "--start", "positional", "--json"])
    assert partial.exit_code == INTERRUPTED
    assert document(partial)["complete"] is False
    assert [one["start"] for one in document(partial)["comparisons"]] == ["semantic"]


def test_options_of_a_solve_reach_it(monkeypatch, tmp_path):
    asked = {}

    def solve(model: AttentionModel, alpha: Any, **options: Any) -> PhaseDiagram:
        asked.update(options, alpha=alpha)
        return FULL

    monkeypatch.setattr("saddle.phase_diagram.solve_phase_diagram", solve)
    monkeypatch.setattr(PhaseDiagram, "plot", lambda *_, **__: Figure())
    monkeypatch.setattr(PhaseDiagram, "save", lambda *_: None)
    rule = json.dumps({"kind": "SobolRule", "points": 64})
    options = ["--sweep", "up", "--grid", "0.5, 1 2", "--rule", rule, "--threads", "1", "--alpha", "0.5", "2"]
    assert CliRunner().invoke(main, ["solve", "--output", str(tmp_path), *options]).exit_code == 0
    assert (asked["sweep"], asked["points"], asked["threads"], asked["alpha"]) == ("up", (0.5, 1.0, 2.0), 1, (0.5, 2.0))
    assert asked["rule"].points == 64
    assert asked["progress"] is False  # standard error is no terminal here
    assert CliRunner().invoke(main, ["solve", "--output", str(tmp_path), "--progress"]).exit_code == 0
    assert asked["progress"] is True
    assert asked["tolerance"] is asked["rule"] is None


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--rule", "x"], "'x'"),
        (["--rule", '{"kind": "Y"}'], "'Y'"),
        (["--grid", "1 b"], "'1 b'"),
        (["--grid", "2 1"], "(2.0, 1.0)"),
    ],
)
def test_misuse_of_a_rule_or_a_grid_is_one_line(arguments, quoted, tmp_path):
    result = CliRunner().invoke(main, ["solve", "--output", str(tmp_path / "out"), *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert quoted in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_shells_complete_commands_options_and_files():
    complete = ShellComplete(main, {}, "attention-phase", "_ATTENTION_PHASE_COMPLETE")
    assert {item.value for item in complete.get_completions([], "s")} == {"solve", "simulate"}
    assert "--json" in {item.value for item in complete.get_completions(["lines"], "--")}
    assert [item.type for item in complete.get_completions(["report", "--results"], "a")] == ["file"]
