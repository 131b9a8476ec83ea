"""Fill the tables of ``docs/reproduction.md`` and draw its figure.

Run by hand: ``python docs/figures/reproduction.py [FOLDER [TABLES]]`` rewrites what stands between the page's markers
and writes ``docs/_static/reproduction.png``. Solved diagrams are kept in FOLDER, if one is given, and read from there
next time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from page_text import fill, table, with_error
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from replica import AttentionModel
from saddle import PhaseDiagram, solve_phase_diagram, solve_transition_line
from saddle.output.figures.styles import BRANCH_COLOURS
from validation import (
    compare_published_descent,
    compare_published_scaling,
    compare_published_theory,
    published_rule_deviation,
    published_theory,
    published_transitions,
    solve_on_published_rule,
)
from validation.published.numbers import DESCENT_MODELS, MEASURED, SECOND_MATRIX

DOCS = Path(__file__).parent.parent
PAGE, FIGURE = DOCS / "reproduction.md", DOCS / "_static" / "reproduction.png"
PAPER = AttentionModel.paper(omega=0.3)
BROKEN = {"positional": "positional_overlap", "semantic": "semantic_overlap"}
SHOWN_ALPHA = (0.1758, 0.3417, 0.5904, 0.8392, 1.0879, 1.25375, 1.5025, 1.75125, 2.0)
NEARLY_UNBROKEN = 0.05


class Diagrams:
    """Solved diagrams by model, kept in a folder if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.solved = folder, {}

    def __getitem__(self, model: AttentionModel) -> PhaseDiagram:
        """Return the diagram of a model over the published range."""
        if model not in self.solved:
            matrix = "second" if model.positional_matrix == SECOND_MATRIX else "first"
            name = f"{matrix}_{model.omega:g}_{model.sigma:g}_{model.regularization:g}"
            path = self.folder / name if self.folder else None
            if path is not None and path.exists():
                self.solved[model] = PhaseDiagram.load(path)
            else:
                self.solved[model] = solve_phase_diagram(model, alpha=(0.05, 2.3))
                if path is not None:
                    self.solved[model].save(path)
        return self.solved[model]


def percent(x: float, digits: int = 1) -> str:
    """Render a relative number as per cent, with a minus sign, or a dash for nan."""
    return "—" if not np.isfinite(x) else f"{100 * x:+.{digits}f} %".replace("-", "−")


def model_name(model: AttentionModel) -> str:
    """Name a model by what differs from the paper's parameters."""
    parts = [rf"$\omega = {model.omega:g}$"]
    if model.sigma != 0.5:
        parts.append(rf"$\sigma = {model.sigma:g}$")
    if model.regularization != 0.01:
        parts.append(rf"$\lambda = {model.regularization:g}$")
    if model.positional_matrix == SECOND_MATRIX:
        parts.append("second $A$")
    return ", ".join(parts)


def transitions_table() -> str:
    """Put plotted transitions beside ours."""
    published = published_transitions()
    lines = {name: solve_transition_line(AttentionModel.paper(), name, over="omega") for name in ("alpha_c", "alpha_l")}
    rows = []
    for omega in published.omega.values:
        row = [f"{omega:g}"]
        for name, line in lines.items():
            value = float(published[name].sel(omega=omega))
            if np.isfinite(value):
                ours = float(line.at(float(omega)))
                row += [f"{value:.4f}", f"{ours:.4f}", percent(value / ours - 1)]
            else:
                row += ["", "", ""]
        rows.append(row)
    head = [r"$\omega$", r"published $\alpha_c$", "ours", "difference", r"published $\alpha_l$", "ours", "difference"]
    return table(head, rows)


def curves_table(diagrams: Diagrams) -> str:
    """Put published values at omega = 0.3 beside ours, and beside our equations on the published rule."""
    rows = []
    for branch in ("semantic", "positional", "agnostic"):
        ours = compare_published_theory(diagrams[PAPER], branch)
        shown = ours.alpha.values[:: 3 if branch == "agnostic" else 4]
        theirs = published_rule_deviation(PAPER, branch, shown)
        overlap = BROKEN.get(branch)
        for alpha in theirs.alpha.values:
            row = [branch, f"{alpha:.4g}"]
            for name in ("self_overlap", overlap, "susceptibility", "free_entropy", "test_error"):
                if name is None:
                    row.append("")
                    continue
                exact, rule = ours.sel(alpha=alpha, quantity=name), theirs.sel(alpha=alpha, quantity=name)
                value, here = float(rule.published), float(exact.theory)
                deviation = percent(float(exact.deviation)) if np.isfinite(here) else "none"
                number = (
                    f"{1000 * value:.4f}".replace("-", "−")
                    if name in ("free_entropy", "test_error")
                    else f"{value:.4g}"
                )
                row.append(f"{number}: {deviation} → {percent(float(rule.deviation), 2)}")
            rows.append(row)
    head = ["branch", r"$\alpha$", "$q$", r"$m$ or $\theta$", "$V$", r"$10^3\,\Phi$", r"$10^3\,\epsilon_g$"]
    return table(head, rows)


def curve_summary(diagrams: Diagrams) -> str:
    """List the largest deviations of published curves from our solution and from our equations on their rule."""
    rows = []
    for branch in ("semantic", "positional", "agnostic"):
        ours = np.abs(compare_published_theory(diagrams[PAPER], branch).deviation)
        theirs = np.abs(published_rule_deviation(PAPER, branch).deviation)
        exists = np.isfinite(ours.sel(quantity="free_entropy"))
        for label, deviation in (("our solution", ours[exists.values]), ("on their nodes", theirs[exists.values])):
            names = ("self_overlap", BROKEN.get(branch), "susceptibility", "free_entropy", "test_error")
            row = [branch, label]
            row += [f"{100 * float(deviation.sel(quantity=name).max()):.2f} %" if name else "" for name in names]
            rows.append(row)
    head = ["branch", "compared with", "$q$", r"$m$ or $\theta$", "$V$", r"$\Phi$", r"$\epsilon_g$"]
    return table(head, rows)


def crossing_table(diagrams: Diagrams) -> str:
    """List alpha_c at omega = 0.3 by route."""
    curves = {branch: published_theory(PAPER, branch) for branch in BROKEN}
    splines = {branch: CubicSpline(data.alpha, data.free_entropy) for branch, data in curves.items()}
    tabulated = brentq(lambda a: splines["semantic"](a) - splines["positional"](a), 1.1, 1.4)

    def difference(alpha: float) -> float:
        found = [solve_on_published_rule(PAPER, branch, alpha).free_entropy for branch in ("semantic", "positional")]
        return found[0] - found[1]

    on_rule = brentq(difference, 1.2, 1.3, xtol=1e-4)
    transition = diagrams[PAPER].alpha_c
    assert transition is not None
    return table(
        ["route", r"$\alpha_c$ at $\omega = 0.3$"],
        [
            ["plotted by the authors", f"{float(published_transitions().alpha_c.sel(omega=0.3)):.4f}"],
            [r"crossing of their tabulated $\Phi$ (cubic splines)", f"{tabulated:.4f}"],
            ["our equations on their nodes", f"{on_rule:.4f}"],
            ["ours", f"{transition.alpha:.4f}"],
        ],
    )


def descent_table(diagrams: Diagrams, model: AttentionModel) -> str:
    """Put published gradient descent of one model beside theory at selected alpha."""
    rows = []
    for start, overlap in BROKEN.items():
        found = compare_published_descent(diagrams[model], start)
        for alpha in SHOWN_ALPHA:
            here = found.sel(alpha=alpha, method="nearest")
            branch = str(here.branch.values) + ("" if bool(here.stable) else " (unstable)")
            row = [start, f"{float(here.alpha):.4g}", branch, f"{float(here.jump_share):.1g}"]
            for name, scale in (("train_loss", 1000), ("test_error", 1000), (overlap, 1)):
                one = here.sel(quantity=name)
                row.append(with_error(scale * float(one.published), scale * float(one.standard_error)))
                row.append(f"{scale * float(one.theory):.4f}")
                z = float(one.deviation)
                row.append("—" if not np.isfinite(z) else f"{z:+.1f}".replace("-", "−"))
            rows.append(row)
    head = ["start", r"$\alpha$", "branch", r"$C/\mathbb{E}\mathcal{M}$"]
    for name in (r"$10^3 \epsilon_t$", r"$10^3 \epsilon_g$", r"$\lvert m\rvert$ or $\lvert\theta\rvert$"):
        head += [name, "theory", "s.e."]
    return table(head, rows)


def descent_summary(diagrams: Diagrams) -> str:
    """Count, for every published experiment, points of stable branches lie within three standard errors."""
    rows = []
    for model in DESCENT_MODELS:
        for start, overlap in BROKEN.items():
            found = compare_published_descent(diagrams[model], start)
            stable = found.stable.values & (np.char.startswith(found.branch.values.astype(str), start))
            weak = stable & (found.jump_share.values < NEARLY_UNBROKEN)
            row = [model_name(model), start]
            for chosen in (weak, stable & ~weak):
                cells = []
                for name in ("train_loss", "test_error", overlap):
                    z = np.abs(found.corrected_deviation.sel(quantity=name).values[chosen])
                    cells.append(f"{int((z <= 3).sum())}/{len(z)}" + (f" ({z.max():.1f})" if len(z) else ""))
                row += cells if chosen.any() else ["", "", ""]
            rows.append(row)
    names = [r"$\epsilon_t$", r"$\epsilon_g$", "overlap"]
    head = ["model", "start", *(f"{x}, weak jumps" for x in names), *(f"{x}, strong jumps" for x in names)]
    return table(head, rows)


def scaling_table(diagrams: Diagrams) -> str:
    """Extrapolate published means to infinite d."""
    rows = []
    for start in BROKEN:
        point = diagrams[PAPER].branches[start].at(1.5)
        theory = {**point.order_parameters, "train_loss": point.train_loss, "test_error": point.test_error}
        found = compare_published_scaling(theory, start)
        for name in found["quantity"].values:
            one = found.sel(quantity=name)
            rows.append(
                [
                    start,
                    str(name).replace("_", " "),
                    with_error(float(one.limit), float(one.standard_error)),
                    with_error(float(one.coefficient), float(one.coefficient_error)),
                    f"{float(one.chi_squared):.1f}/{found.attrs['degrees']}",
                    f"{float(one.theory):.6f}",
                    f"{float(one.deviation):+.1f}".replace("-", "−"),
                ]
            )
    return table(["start", "quantity", r"limit $d \to \infty$", "$c$ in $c/d$", r"$\chi^2$", "theory", "s.e."], rows)


def draw_panel(axes: Axes, diagram: PhaseDiagram, quantity: str, published: dict[str, xr.Dataset]) -> None:
    """Draw one measured quantity: our branches, published curves and published gradient descent."""
    for branch, overlap in BROKEN.items():
        colour, name = BRANCH_COLOURS[branch], overlap if quantity == "overlap" else quantity
        curve = diagram.branches[branch]
        values = {**curve.order_parameters, "train_loss": curve.train_loss, "test_error": curve.test_error}[name]
        shown = curve.distinct
        axes.plot(curve.alpha[shown], np.where(curve.stable, values, np.nan)[shown], color=colour, linewidth=2)
        axes.plot(curve.alpha[shown], values[shown], color=colour, linewidth=1, linestyle=(0, (4, 2)))
        found = compare_published_descent(diagram, branch).sel(quantity=name)
        axes.errorbar(
            found.alpha, found.published, found.standard_error, fmt="o", ms=3.5, color=colour, mfc="white", capsize=2
        )
        if branch in published:
            data = published[branch]
            other = -data.free_entropy if name == "train_loss" else data[name]
            axes.plot(data.alpha, other, color="black", marker="x", ms=4, linestyle=":", linewidth=1)
    axes.set_xlim(0, 2.05)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)


def draw(diagrams: Diagrams) -> None:
    """Draw overlaps, training loss and test error at omega = 0.3 and 0.2."""
    figure, panels = plt.subplots(2, 3, figsize=(12.5, 7.2), layout="constrained", sharex=True)
    labels = {
        "overlap": r"$|m|$ (positional), $|\theta|$ (semantic)",
        "train_loss": r"training loss per dimension, $-\Phi$",
        "test_error": r"test error per token, $\epsilon_g$",
    }
    for row, omega in zip(panels, (0.3, 0.2), strict=True):
        model = AttentionModel.paper(omega=omega)
        published = {branch: published_theory(model, branch) for branch in BROKEN} if omega == 0.3 else {}
        for axes, (quantity, label) in zip(row, labels.items(), strict=True):
            draw_panel(axes, diagrams[model], quantity, published)
            axes.set_ylabel(label)
        row[0].set_title(rf"$\omega = {omega:g}$", loc="left")
    for axes in panels[1]:
        axes.set_xlabel(r"sample complexity $\alpha = n/d$")
    handles = [Line2D([], [], color=BRANCH_COLOURS[b], linewidth=2, label=f"our theory, {b}, stable") for b in BROKEN]
    handles += [
        Line2D([], [], color="black", linestyle=(0, (4, 2)), linewidth=1, label="our theory, unstable"),
        Line2D([], [], color="black", marker="x", ms=4, linestyle=":", linewidth=1, label="published theory"),
        Line2D([], [], color="black", marker="o", mfc="white", ms=4, linestyle="", label="published gradient descent"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(FIGURE, dpi=140)


def main(folder: Path | None, only: list[str]) -> None:
    """Fill every table, or some of them, and draw the figure."""
    diagrams = Diagrams(folder)
    tables: dict[str, Callable[[], str]] = {
        "transitions": transitions_table,
        "curves": lambda: curves_table(diagrams),
        "curve-summary": lambda: curve_summary(diagrams),
        "crossing": lambda: crossing_table(diagrams),
        "descent-0.3": lambda: descent_table(diagrams, PAPER),
        "descent-0.2": lambda: descent_table(diagrams, AttentionModel.paper(omega=0.2)),
        "descent-summary": lambda: descent_summary(diagrams),
        "scaling": lambda: scaling_table(diagrams),
    }
    assert set(MEASURED) == {"train_loss", "test_error", *BROKEN.values()}
    for name, make in tables.items():
        if only and name not in only:
            continue
        fill(PAGE, f"table {name}", make())
    draw(diagrams)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:])
