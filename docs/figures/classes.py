"""Draw the figure of the page on samples of several classes: the square's student on four clouds, and descent.

Run by hand: ``python docs/figures/classes.py``; a few minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

from replica import MultiIndexModel, SampleClass
from saddle import PhaseDiagram, solve_phase_diagram
from validation import compare_with_theory

STATIC = Path(__file__).parent.parent / "_static"
ALPHAS = (0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 3.9, 4.5)
SIZE, SEEDS = 400, range(300, 312)
LABEL = sp.Symbol("label")
CORNERS = (((1, 0), 1.0), ((-1, 0), 1.0), ((0, 1), -1.0), ((0, -1), -1.0))


def square() -> MultiIndexModel:
    """Return the page's model: a square that tells four clouds at the corners of a square apart."""
    classes = [SampleClass(0.25, [[2.5 * a, 2.5 * b]], {"label": x}) for (a, b), x in CORNERS]
    return MultiIndexModel(lambda z, y: (z[0] ** 2 - 1 - LABEL) ** 2 / 4, 0.3, classes=classes)


def draw(diagram: PhaseDiagram) -> plt.Figure:
    """Return the overlap with the first direction and the training loss, of theory and of descent."""
    runs = compare_with_theory(
        diagram, ALPHAS, starts=["positional-informed"], dimensions=[SIZE], seeds=SEEDS
    ).runs.isel(start=0, dimension=0)
    figure, panels = plt.subplots(1, 2, figsize=(7.0, 2.8), layout="constrained")
    for name, branch in diagram.branches.items():
        own = branch.distinct
        if not own.any():
            continue
        style = {"label": name} if name in ("agnostic", "positional", "positional from fold") else {"ls": ":"}
        overlap = np.hypot(branch.states[own, 1], branch.states[own, 2])
        panels[0].plot(branch.alpha[own], overlap, **style)
        panels[1].plot(branch.alpha[own], -branch.free_entropy[own], **style)
    found = runs["positional_overlap"]
    lengths = np.sqrt((found**2).sum([x for x in found.dims if x not in ("alpha", "seed")]))
    for panel, values in zip(panels, (lengths, runs["train_loss"]), strict=True):
        mean, error = values.mean("seed"), values.std("seed", ddof=1) / np.sqrt(len(SEEDS))
        panel.errorbar(ALPHAS, mean, error, fmt="k.", capsize=2, label=f"descent, $d = {SIZE}$")
        panel.set_xlabel(r"$\alpha$")
    panels[0].set_ylabel(r"$|m|$")
    panels[1].set_ylabel(r"$\epsilon_t$")
    panels[1].legend(fontsize=8)
    return figure


if __name__ == "__main__":
    draw(solve_phase_diagram(square(), alpha=(0.05, 5.0), points=80)).savefig(STATIC / "example_classes.png", dpi=160)
