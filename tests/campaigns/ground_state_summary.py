"""Tables of the ground states that ``ground_state_runs`` collected: statistics, extrapolation, verdicts.

``python -m tests.campaigns.ground_state_summary runs.jsonl`` prints them; ``--fill`` puts them into
docs/broken_symmetry.md, and what they are made of into tests/data/ground_states.json, by which a test holds the page.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaigns.result_lines import read_lines

__all__ = ["NAMES", "condensed", "distances", "energy_table", "extrapolated", "ground_state_table", "size_table"]

ROOT = Path(__file__).resolve().parents[2]
STORED, PAGE = ROOT / "tests" / "data" / "ground_states.json", ROOT / "docs" / "broken_symmetry.md"
NAMES = ("q", "m", "theta", "response", "loss", "test_error")
STAGES = ("metastable", "lowest", "below_descent")
# Of fewer data sets errors are not known.
FEWEST = 4
# At smaller sizes basins are not distinct, and corrections are not 1/d alone.
LEAST = 500
LABELS = {
    "q": ("$q$", 1.0, 4), "m": ("$m$", 1.0, 4), "theta": (r"$\theta$", 1.0, 4), "response": ("$V$", 1.0, 2),
    "loss": (r"loss $\times 10^3$", 1e3, 3), "test_error": (r"$\epsilon_g \times 10^3$", 1e3, 3),
}  # fmt: skip


def condensed(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the tables are made of: theory, and means with their errors by point, size and stage."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(x["point"] for x in lines):
        theory = next(x for x in lines if x["what"] == "theory" and x["point"] == name)
        runs = [x for x in lines if x["what"] == "training" and x["point"] == name and "failure" not in x]
        own = "theta" if "semantic" in name else "m"
        # A run has left its basin if its own overlap is below half of theory's: there is nothing between.
        stayed = [x for x in runs if x["lowest"][own] > 0.5 * theory["one_step"][own]]
        means = {x["dimension"]: x for x in lines if x["what"] == "means" and x["point"] == name}
        sizes = sorted({x["dimension"] for x in stayed} & set(means))
        by_size = {d: [x for x in stayed if x["dimension"] == d] for d in sizes}
        by_size = {d: rows for d, rows in by_size.items() if len(rows) >= FEWEST}
        stages = {stage: _statistics(by_size, means, stage) for stage in STAGES}
        found[name] = {
            **{key: theory[key] for key in ("symmetric", "one_step", "errors", "parisi", "energy", "complexity")},
            "counts": {str(d): [len(rows), sum(x["dimension"] == d for x in runs)] for d, rows in by_size.items()},
            "stages": stages,
            "moves": {str(d): _moves(rows) for d, rows in by_size.items()},
            "chains": _chains([x for x in lines if x["what"] == "chain" and x["point"] == name], stayed),
            "descent": {str(d): x for d, rows in by_size.items() if (x := _descent(rows))},
        }
    return found


def _statistics(by_size: Mapping[int, Sequence[Any]], means: Mapping[int, Any], stage: str) -> dict[str, Any]:
    """Return means over data sets with control variates, and their standard errors, by size and name.

    Coefficients are those of all sizes together, weighted with the number of samples: whatever they are, means are
    unbiased, since those of the control variates are known; what is known of them wrongly enters the errors.
    """
    found: dict[str, Any] = {}
    kept = {d: [x for x in rows if stage in x] for d, rows in by_size.items()}
    kept = {d: rows for d, rows in kept.items() if len(rows) > 1}
    if not kept:
        return found
    for name in NAMES:
        values = {d: np.array([_value(x, stage, name) for x in rows]) for d, rows in kept.items()}
        if any(np.isnan(x).any() for x in values.values()):
            continue
        controls = {d: np.array([x["controls"] for x in rows]) for d, rows in kept.items()}
        scale = np.sqrt(np.concatenate([np.full(len(rows), float(d)) for d, rows in kept.items()]))
        y = scale * np.concatenate([x - x.mean() for x in values.values()])
        c = scale[:, None] * np.concatenate([x - x.mean(axis=0) for x in controls.values()])
        unit = np.linalg.norm(c, axis=0)
        coefficients = np.linalg.lstsq(c / unit, y, rcond=1e-6)[0] / unit
        left = {d: x - controls[d] @ coefficients for d, x in values.items()}
        # Fluctuations are of order 1/sqrt(d): what all larger sizes say of them together is known better.
        judged = [d for d in left if d >= LEAST] or list(left)
        squares = sum(d * float(np.sum((left[d] - left[d].mean()) ** 2)) for d in judged)
        spread = squares / sum(len(left[d]) - 1 for d in judged)
        for d, rows in kept.items():
            mean = float(left[d].mean() + np.array(means[d]["means"]) @ coefficients)
            known = float(np.sum((np.array(means[d]["errors"]) * coefficients) ** 2))
            error = float(np.sqrt(spread / d / len(rows) + known))
            found.setdefault(str(d), {})[name] = [mean, error]
    return found


def _value(line: Mapping[str, Any], stage: str, name: str) -> float:
    if name != "response":
        return line[stage][name]
    return {"metastable": line["response"][0], "lowest": line["response"][1]}.get(stage, np.nan)


def _mean(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))]


def _moves(rows: Sequence[Any]) -> dict[str, Any]:
    """Return by how much moves lowered the loss of the same data, relative to it, and what they were."""
    return {
        "drop": _mean([1.0 - x["lowest"]["loss"] / x["metastable"]["loss"] for x in rows]),
        "wrong": [float(np.mean([x["wrong"][k] for x in rows])) for k in (0, 1)],
        "accepted": float(np.mean([x["accepted"] for x in rows])),
        "tried": float(np.mean([x["tried"] for x in rows])),
        "mutual_overlap": _mean([x["mutual_overlap"] for x in rows]),
    }


def _chains(chains: Sequence[Any], singles: Sequence[Any]) -> dict[str, Any]:
    """Return of how many data sets two moves in a row lower the loss further, and by how much of itself, by size."""
    known = {(x["dimension"], x["seed"]): x["lowest"]["loss"] for x in singles}
    found: dict[str, list[float]] = {}
    for x in chains:
        if (x["dimension"], x["seed"]) in known:
            further = 1.0 - x["lowest"]["loss"] / known[x["dimension"], x["seed"]]
            found.setdefault(str(x["dimension"]), []).append(further)
    return {
        d: {"further": [sum(x > 1e-9 for x in drops), len(drops)], "drop": _mean(drops)}
        for d, drops in found.items()
        if len(drops) > 1
    }


def _descent(rows: Sequence[Any]) -> dict[str, Any]:
    """Return how far above the ground state of the same data gradient descent stops, and the minimum below it."""
    kept = [x for x in rows if "descent" in x]
    if len(kept) < 2:
        return {}
    return {
        key: _mean([x[stage]["loss"] / x["lowest"]["loss"] - 1.0 for x in kept])
        for key, stage in (("stops", "descent"), ("below", "below_descent"), ("l-bfgs", "metastable"))
    }


def extrapolated(by_size: Mapping[str, Mapping[str, Sequence[float]]], name: str) -> tuple[float, float, float, float]:
    """Return a mean's limit for d to infinity, its error, the slope in 1/d and chi^2, by weighted least squares."""
    sizes = [d for d in by_size if int(d) >= LEAST and name in by_size[d]]
    x = np.array([[1.0, 1.0 / int(d)] for d in sizes])
    mean, error = np.array([by_size[d][name] for d in sizes]).T
    weighted = x / error[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    limit, slope = covariance @ weighted.T @ (mean / error)
    chi_squared = np.sum((mean / error - weighted @ [limit, slope]) ** 2)
    return float(limit), float(np.sqrt(covariance[0, 0])), float(slope), float(chi_squared)


def _with_error(mean: float, error: float) -> str:
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{mean:.{digits}f}({round(error * 10**digits)})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a Markdown table, whose first column says something only where it changes."""
    before = ["", *(line[0] for line in rows)]
    rows = [["" if line[0] == last else line[0], *line[1:]] for line, last in zip(rows, before, strict=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def _title(point: str) -> str:
    """Return a point's name as the page has it."""
    return re.sub(r"(omega|alpha) = ([\d.]+)", r"$\\\1 = \2$", point)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def distances(found: Mapping[str, Any], name: str) -> tuple[float, float, float, float]:
    """Return a ground state's quantity for d to infinity, its error, and how many errors from RS and one step it is."""
    limit, error, *_ = extrapolated(found["stages"]["lowest"], name)
    both = [found[kind][name] for kind in ("symmetric", "one_step")]
    own = float(np.hypot(error, found["errors"][name]))
    return limit, error, (limit - both[0]) / error, (limit - both[1]) / own


def ground_state_table(stored: Mapping[str, Any]) -> str:
    """Return theory, the extrapolated experiment, its distances in standard errors, and a verdict, by quantity."""
    rows = []
    for point, found in stored.items():
        for name in NAMES:
            if name in ("m", "theta") and found["one_step"][name] == 0.0:
                continue
            label, unit, digits = LABELS[name]
            chi_squared = extrapolated(found["stages"]["lowest"], name)[3]
            both = [found[kind][name] for kind in ("symmetric", "one_step")]
            limit, error, *away = distances(found, name)
            numbers = [*(f"{unit * x:.{digits}f}" for x in both), _with_error(unit * limit, unit * error)]
            rows.append(
                [_title(point), label, *numbers, f"{chi_squared:.1f}", *map(_signed, away), _verdict(both, error, away)]
            )
    head = [
        "",
        "",
        "RS",
        "one step",
        r"experiment, $d \to \infty$",
        r"$\chi^2$",
        "$z$ from RS",
        "$z$ from one step",
        "verdict",
    ]
    return _table(head, rows)


def _verdict(both: Sequence[float], error: float, away: Sequence[float]) -> str:
    """Say what a distance from both means."""
    near = [abs(z) <= 3.0 for z in away]
    if near == [False, True]:
        return "one step, not RS"
    if near == [True, False]:
        return "RS, not one step"
    if near == [False, False]:
        return "neither"
    return "agrees with both" if abs(both[0] - both[1]) < 3.0 * error else "both within three errors"


def size_table(stored: Mapping[str, Any]) -> str:
    """Return means at each size where L-BFGS stops and at ground states."""
    rows = []
    for point, found in stored.items():
        for d, (stayed, count) in found["counts"].items():
            if int(d) < LEAST:
                continue
            for stage, said in (("metastable", "L-BFGS"), ("lowest", "ground state")):
                here = found["stages"][stage][d]
                own = "theta" if "semantic" in point else "m"
                cells = [_with_error(*(LABELS[name][1] * x for x in here[name]))
                         for name in ("q", own, "response", "loss", "test_error")]  # fmt: skip
                rows.append([_title(point), d, f"{stayed} of {count}", said, *cells])
    head = ["", "$d$", "data sets", "", "$q$", r"$m$ or $\theta$", "$V$", *(LABELS[x][0] for x in NAMES[-2:])]
    return _table(head, rows)


def energy_table(stored: Mapping[str, Any]) -> str:
    """Return how far above the ground state descent stops, and up to where theory counts minima."""
    rows = []
    for point, found in stored.items():
        ground = found["one_step"]["loss"]
        highest = max(found["energy"]) / ground - 1.0
        most = max(found["complexity"])
        for d, moves in found["moves"].items():
            descent = found["descent"].get(d, {})
            cells = [_with_error(*(1e3 * x for x in moves["drop"]))]
            cells += [_with_error(*(1e3 * x for x in descent[key])) if descent else "" for key in ("stops", "below")]
            wrong = " to ".join(f"{x:.1f}" for x in moves["wrong"])
            rows.append([_title(point), d, *cells, wrong, f"{1e3 * highest:.3f}", f"{int(d) * most:.2f}"])
        limit, error, *_ = extrapolated(found["moves"], "drop")
        rows.append(
            [_title(point), r"$\infty$", _with_error(1e3 * limit, 1e3 * error), *[""] * 3, f"{1e3 * highest:.3f}", ""]
        )
    head = ["", "$d$", "L-BFGS", "gradient descent", "minimum below it", "wrong wells", r"highest $e$",
            r"$d\,\Sigma$ at most"]  # fmt: skip
    return _table(head, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--fill", action="store_true", help="rewrite the page and its stored numbers")
    chosen = parser.parse_args(arguments)
    stored = condensed(read_lines(chosen.runs))
    tables = {"ground states": ground_state_table, "sizes": size_table, "energies": energy_table}
    for name, table in tables.items():
        sys.stdout.write(f"{name}\n{table(stored)}\n\n")
    if chosen.fill:
        STORED.write_text(json.dumps(stored, indent=1) + "\n")
        text = PAGE.read_text(encoding="utf-8")
        for name, table in tables.items():
            before, _, rest = text.partition(f"<!-- {name} -->\n")
            _, _, after = rest.partition("<!-- end -->")
            text = f"{before}<!-- {name} -->\n\n{table(stored)}\n\n<!-- end -->{after}"
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
