"""Fill the page on label noise: minima of attention's training loss with noise in every entry of a label, and without.

Run by hand: ``python docs/figures/label_noise.py FILE.json``, which keeps the runs. Three minutes on one core.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from page_text import fill, table, with_error

from replica import AttentionModel
from validation import TrainingLoss, draw_teacher_data, initial_student
from validation.simulation.descent.optimisers import descend, lowest_by_lbfgs
from validation.simulation.gradient_descent import measured_overlaps

DOCS = Path(__file__).parent.parent
MODEL, ALPHA = AttentionModel.paper(omega=0.3), 2.0
DEVIATIONS = (0.0, 0.25, 0.5, 1.0)
SEEDS = {100: 24, 200: 24, 400: 16}
STARTS = {"semantic": "semantic", "positional-informed": "positional"}
COLUMNS = (("q", "$q$"), ("m", "$|m|$"), ("theta", r"$|\theta|$"), ("loss", "training loss"))

Array = NDArray[np.float64]


class NoisyLabels:
    r"""Attention's training loss where every entry of a label has noise of a standard deviation s.

    With :math:`y = Tx + s\,\xi` a sample's :math:`\frac1{2d}|y - f|^2` is that without noise and
    :math:`\frac sd \xi\cdot(Tx - f) + \frac{s^2}{2d}|\xi|^2`, whose last term does not depend on the student.

    Attributes
    ----------
    constant
        The sum of this last term over samples.
    """

    def __init__(self, plain: TrainingLoss, noise: Array, deviation: float) -> None:
        data = plain.data
        self.plain, self.deviation = plain, deviation
        self.with_tokens = np.einsum("ind,jnd->ijn", noise, data.tokens)
        self.with_inputs = self.with_tokens + np.einsum("ind,jd->ijn", noise, data.encodings)
        self.constant = deviation**2 * float(np.sum(noise**2)) / (2 * data.dimension)

    def value_and_gradient(self, student: Array) -> tuple[float, Array]:
        """Return the training loss, of order d, and its gradient."""
        value, gradient = self.plain.value_and_gradient(student)
        data, share = self.plain.data, self.deviation / self.plain.data.dimension
        fields = self.plain.preactivations(student)
        weights = self.plain.attention.weights(fields)
        value += share * float(np.sum(data.targets * self.with_tokens) - np.sum(weights * self.with_inputs))
        pulled = self.plain.attention.pullback(fields, weights, -share * self.with_inputs)
        return value + self.constant, gradient + self.plain.transposed(pulled / math.sqrt(data.dimension))

    def value(self, student: Array) -> float:
        """Return the training loss."""
        return self.value_and_gradient(student)[0]

    def gradient(self, student: Array) -> Array:
        """Return its gradient."""
        return self.value_and_gradient(student)[1]


def minima(dimension: int, seed: int, start: str, deviations: Sequence[float] = DEVIATIONS) -> list[list[float]]:
    """Return q, |m|, |theta| and the training loss without its constant, per dimension, at every deviation.

    Data and noise are the same but for the noise's size.
    """
    generator = np.random.default_rng([seed, dimension])
    data = draw_teacher_data(MODEL, dimension, ALPHA, generator, spherical_teacher=True)
    noise = generator.standard_normal(data.tokens.shape)
    plain, rows = TrainingLoss.of(data), []
    for deviation in deviations:
        loss = NoisyLabels(plain, noise, deviation)
        student, _ = descend(loss, initial_student(data, start), "gradient-descent", 0.15, 200, 0.0)
        student, _ = lowest_by_lbfgs(loss, student, 5000)
        found = measured_overlaps(data, student)
        overlaps = [abs(found[name]) for name in ("self_overlap", "positional_overlap", "semantic_overlap")]
        rows.append([*overlaps, (loss.value(student) - loss.constant) / dimension])
    return rows


def all_minima(path: Path) -> dict[str, dict[int, Array]]:
    """Return minima by start and dimension, shape (seeds, deviations, 4), kept in a file."""
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for start in STARTS:
        for dimension, count in SEEDS.items():
            name = f"{start} {dimension}"
            if name not in kept:
                kept[name] = [minima(dimension, seed, start) for seed in range(count)]
                path.write_text(json.dumps(kept))
    return {start: {d: np.array(kept[f"{start} {d}"]) for d in SEEDS} for start in STARTS}


def rows_of(found: dict[str, dict[int, Array]]) -> list[list[str]]:
    """Return the page's table: what noise changes, on the same data, times d."""
    rows = []
    for start, word in STARTS.items():
        for j, deviation in enumerate(DEVIATIONS[1:], start=1):
            for k, (_, symbol) in enumerate(COLUMNS):
                # What is a fluctuation about zero is left out.
                if k == (1 if start == "semantic" else 2):
                    continue
                cells = [word, f"{deviation:g}", symbol]
                for dimension, values in found[start].items():
                    change = dimension * (values[:, j, k] - values[:, 0, k])
                    cells.append(with_error(float(change.mean()), float(change.std(ddof=1) / math.sqrt(len(change)))))
                rows.append(cells)
    return rows


def draw(found: dict[str, dict[int, Array]]) -> Figure:
    """Draw what noise changes against 1/d, on the same data."""
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    for axes, (k, symbol) in zip(figure.subplots(1, 2), ((0, "$q$"), (3, "training loss")), strict=True):
        for (start, word), marker, colour in zip(STARTS.items(), "os", ("#D55E00", "#0072B2"), strict=True):
            for j, style in ((2, "--"), (3, "-")):
                changes = {d: values[:, j, k] - values[:, 0, k] for d, values in found[start].items()}
                means = [float(x.mean()) for x in changes.values()]
                errors = [float(x.std(ddof=1) / math.sqrt(len(x))) for x in changes.values()]
                inverse = [1 / d for d in changes]
                label = f"{word}, $s = {DEVIATIONS[j]:g}$"
                filled = colour if j == 3 else "white"
                axes.errorbar(
                    inverse, means, errors, linestyle="", marker=marker, ms=5, capsize=2, color=colour,
                    markerfacecolor=filled, label=label,
                )  # fmt: skip
                weights = 1 / np.array(errors) ** 2
                slope = float(np.sum(weights * np.array(means) * inverse) / np.sum(weights * np.square(inverse)))
                axes.plot([0, 0.0105], [0, 0.0105 * slope], style, color=colour, linewidth=0.8)
        axes.set_xlabel("$1/d$")
        axes.set_ylabel(f"change of {symbol} by label noise" if k == 0 else f"change of the {symbol}")
        axes.grid(alpha=0.25, linewidth=0.5)
    figure.axes[0].legend(fontsize=8)
    return figure


if __name__ == "__main__":
    results = all_minima(Path(sys.argv[1]))
    head = ["minimum", "$s$", "", *(f"$d = {d}$" for d in SEEDS)]
    fill(DOCS / "examples" / "label_noise.md", "changes", table(head, rows_of(results)))
    draw(results).savefig(DOCS / "_static" / "label_noise.png", dpi=150)
