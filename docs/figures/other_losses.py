"""Fill the pages on regression and on phase retrieval: training runs beside the compiled solver's curves, figures.

Run by hand: ``python docs/figures/other_losses.py FOLDER [PAGE ...]``. Training runs are kept in the folder, so that a
second call goes on from the first. A minute or two on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sympy as sp
from matplotlib.figure import Figure
from page_text import fill, table, with_error
from points_on_theory import points_on_theory

from replica import MultiIndexModel
from saddle import PhaseDiagram, SobolRule, solve_phase_diagram
from validation import Execution, TheoryComparison, compare_with_theory

DOCS = Path(__file__).parent.parent
NOISE = sp.Symbol("noise")
DIMENSIONS, SEEDS = (100, 200), range(800, 816)
SYMBOLS = {
    "self_overlap": "$q$",
    "semantic_overlap": r"$\theta$",
    "train_loss": r"$\epsilon_t$",
    "test_error": r"$\epsilon_g$",
}


def regressions() -> dict[str, MultiIndexModel]:
    """Return the page's three models."""
    return {
        "ridge": MultiIndexModel(
            lambda z, y: (y[0] - z[0]) ** 2 / 2,
            0.1,
            lambda h, xi: [h[0] + NOISE * xi[0]],
            noise=1,
            parameters={"noise": 0.7},
        ),
        "pseudo-Huber": MultiIndexModel(
            lambda z, y: sp.sqrt(1 + (y[0] - z[0]) ** 2) - 1,
            0.05,
            lambda h, xi: [h[0] + NOISE * xi[0] ** 3],
            noise=1,
            parameters={"noise": 0.5},
        ),
        "logistic": MultiIndexModel(lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])), 0.1, lambda h, _: [sp.sign(h[0])]),
    }


def phase_retrieval() -> MultiIndexModel:
    """Return a student that knows its teacher's outputs up to a sign."""
    return MultiIndexModel(lambda z, y: (z[0] ** 2 - y[0] ** 2) ** 2 / 4, 0.05, lambda h, _: [h[0]])


def experiments(comparison: TheoryComparison, names: dict[str, str]) -> str:
    """Return means, extrapolation, theory and the deviation, for every start, alpha and quantity."""
    assert comparison.extrapolated is not None
    sizes = [f"$d = {d}$" for d in comparison.runs["dimension"].values]
    rows = []
    for start, word in names.items():
        for alpha in map(float, comparison.runs["alpha"].values):
            point = comparison.points[start, alpha]
            for quantity, symbol in SYMBOLS.items():
                limit = comparison.extrapolated.sel(start=start, alpha=alpha, quantity=quantity)
                parts = comparison.statistics.sel(start=start, alpha=alpha, quantity=quantity)
                cells = [word, f"{alpha:g}", symbol]
                for part in (*(parts.sel(dimension=d) for d in parts["dimension"].values), limit):
                    cells.append(with_error(float(part["mean"]), float(part["standard_error"])))
                known = [f"{float(limit['theory']):.5f}", f"{float(limit['significance']):+.1f}"]
                rows.append([*cells, *(known if point.exists else ["none", ""])])
    return table(["", r"$\alpha$", "", *sizes, r"$d\to\infty$", "theory", "deviation"], rows)


def compared(diagram: PhaseDiagram, alphas: tuple[float, ...], folder: Path, **options) -> TheoryComparison:
    """Return training runs beside a diagram."""
    return compare_with_theory(
        diagram,
        alphas,
        dimensions=DIMENSIONS,
        seeds=SEEDS,
        execution=Execution(folder=folder, progress=True),
        **options,
    )


def make_regression(folder: Path) -> None:
    """Fill the page on regression."""
    page, figure = DOCS / "examples" / "regression.md", Figure(figsize=(12.5, 3.9), layout="constrained")
    texts = []
    for axes, (name, model) in zip(figure.subplots(1, 3), regressions().items(), strict=True):
        # Labels that are signs jump across a lattice.
        rule = SobolRule() if name == "logistic" else None
        diagram = solve_phase_diagram(model, (0.3, 4.2), points=40, rule=rule, progress=False)
        comparison = compared(diagram, (0.5, 1.0, 2.0, 4.0), folder)
        (branch,) = (one for one in diagram.branches.values() if one.distinct.any())
        for quantity, values in (("train_loss", branch.train_loss), ("test_error", branch.test_error)):
            colour = {"train_loss": "#0072B2", "test_error": "#D55E00"}[quantity]
            axes.plot(branch.alpha, values, color=colour, label=quantity.replace("_", " ").replace("train", "training"))
            for d in DIMENSIONS:
                part = comparison.statistics.sel(start="semantic", quantity=quantity, dimension=d)
                axes.errorbar(
                    part["alpha"], part["mean"], part["standard_error"], fmt="o", color=colour, ms=5, capsize=2,
                    markerfacecolor=colour if d == DIMENSIONS[-1] else "white", label=None,
                )  # fmt: skip
        axes.set_title(name)
        axes.set_xlabel(r"$\alpha = n/d$")
        axes.set_ylim(bottom=0.0)
        axes.grid(alpha=0.25, linewidth=0.5)
        texts.append(f"{name[0].upper()}{name[1:]}:\n\n" + experiments(comparison, {"semantic": name}))
        texts.append("```text\n" + comparison.verdict() + "\n```")
    figure.axes[0].legend()
    figure.savefig(DOCS / "_static" / "regression.png", dpi=150)
    fill(page, "runs", "\n\n".join(texts))


def make_phase_retrieval(folder: Path) -> None:
    """Fill the page on phase retrieval."""
    page = DOCS / "examples" / "phase_retrieval.md"
    diagram = solve_phase_diagram(phase_retrieval(), (0.05, 4.0), progress=False)
    names = {"semantic": "teacher", "random": "small weights"}
    comparison = compared(diagram, (1.4, 1.6, 2.0, 2.4, 3.0, 3.6), folder, starts=tuple(names))
    fill(
        page,
        "transitions",
        "```text\n" + "\n".join(f"{x.kind} at alpha = {x.alpha:.2f}" for x in diagram.transitions.values()) + "\n```",
    )
    fill(page, "runs", experiments(comparison, names) + "\n\n```text\n" + comparison.verdict() + "\n```")
    points_on_theory(diagram, comparison, names).savefig(DOCS / "_static" / "phase_retrieval.png", dpi=150)


PAGES = {"regression": make_regression, "phase_retrieval": make_phase_retrieval}


if __name__ == "__main__":
    for chosen in sys.argv[2:] or PAGES:
        PAGES[chosen](Path(sys.argv[1]))
