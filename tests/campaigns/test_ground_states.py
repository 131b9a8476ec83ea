"""The campaign of ground states: its statistics, that it goes on where it was stopped, and the page's tables."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.campaigns import ground_state_runs as runs
from tests.campaigns.ground_state_summary import (
    NAMES,
    PAGE,
    STORED,
    condensed,
    distances,
    energy_table,
    extrapolated,
    ground_state_table,
    size_table,
)
from tests.campaigns.result_lines import read_lines
from validation import draw_teacher_data

TABLES = {"ground states": ground_state_table, "sizes": size_table, "energies": energy_table}
THEORY = {"symmetric": dict.fromkeys(NAMES, 1.0), "one_step": dict.fromkeys(NAMES, 1.0),
          "errors": dict.fromkeys(NAMES, 0.0), "parisi": [1.0], "energy": [1.0], "complexity": [0.1]}  # fmt: skip


def made_up(seed: int) -> list[dict]:
    """Lines of a campaign whose values are 1 + 3/d, noise, and ten times what the first control variate has amiss."""
    generator = np.random.default_rng(seed)
    point = "omega = 0, positional, alpha = 1"
    lines: list[dict] = [{"what": "theory", "point": point, **THEORY}]
    for size in (500, 1000, 2000):
        lines.append({"what": "means", "point": point, "dimension": size, "means": [0.3, 0.0], "errors": [1e-4, 0.0]})
        known = generator.normal(0.0, 1e-4)
        for number in range(40):
            control = generator.standard_normal(2) / np.sqrt(size)
            value = 1.0 + 3.0 / size + 10.0 * (control[0] - known) + 0.3 * generator.standard_normal() / np.sqrt(size)
            row = dict.fromkeys(NAMES, float(value))
            own = {"metastable": row, "lowest": row, "response": [value, value], "wrong": [1, 0], "accepted": 1}
            own |= {"tried": 2, "mutual_overlap": 1.0, "controls": [float(0.3 + control[0]), float(control[1])]}
            lines.append({"what": "training", "point": point, "dimension": size, "seed": number, **own})
    return lines


def test_means_are_right_within_their_errors_which_control_variates_make_small():
    deviations, errors, squared = [], [], []
    for seed in range(60):
        (found,) = condensed(made_up(seed)).values()
        limit, error, slope, chi_squared = extrapolated(found["stages"]["lowest"], "q")
        deviations.append((limit - 1.0) / error)
        errors.append(error)
        squared.append(chi_squared)
        assert abs(slope - 3.0) < 40.0
    assert abs(np.mean(deviations)) < 3 / np.sqrt(60)
    assert 0.75 < np.std(deviations) < 1.3
    # Three sizes and two numbers leave one degree of freedom.
    assert 0.4 < np.mean(squared) < 1.8
    # Without control variates it would be some thirty times as much.
    assert np.mean(errors) < 5e-3


def test_control_variates_have_the_means_that_are_stated():
    point, size = runs.POINTS[0], 40
    sets = [
        draw_teacher_data(point.model, size, 5.0, np.random.default_rng(k), spherical_teacher=True) for k in range(60)
    ]
    found = np.array([runs.controls(point, data) for data in sets])
    stated = runs.mean_controls(point, size)
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(len(sets)), stated["errors"])
    assert found.shape[1] == len(runs.CONTROLS)
    assert np.all(np.abs(found.mean(axis=0) - stated["means"]) < 4.0 * error)


def test_a_campaign_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "SIZES", {30: (2, 1), 40: (1, 0)})
    monkeypatch.setattr(runs, "POINTS", runs.POINTS[:1])
    monkeypatch.setattr(runs, "CHAINS", {40: 1})
    monkeypatch.setattr(runs, "FRESH", 100)
    monkeypatch.setattr(runs, "TEST_SAMPLES", 100)
    monkeypatch.setattr(runs, "theory", lambda point: {"what": "theory", **THEORY})
    path = tmp_path / "runs.jsonl"
    runs.main([str(path), "--most", "30"])
    first = read_lines(path)
    assert [x["what"] for x in first] == ["theory", "means", "training", "training"]
    assert ["descent" in x for x in first[2:]] == [True, False]
    for line in first[2:]:
        assert line["lowest"]["loss"] <= line["metastable"]["loss"]
    # A line that was cut short is made again, and the larger size added.
    path.write_bytes(path.read_bytes()[:-20])
    runs.main([str(path)])
    again = read_lines(path)
    assert [x["what"] for x in again] == ["theory", "means", "training", "training", "means", "training", "chain"]
    assert again[-1]["lowest"]["loss"] <= again[-2]["lowest"]["loss"] * (1 + 1e-12)
    drop = {"seconds"}
    assert [{k: v for k, v in x.items() if k not in drop} for x in again[:4]] == [
        {k: v for k, v in x.items() if k not in drop} for x in first
    ]


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads(STORED.read_text(encoding="utf-8"))


def test_the_page_has_the_stored_numbers(stored):
    text = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        shown = re.search(rf"<!-- {name} -->\n\n(.*?)\n\n<!-- end -->", text, flags=re.DOTALL)
        assert shown is not None
        assert shown[1] == table(stored), name


def test_stored_points_are_those_of_the_campaign(stored):
    assert list(stored) == [point.name for point in runs.POINTS]


@pytest.mark.measurement
def test_stored_theory_is_what_is_solved_now(stored):
    point = runs.POINTS[1]
    found = runs.theory(point)
    kept = stored[point.name]
    for kind in ("symmetric", "one_step"):
        for name in NAMES:
            allowed = 2.0 * kept["errors"][name] + 1e-4 * abs(kept[kind][name])
            assert abs(found[kind][name] - kept[kind][name]) <= allowed, (kind, name)
    assert max(found["energy"]) == pytest.approx(max(kept["energy"]), rel=1e-4)


def test_descent_stops_far_above_the_minima_that_theory_counts(stored):
    """What the page says: single samples in wrong wells, a term of order 1/d, and no extensive number of minima."""
    for found in stored.values():
        highest = max(found["energy"]) / found["one_step"]["loss"] - 1.0
        drops = {int(d): moves["drop"] for d, moves in found["moves"].items()}
        for size, (drop, error) in drops.items():
            assert drop - 2.0 * error > highest
            assert size * max(found["complexity"]) < 1.0
        # Two moves in a row find little that single ones do not.
        for size, chain in found["chains"].items():
            assert 0.0 <= chain["drop"][0] < drops[int(size)][0]
        smallest, largest = drops[min(drops)], drops[max(drops)]
        assert largest[0] < smallest[0]


POSITIONAL, SMALL, SEMANTIC = (
    f"omega = {omega}, {family}, alpha = {alpha}"
    for omega, family, alpha in (("0.3", "positional", "1.5"), ("0.2", "positional", "1.5"), ("0.3", "semantic", "0.9"))
)


def said(sentence: str) -> bool:
    """Whether the page has a sentence."""
    return sentence in PAGE.read_text(encoding="utf-8")


def test_the_verdict_follows_from_the_tables():
    stored = json.loads(STORED.read_text())
    assert list(stored) == [POSITIONAL, SMALL, SEMANTIC]
    away = {point: {name: distances(found, name) for name in NAMES} for point, found in stored.items()}
    assert said(
        "overlaps, loss and test error agree with replica symmetry and with one step, whose difference is smaller"
    )
    for name in ("q", "m", "loss", "test_error"):
        _, error, from_symmetric, from_one = away[POSITIONAL][name]
        assert max(abs(from_symmetric), abs(from_one)) < 1.0
        assert abs(stored[POSITIONAL]["symmetric"][name] - stored[POSITIONAL]["one_step"][name]) < error
    assert said("is excluded in $q$, $m$ and $\\epsilon_g$ by four standard errors and more, and one step agrees")
    for name in ("q", "m", "test_error"):
        assert abs(away[SMALL][name][2]) >= 3.95
        assert abs(away[SMALL][name][3]) < 2.0
    assert said("$\\theta$ and $\\epsilon_g$ lean the same way by three")
    for name in ("theta", "test_error"):
        _, _, from_symmetric, from_one = away[SEMANTIC][name]
        assert abs(from_symmetric) > 3.0
        assert abs(from_one) < abs(from_symmetric)
    assert said("There $\\theta$ depends on $d$ most")
    own = ((POSITIONAL, "m"), (SMALL, "m"), (SEMANTIC, "theta"))
    slopes = {point: extrapolated(stored[point]["stages"]["lowest"], name) for point, name in own}
    assert max(slopes, key=lambda point: abs(slopes[point][2] / slopes[point][0])) == SEMANTIC
    assert said("of a minimum excludes replica symmetry everywhere")
    assert all(found["response"][2] < -12.0 for found in away.values())


def test_two_steps_come_nearer_to_the_response():
    text = PAGE.read_text(encoding="utf-8")
    stored = json.loads(STORED.read_text())
    (sentence,) = re.findall(
        r"\$V = (.*?) with two steps at the three points, all within ([\d.]+) standard errors", text
    )
    values = [number(x) for x in re.findall(r"[\d.]+\(\d+\)", sentence[0])]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "$10^4" not in line]
    for (point, found), (value, error) in zip(stored.items(), values, strict=True):
        limit, known, _, _ = distances(found, "response")
        assert abs(limit - value) < float(sentence[1]) * np.hypot(known, error)
        # It is that of the table further up, two rows below its own.
        omega, family, alpha = (x.split(" = ")[-1] for x in point.split(", "))
        (first,) = (k for k, line in enumerate(rows) if line.startswith(f"| {omega}, {family}, {alpha} | 0 |"))
        cells = [cell.strip() for cell in rows[first + 2].strip("|").split("|")]
        assert cells[1] == "2"
        assert number(cells[5]) == (value, error)


def number(text: str) -> tuple[float, float]:
    """A number with its error in brackets: 12.69(8)."""
    value, error = re.fullmatch(r"([\d.]+)\((\d+)\)", text).groups()
    return float(value), int(error) * 10.0 ** -len(value.partition(".")[2])


def test_how_far_up_descent_stops_follows_from_the_tables():
    text = PAGE.read_text(encoding="utf-8")
    stored = json.loads(STORED.read_text())
    drops = {point: extrapolated(found["moves"], "drop") for point, found in stored.items()}
    highest = {point: max(x["energy"]) / x["one_step"]["loss"] - 1.0 for point, x in stored.items()}
    (times,) = re.findall(r"L-BFGS is (\d+), (\d+) and (\d+) times as far up as one step counts minima", text)
    for point, expected in zip(stored, times, strict=True):
        found = stored[point]["moves"]["1000"]["drop"][0] / highest[point]
        assert found == pytest.approx(float(expected), rel=0.04)
    assert said("one to four samples per thousand dimensions")
    for found in stored.values():
        for d in ("1000", "2000"):
            assert 1.0 < 1000 * found["moves"][d]["wrong"][0] / int(d) < 4.0
        assert 2000 * max(found["complexity"]) < 1.0
    assert said("is clearly above the highest $e$ at $\\omega = 0.2$, and not known well enough elsewhere")
    away = {point: (drops[point][0] - highest[point]) / drops[point][1] for point in stored}
    assert away[SMALL] > 3.0 > max(away[POSITIONAL], away[SEMANTIC])
    (chains,) = re.findall(
        r"further in (\d+) of (\d+) data sets at \$d = 500\$, by ([\d.]+), ([\d.]+) and \$([\d.]+) \\times 10", text
    )
    further = [found["chains"]["500"] for found in stored.values()]
    assert [sum(x["further"][k] for x in further) for k in (0, 1)] == [int(x) for x in chains[:2]]
    for x, expected in zip(further, chains[2:], strict=True):
        assert 1e3 * x["drop"][0] == pytest.approx(float(expected), abs=0.051)


def test_the_birth_of_the_semantic_branch_is_the_same_on_every_page():
    pattern = r"begins at (?:\$\\alpha = )?(0\.\d+\(\d+\))"
    quoted = [x for path in PAGE.parent.glob("*.md") for x in re.findall(pattern, path.read_text("utf-8"))]
    assert len(quoted) > 8
    assert len(set(quoted)) == 1, quoted
