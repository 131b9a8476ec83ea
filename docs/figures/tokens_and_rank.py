"""Fill the pages docs/examples/three_tokens.md and docs/examples/rank_two.md, and draw their figures.

Run by hand: ``python docs/figures/tokens_and_rank.py FOLDER`` rewrites what stands between the pages' markers and
writes ``docs/_static/example_*.png``. Diagrams and training runs are kept in FOLDER, and read from there next time.
From scratch it takes about an hour on one core, most of it gradient descent for students of rank two.
With ``--figures`` it takes some ten minutes: the two figures beside theory show the means that stand on the pages, and
only the descents of the third are run.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from page_points import points_of_page
from page_text import fill, table, with_error
from points_on_theory import points_on_theory

from replica import AttentionModel, derive
from replica.quantities.layout import Layout
from replica.reports.content.equation_content import sector_equations
from replica.reports.formats.markdown import markdown_document
from replica.reports.passages import Equation
from replica.reports.typesetting.printing import ReportPrinter
from replica.reports.typesetting.widths import typeset_width
from saddle import PhaseDiagram, solve_phase_diagram
from saddle.output.figures.styles import BRANCH_COLOURS, QUANTITIES, draw_branch
from validation import (
    INTO_THE_BASIN,
    Execution,
    TheoryComparison,
    Training,
    compare_with_theory,
    published_rank_two,
    train_student,
)
from validation.comparison.run_statistics import extrapolate, statistics_of_runs
from validation.comparison.theory_points import start_overlaps
from validation.simulation.compared import compared_names, quantity_label
from validation.simulation.teacher import draw_teacher_data

DOCS = Path(__file__).parent.parent
STATIC, PAGES = DOCS / "_static", DOCS / "examples"
SIZES, SEEDS = (500, 1000), range(100, 112)
DESCENT_SEEDS = (200, 201, 202)
LONG_SEEDS = (200, 201)
# omega, alpha of the random starts that are continued to the minimum.
CONTINUED = ((0.3, 1.5), (0.3, 2.0), (0.3, 2.5), (0.02, 1.2))
LONG_ALPHA = 2.0
MARKS = (250, 500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 12000, 14000, 16000, 18000, 20000)
ARRIVED = 3e-5


@dataclass(frozen=True)
class Example:
    """A page: its model, what is solved and what is simulated."""

    model: AttentionModel
    reach: tuple[float, float]
    starts: tuple[str, ...]
    alphas: tuple[float, ...]
    sector: str
    training: Training


THREE = AttentionModel(
    omega=0.3,
    positional_encoding=(1, 1, -1),
    positional_matrix=[[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.15, 0.15, 0.7]],
)
EXAMPLES = {
    "three_tokens": Example(
        THREE,
        (0.02, 3.0),
        ("semantic", "positional-informed"),
        (1.5, 2.5),
        "mixed",
        replace(INTO_THE_BASIN, dtype="float32"),
    ),
    "rank_two": Example(
        AttentionModel.paper(omega=0.3, rank=2), (0.02, 3.6), ("mixed",), (1.5, 2.0, 2.5), "mixed", INTO_THE_BASIN
    ),
}


def solved(model: AttentionModel, reach: tuple[float, float], path: Path) -> PhaseDiagram:
    """Return a diagram as the page solves it, from the folder if it is there."""
    if not path.exists():
        solve_phase_diagram(model, alpha=reach, points=24).save(path)
    return PhaseDiagram.load(path)


# ------------------------------------------------------------------------------------------------- text of the pages


def equations(diagram: PhaseDiagram, branch: str) -> str:
    """Return the saddle-point equations of a branch's sector as Markdown, as reports print them."""
    derivation = derive(diagram.model)
    system, sector = derivation.saddle_system, diagram.branches[branch].sector
    printer = ReportPrinter(derivation.loss_model, measure=typeset_width, width=42.0)
    vanishing, overlaps, conjugates = sector_equations(system, sector)
    zero: dict[Any, Any] = dict.fromkeys(vanishing, sp.Integer(0))
    known = {x: sp.simplify(value.xreplace(zero)) for x, value in system.intermediates.items()}
    zero |= {x: value for x, value in known.items() if value == 0}
    both = {x: value.xreplace(zero) for x, value in (*overlaps.items(), *conjugates.items())}
    used = {symbol for value in both.values() for symbol in value.free_symbols}
    known = {x: value.xreplace(zero) for x, value in known.items() if x in used}
    passages = [printer.equation(str(x), x, value) for x, value in (*both.items(), *known.items())]
    assert all(isinstance(passage, Equation) for passage in passages)
    return markdown_document("", passages, ()).removeprefix("#").strip()


def transitions(diagram: PhaseDiagram) -> str:
    """Return what the page's code prints."""
    reasons = [f"{name}: {text}" for name, text in diagram.reasons.items()]
    lines = [*map(str, diagram.transitions.values()), *reasons]
    if diagram.model == EXAMPLES["rank_two"].model:
        found = diagram.branches["mixed"].at(2.0).order_parameters
        lines.append(str({name: round(found[name], 3) for name in ("positional_overlap_1", "semantic_overlap_2")}))
    return "```text\n" + "\n".join(lines) + "\n```"


def row_label(name: str) -> tuple[str, float]:
    """Return what a table calls a quantity, and what its numbers are multiplied by."""
    if name.endswith(("loss", "error")):
        return f"$10^3$ {quantity_label(name)}", 1e3
    return "$" + quantity_label(name).replace("theta", r"\theta") + "$", 1.0


def row_labels(layout: Layout) -> dict[str, tuple[str, float]]:
    """Return quantities and their units by what tables call them."""
    labels = {name: row_label(name) for name in compared_names(layout)}
    return {label: (name, 1.0 / factor) for name, (label, factor) in labels.items()}


def comparison_rows(comparison: TheoryComparison) -> str:
    """Return means at each size, the extrapolation and theory as a table."""
    sizes = [int(d) for d in comparison.statistics["dimension"].values]
    head = ["start", r"$\alpha$", "quantity", *(f"$d = {d}$" for d in sizes), r"$d \to \infty$", "theory", "deviation"]
    rows = []
    limits = comparison.extrapolated
    assert limits is not None
    for (start, alpha), point in comparison.points.items():
        for name in map(str, limits["quantity"].values):
            limit = limits.sel(start=start, alpha=alpha, quantity=name)
            finite = [comparison.statistics.sel(start=start, alpha=alpha, quantity=name, dimension=d) for d in sizes]
            label, unit = row_label(name)
            cells = [with_error(unit * float(x["mean"]), unit * float(x["standard_error"])) for x in (*finite, limit)]
            digits = len(cells[-1].split("(")[0].split(".")[-1])
            mark = "" if point.replica_stable else "*"
            rows.append([start, f"{alpha:g}{mark}", label, *cells, f"{unit * float(limit['theory']):.{digits}f}",
                         f"{float(limit['significance']):+.1f}".replace("-", "−")])  # fmt: skip
    return table(head, rows)


def stayed(comparison: TheoryComparison) -> tuple[TheoryComparison, dict[tuple[str, float], list[int]]]:
    """Return a comparison of the runs that stayed in their start's basin, and how many these are, by size.

    A run has left if the overlap of its start's family is below half of theory's: there is nothing between. What
    theory says of a metastable solution is said of runs that are there.
    """
    runs, counts = comparison.runs.copy(deep=True), {}
    for (start, alpha), point in comparison.points.items():
        kept = xr.ones_like(runs["train_loss"].sel(start=start, alpha=alpha), dtype=bool)
        for name in start_overlaps(comparison.layout, start):
            kept &= np.abs(runs[name].sel(start=start, alpha=alpha)) > 0.5 * abs(point.values[name])
        counts[start, alpha] = kept.sum("seed").values.tolist()
        for name in compared_names(comparison.layout):
            here = {"start": start, "alpha": alpha}
            runs[name].loc[here] = runs[name].loc[here].where(kept)
    statistics = statistics_of_runs(runs, comparison.points, comparison.layout)
    return replace(comparison, runs=runs, statistics=statistics, extrapolated=extrapolate(statistics)), counts


# ------------------------------------------------------------------------------------------- descent at random starts


def descents(omega: float, alpha: float, seed: int, marks: tuple[int, ...], folder: Path) -> dict[str, dict[str, Any]]:
    """Return losses and overlaps along gradient descent as published, and where L-BFGS leads from its end.

    By names: ``gd5000`` after so many steps, ``polished`` the minimum from there, ``mixed`` that of the mixed start,
    all on one data set of d = 1000.
    """
    long = len(marks) > 1
    path = folder / f"descent_{omega:g}_{alpha:g}_{seed}{'_long' if long else ''}.json"
    if path.exists():
        return json.loads(path.read_text())
    training = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0])
    model = AttentionModel.paper(omega=omega, rank=2)
    data = draw_teacher_data(model, 1000, alpha, training, np.float32, spherical_teacher=True)
    samples, found, student, done = 10_000 if long else 20_000, {}, "random", 0

    def kept(run: Any) -> dict[str, Any]:
        values = {"train": run.train_loss, "test": run.test_error, "gradient": run.gradient_norm}
        return {**values, **run.invariants}

    def train(start: Any, training: Training) -> Any:
        generator = np.random.default_rng([seed, 1])
        return train_student(data, start, generator=generator, training=replace(training, test_samples=samples))

    for mark in marks:
        run = train(student, Training(steps=mark - done))
        found[f"gd{mark}"], student, done = kept(run), np.array(run.student), mark
        if run.gradient_norm < ARRIVED:
            break
    if not long:
        found["polished"] = kept(train(student, Training(method="l-bfgs")))
        found["mixed"] = kept(train("mixed", INTO_THE_BASIN))
    path.write_text(json.dumps(found))
    return found


def descent_rows(runs: dict[tuple[float, float, int], dict[str, Any]]) -> str:
    """Return the table of random starts: after 5000 steps, at the minimum below, and at that of the mixed start."""
    head = [r"$\omega$", r"$\alpha$", "data set", r"$\lvert\nabla\mathcal L\rvert$", "training loss", "test error",
            "training loss", "test error", "training loss", "test error"]  # fmt: skip
    rows = []
    for (omega, alpha, seed), found in runs.items():
        gradient = f"{1e4 * found['gd5000']['gradient']:.1f}"
        stages = (found[stage] for stage in ("gd5000", "polished", "mixed"))
        cells = [f"{1e3 * stage[key]:.3f}" for stage in stages for key in ("train", "test")]
        rows.append([f"{omega:g}", f"{alpha:g}", str(seed), gradient, *cells])
    return table(head, rows)


# ------------------------------------------------------------------------------------------------------------ figures


def descent_figure(diagrams: dict[float, PhaseDiagram], runs: dict[tuple[float, float, int], dict[str, Any]],
                   long: dict[int, dict[str, Any]]) -> Figure:  # fmt: skip
    """Draw test errors of random starts, published and ours, on theory; and one test error against steps."""
    figure = Figure(figsize=(12.5, 4.4), layout="constrained")
    *panels, steps = figure.subplots(1, 3)
    for axes, (omega, diagram) in zip(panels, diagrams.items(), strict=True):
        _draw_theory(axes, diagram)
        published = published_rank_two(omega)
        axes.errorbar(
            published["alpha"], published["test_error"], yerr=np.sqrt(10) * published["test_error_standard_error"],
            linestyle="", marker="x", color="black", capsize=2, elinewidth=0.8, zorder=3,
        )  # fmt: skip
        for (own, alpha, _), found in runs.items():
            if own == omega:
                axes.plot(alpha, found["gd5000"]["test"], "D", color="black", markerfacecolor="white", zorder=4)
                axes.plot(alpha, found["polished"]["test"], "D", color="black", zorder=4)
        axes.set_title(rf"$\omega = {omega:g}$", fontsize=10)
        axes.set_xlabel(r"sample complexity $\alpha = n/d$")
        axes.set_ylabel(r"test error per token, $\epsilon_g$")
        axes.set_xlim(0, float(diagram.alpha[-1]))
    for found in long.values():
        taken = [int(name.removeprefix("gd")) for name in found]
        steps.plot(taken, [entry["test"] for entry in found.values()], "o-", color="black", markersize=3, linewidth=0.8)
    diagram = diagrams[0.3]
    for name in ("positional", "mixed"):
        value = diagram.branches[name].at(LONG_ALPHA).test_error
        steps.axhline(value, color=BRANCH_COLOURS[name], linewidth=1.4)
    steps.axhline(diagram.linear_baseline.test_error, color="#009E73", linestyle="--", linewidth=1.4)
    steps.axvline(5000, color="black", linestyle=":", linewidth=0.8)
    steps.annotate("published", (5000, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -10),
                   textcoords="offset points", fontsize=8)  # fmt: skip
    steps.set_xscale("log")
    steps.set_xlabel("steps of gradient descent")
    steps.set_title(rf"$\omega = 0.3$, $\alpha = {LONG_ALPHA:g}$, random start", fontsize=10)
    for axes in (*panels, steps):
        axes.set_ylim(0, None)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)
        axes.grid(alpha=0.25, linewidth=0.5)
    figure.legend(handles=_descent_handles(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_theory(axes: Axes, diagram: PhaseDiagram) -> None:
    for name, branch in diagram.branches.items():
        if name in ("positional", "mixed"):
            draw_branch(axes, diagram, branch, QUANTITIES["test_error"])
    axes.axhline(diagram.linear_baseline.test_error, color="#009E73", linestyle="--", linewidth=1.4)
    if diagram.alpha_l is not None:
        axes.axvline(diagram.alpha_l.alpha, color="black", linestyle=":", linewidth=1.0)
        axes.annotate(rf"$\alpha_l = {diagram.alpha_l.alpha:.3f}$", (diagram.alpha_l.alpha, 0.02), fontsize=9,
                      xycoords=("data", "axes fraction"), xytext=(3, 0), textcoords="offset points")  # fmt: skip


def _descent_handles() -> list[Line2D]:
    style: dict[str, Any] = {"color": "black", "linestyle": ""}
    return [
        Line2D([], [], color=BRANCH_COLOURS["mixed"], linewidth=1.8, label="mixed (theory)"),
        Line2D([], [], color=BRANCH_COLOURS["positional"], linewidth=1.8, label="positional (dashed: unstable)"),
        Line2D([], [], color="#009E73", linestyle="--", label="linear positional"),
        Line2D([], [], marker="x", label="published, random start, mean and s.d. of 10", **style),
        Line2D([], [], marker="D", markerfacecolor="white", label="ours, random start, 5000 steps", **style),
        Line2D([], [], marker="D", label="ours, continued to the minimum", **style),
        Line2D([], [], color="black", marker="o", markersize=3, linewidth=0.8, label="ours, along descent (right)"),
    ]


def main(folder: Path) -> None:
    """Make everything; see the module's text."""
    folder.mkdir(parents=True, exist_ok=True)
    diagrams = {}
    for name, example in EXAMPLES.items():
        diagram = diagrams[name] = solved(example.model, example.reach, folder / f"{name}.nc")
        comparison = compare_with_theory(
            diagram, example.alphas, starts=example.starts, dimensions=SIZES, seeds=SEEDS,
            training=example.training, execution=Execution(folder=folder / "runs", progress=True),
        )  # fmt: skip
        comparison, counts = stayed(comparison)
        page = PAGES / f"{name}.md"
        lines = [f"runs of {len(SEEDS)} that stayed in their basin:"]
        for (start, alpha), found in counts.items():
            sizes = (f"{n} at d = {d}" for n, d in zip(found, SIZES, strict=True))
            lines.append(f"{start} start, alpha = {alpha:g}: " + ", ".join(sizes))
        fill(page, "counts", "```text\n" + "\n".join(lines) + "\n```")
        fill(page, "equations", equations(diagram, example.sector))
        fill(page, "transitions", transitions(diagram))
        fill(page, "comparison", comparison_rows(comparison))
        fill(page, "verdict", f"```text\n{comparison.verdict()}\n```")
        points_on_theory(diagram, comparison, {start: start for start in example.starts}).savefig(
            STATIC / f"example_{name}.png", dpi=110
        )
    descents_from_random_starts(diagrams["rank_two"], folder)


def descents_from_random_starts(diagram: PhaseDiagram, folder: Path) -> None:
    """Run what is missing of the descents, fill their table and draw their figure."""
    # The published values of omega differ from those of the paper's other figures.
    small = solved(AttentionModel.paper(omega=0.02, rank=2), (0.02, 4.0), folder / "rank_two_002.nc")
    fill(PAGES / "rank_two.md", "transitions 0.02", transitions(small))
    runs = {(w, a, s): descents(w, a, s, (5000,), folder) for w, a in CONTINUED for s in DESCENT_SEEDS}
    long = {seed: descents(0.3, LONG_ALPHA, seed, MARKS, folder) for seed in LONG_SEEDS}
    fill(PAGES / "rank_two.md", "descent", descent_rows(runs))
    descent_figure({0.3: diagram, 0.02: small}, runs, long).savefig(STATIC / "example_rank_two_descent.png", dpi=110)


def figures(folder: Path) -> None:
    """Draw the figures beside theory with the means that stand on the pages, and descents."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, example in EXAMPLES.items():
        diagram = solved(example.model, example.reach, folder / f"{name}.nc")
        layout = example.model.structure.layout
        starts = {start: start for start in example.starts}
        points = points_of_page(PAGES / f"{name}.md", "comparison", layout, row_labels(layout), starts)
        points_on_theory(diagram, points, starts).savefig(STATIC / f"example_{name}.png", dpi=110)
        if name == "rank_two":
            descents_from_random_starts(diagram, folder)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--figures"]):
        raise SystemExit(f"usage: {sys.argv[0]} FOLDER [--figures]")
    (figures if sys.argv[2:] else main)(Path(sys.argv[1]))
