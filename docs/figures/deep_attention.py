"""Fill the page on two tied layers of attention: solutions at single sample complexities, and training runs.

Run by hand: ``python docs/figures/deep_attention.py FOLDER``; what is found is kept in the folder. Some ten minutes
on one core.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import sympy as sp
from page_text import fill, table, with_error

from replica import MultiIndexModel, Spectrum, softmax
from saddle import SobolRule, StateEvolution, find_point
from validation import INTO_THE_BASIN, Prediction, compare_at

PAGE = Path(__file__).parent.parent / "examples" / "deep_attention.md"
INFORMED, AGNOSTIC = "teacher-12 3", "agnostic"
WORDS = {INFORMED: "informed", AGNOSTIC: "agnostic"}
POINTS = (
    (INFORMED, 4.0), (INFORMED, 3.0), (INFORMED, 2.5), (INFORMED, 2.0), (INFORMED, 1.5), (INFORMED, 0.75),
    (AGNOSTIC, 0.75), (AGNOSTIC, 1.5), (AGNOSTIC, 3.0),
)  # fmt: skip
FINE, ROUGH = SobolRule(points=128, scrambles=8), SobolRule(points=64)
TRAINED = ((INFORMED, 4.0), (INFORMED, 3.0))
DIMENSION, SEEDS = 200, range(400, 412)
SYMBOLS = {
    "self_overlap_1": "$q_1$", "self_overlap_2": "$q_2$", "semantic_overlap_1": r"$\theta_1$",
    "semantic_overlap_2": r"$\theta_2$", "train_loss": r"$\epsilon_t$", "test_error": r"$\epsilon_g$",
}  # fmt: skip


def two_layers(h: sp.Matrix) -> sp.Matrix:
    """Return the attention of the second layer on what the first, with a skip connection, makes of the tokens."""
    first = softmax(h[:, 0] * h[:, 0].T) + sp.Symbol("skip") * sp.eye(2)
    second = first * h[:, 1]
    return softmax(second * second.T)


def deep_attention(penalty: float = 0.01, skip: float = 1.0) -> MultiIndexModel:
    """Return a student of two tied layers that learns from a teacher of two."""
    return MultiIndexModel(
        lambda z, y: sum((y[k] - weight) ** 2 for k, weight in enumerate(two_layers(z))) / 2,
        penalty,
        lambda h, _: list(two_layers(h)),
        rank=2,
        teacher_rank=2,
        spectrum=Spectrum.isotropic(1.0, 1.0),
        parameters={"skip": skip},
    )


def solve(folder: Path) -> dict[str, dict]:
    """Return what was found at every point, by its sector and alpha, and train where that is asked for."""
    model, file = deep_attention(), folder / "points.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for sector, alpha in POINTS:
        name = f"{sector} {alpha:g}"
        if name in known:
            continue
        evolution = StateEvolution(model, FINE if sector == INFORMED and alpha >= 2 else ROUGH)
        point = find_point(evolution, sector, alpha)
        found = {
            "values": dict(point.order_parameters),
            "errors": dict(point.error),
            "train_loss": point.train_loss,
            "test_error": point.test_error,
        }
        if (sector, alpha) in TRAINED:
            compared = compare_at(
                model, Prediction.of_point(point), "semantic", DIMENSION, SEEDS, training=INTO_THE_BASIN,
                spherical_teacher=True,
            )  # fmt: skip
            found["runs"] = {x.name: [x.mean, x.standard_error, x.theory] for x in compared.quantities}
        known[name] = found
        file.write_text(json.dumps(known, indent=1))
    return known


def own_error(name: str, found: dict) -> float:
    """Return the error of what runs are compared by; as matrices are diagonal, those of their entries."""
    if name in ("train_loss", "test_error"):
        return found["errors"]["free_entropy" if name == "train_loss" else name]
    entries = list(found["values"])
    pair = [entries[k] for k in ((0, 2) if name.startswith("self") else (6, 9))]
    return found["errors"][sorted(pair, key=lambda x: -abs(found["values"][x]))[int(name[-1]) - 1]]


def main(folder: Path) -> None:
    """Solve, train, and fill the page."""
    known = solve(folder)
    rows, runs = [], []
    for sector, alpha in sorted(POINTS, key=lambda x: (list(WORDS).index(x[0]), x[1])):
        found = known[f"{sector} {alpha:g}"]
        names = list(found["values"])
        cells = [WORDS[sector], f"{alpha:g}"]
        for k in (0, 2, 6, 9):
            zero = found["values"][names[k]] == 0.0
            cells.append("0" if zero else with_error(found["values"][names[k]], found["errors"][names[k]]))
        cells += [with_error(1e3 * found["train_loss"], 1e3 * found["errors"]["free_entropy"])]
        rows.append([*cells, with_error(1e3 * found["test_error"], 1e3 * found["errors"]["test_error"])])
        for name, (mean, error, theory) in found.get("runs", {}).items():
            uncertain = own_error(name, found)
            if theory < 2 * uncertain:
                # A singular value that is zero within its error has no sign, and fluctuations do not average out.
                continue
            deviation = (mean - theory) / np.hypot(error, uncertain)
            shown = [with_error(mean, error), with_error(theory, uncertain), f"{deviation:+.1f}"]
            runs.append([f"{alpha:g}", SYMBOLS[name], *shown])
    head = ["", r"$\alpha$", "$q_{11}$", "$q_{22}$", r"$\theta_{11}$", r"$\theta_{22}$"]
    fill(PAGE, "solutions", table([*head, r"$10^3\epsilon_t$", r"$10^3\epsilon_g$"], rows))
    fill(PAGE, "runs", table([r"$\alpha$", "", f"$d = {DIMENSION}$", "theory", "deviation"], runs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
