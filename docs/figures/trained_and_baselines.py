"""Draw the trained layer next to all baselines: overlap with the teacher and test error against alpha.

Run by hand: ``python docs/figures/trained_and_baselines.py`` writes ``docs/_static/baselines.png``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from baselines import BASELINES, BayesOptimal, PopulationOptimum
from replica import AttentionModel
from replica.quantities.names import ORDER_PARAMETERS
from replica.symmetry.sectors import Sector
from saddle import StateEvolution, find_point, solve_phase_diagram, solve_point
from saddle.output.figures.dense_curves import dense_curve
from saddle.output.figures.styles import BRANCH_COLOURS

MODEL = AttentionModel.paper()
FIGURE = Path(__file__).parent.parent / "_static" / "baselines.png"
FIRST, LAST, DIAGRAM_ENDS = 0.05, 100.0, 3.0
BAYES_COLOUR = "black"
INDEX = {quantity.name: index for index, quantity in enumerate(ORDER_PARAMETERS)}
LINES = {
    "linear positional": ("#009E73", "--"),
    "uniform attention": ("#7f7f7f", ":"),
    "best positional attention": (BRANCH_COLOURS["positional"], (0, (1, 1.5))),
    "best semantic attention": (BRANCH_COLOURS["semantic"], (0, (1, 1.5))),
}


def trained(sector: Sector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return alpha, cosine similarity and test error along a branch: a diagram, and single points beyond it."""
    diagram = solve_phase_diagram(MODEL, alpha=(FIRST, DIAGRAM_ENDS))
    branch = diagram.branches[sector.name]
    curve = dense_curve(diagram, branch)
    assert curve is not None
    q, theta = (curve.states[:, INDEX[name]] for name in ("self_overlap", "semantic_overlap"))
    rows = list(zip(curve.alpha, theta / np.sqrt(MODEL.token_variance * q), curve.test_error, strict=True))
    evolution = StateEvolution(MODEL)
    point = find_point(evolution, sector, DIAGRAM_ENDS)
    for alpha in np.geomspace(DIAGRAM_ENDS, LAST, 25)[1:]:
        # The susceptibility falls as 1/alpha.
        start = point.evaluation.state * np.where(np.arange(4) == INDEX["susceptibility"], point.alpha / alpha, 1.0)
        point = solve_point(evolution, sector, start, float(alpha))
        overlaps = point.order_parameters
        cosine = overlaps["semantic_overlap"] / np.sqrt(MODEL.token_variance * overlaps["self_overlap"])
        rows.append((alpha, cosine, point.test_error))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def draw_asymptote(axes: Axes, optimum: PopulationOptimum, colour: str) -> None:
    """Draw the predicted approach to an optimum, where it is worth anything."""
    alpha = np.geomspace(2.0, LAST, 60)
    values = [optimum.asymptote(x) for x in alpha]
    label = "first two terms at large alpha" if optimum.positional_overlap > 0 else None
    axes.plot(alpha, values, color=colour, linewidth=1.0, alpha=0.5, label=label)


def main() -> None:
    """Solve and draw."""
    figure, (overlaps, errors) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    bayes = BASELINES["Bayes-optimal"](MODEL)
    assert isinstance(bayes, BayesOptimal)
    ends = [bayes.weak_recovery, bayes.perfect_recovery]
    curve = bayes.curve(np.unique([FIRST, *np.linspace(*ends, 200), LAST]))
    overlaps.plot(curve.alpha, curve.overlap, color=BAYES_COLOUR, linewidth=1.8, label=bayes.name)
    errors.plot(curve.alpha, curve.test_error, color=BAYES_COLOUR, linewidth=1.8, label=bayes.name)
    for sector in (Sector.POSITIONAL, Sector.SEMANTIC):
        alpha, cosine, test_error = trained(sector)
        colour, label = BRANCH_COLOURS[sector.name], f"trained, {sector.name} branch"
        overlaps.plot(alpha, cosine, color=colour, linewidth=2.0, label=label)
        errors.plot(alpha, test_error, color=colour, linewidth=2.0, label=label)
    for name, (colour, style) in LINES.items():
        baseline = BASELINES[name](MODEL)
        errors.axhline(baseline.test_error_at(1.0), color=colour, linestyle=style, linewidth=1.4, label=name)
        if isinstance(baseline, PopulationOptimum):
            draw_asymptote(errors, baseline, colour)
    for axes in (overlaps, errors):
        axes.set_xscale("log")
        axes.set_xlim(FIRST, LAST)
        axes.set_xlabel(r"sample complexity $\alpha = n/d$")
        axes.grid(alpha=0.25, linewidth=0.5)
    for value, text in zip(ends, ("1/6", "1/2"), strict=True):
        overlaps.axvline(value, color=BAYES_COLOUR, linewidth=0.6, linestyle=":")
        overlaps.annotate(rf"$\alpha = {text}$", (value, 1.06), ha="center", fontsize=8,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
    overlaps.set_ylim(-0.02, 1.12)
    overlaps.set_ylabel(r"cosine similarity with the teacher, $\theta/\sqrt{\rho q}$")
    overlaps.legend(loc="lower right", fontsize=8)
    errors.set_ylim(0.0, 0.0072)
    errors.set_ylabel(r"test error per token, $\epsilon_g$")
    errors.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
    errors.legend(loc="upper right", fontsize=8, ncols=2)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
