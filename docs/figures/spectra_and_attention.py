"""Fill the pages on unequal variances, a power law and linear attention: equations, transitions, experiments, figures.

Run by hand: ``python docs/figures/spectra_and_attention.py FOLDER [--figures] [PAGE ...]``. Diagrams and training runs
are kept in the folder, so that a second call goes on from the first; the runs take half an hour on two cores.
With ``--figures`` nothing is trained and no page filled: figures show the means that stand on the pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import sympy as sp
from page_points import PagePoints, points_of_page
from page_text import fill, table, with_error
from points_on_theory import points_on_theory

from replica import AttentionModel, Spectrum, derive, linear_attention, softmax_attention
from saddle import PhaseDiagram, solve_phase_diagram
from validation import INTO_THE_BASIN, Execution, TheoryComparison, compare_with_theory
from validation.simulation.compared import compared_names
from validation.simulation.coordinates import sampled_model

DOCS = Path(__file__).parent.parent
DIMENSIONS = (500, 1000)
SEEDS = range(200, 212)
LOSSES = ("train_loss", "test_error")
STARTS = {"semantic": "semantic", "positional-informed": "positional"}
SYMBOLS = {
    "self_overlap": "q", "positional_overlap": "m", "semantic_overlap": r"\theta",
    "train_loss": r"\epsilon_t", "test_error": r"\epsilon_g",
}  # fmt: skip


def unequal_variances() -> AttentionModel:
    """Two tokens of different variances."""
    return AttentionModel(omega=0.3, spectrum=[{"weight": 1.0, "eigenvalues": (0.25, 0.16)}])


def power_law() -> AttentionModel:
    """Token covariances whose eigenvalues fall as a power of their rank."""
    return AttentionModel(omega=0.3, spectrum=Spectrum.power_law(0.5, tokens=2, largest=3.0))


def linear() -> AttentionModel:
    """Linear attention, and a linear target."""
    omega, matrix = sp.Symbol("omega"), sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"A_{i + 1}{j + 1}"))
    return AttentionModel(
        omega=0.3,
        attention=linear_attention(),
        target=lambda h: (1 - omega) * h * h.T + omega * matrix,
        positional_matrix=[[0.6, -0.4], [-0.4, 0.6]],
    )


def sharp_softmax() -> AttentionModel:
    """Give the student's softmax twice the inverse temperature of the teacher's."""
    kappa = softmax_attention(sp.Symbol("kappa"))
    return AttentionModel(omega=0.3, attention=kappa, parameters={"kappa": 2.0})


@dataclass(frozen=True)
class Example:
    """A page: its model, where students are trained, what is solved more finely, and whether equations are shown."""

    model: Callable[[], AttentionModel]
    page: str
    alphas: Sequence[float]
    settings: Mapping[str, float]
    equations: bool = True


EXAMPLES = {
    "unequal_variances": Example(unequal_variances, "unequal_variances", (1.0, 2.5, 3.0), {}),
    "power_law": Example(power_law, "power_law", (1.0, 2.7, 3.0), {}),
    "linear_attention": Example(linear, "linear_attention", (0.2, 2.0), {"tolerance": 2e-5}),
    "sharp_softmax": Example(sharp_softmax, "linear_attention", (2.0,), {}, equations=False),
}


def solved(name: str, model: AttentionModel, settings: Mapping[str, float], folder: Path) -> PhaseDiagram:
    """Return a diagram, from the folder if it is there."""
    path = folder / f"{name}.nc"
    if not path.exists():
        solve_phase_diagram(model, **settings).save(path)
    return PhaseDiagram.load(path)


def equations(model: AttentionModel) -> str:
    """Return the section on saddle-point equations of the Markdown report, without numbers."""
    with TemporaryDirectory() as folder:
        paths = derive(model).report(folder, formats=("markdown",))
        text = next(path for path in paths if path.suffix == ".md").read_text(encoding="utf-8")
    section = re.search(r"^## Saddle-point equations\n(.*?)(?=^## )", text, flags=re.M | re.S)
    assert section is not None
    return re.sub(r" ?\\tag\{\d+\}", "", section[1]).strip()


def transitions(diagram: PhaseDiagram) -> str:
    """Return the transitions as the library prints them."""
    return "```text\n" + "\n".join(str(transition) for transition in diagram.transitions.values()) + "\n```"


def label(quantity: str) -> str:
    """Return the symbol of a compared quantity, losses in thousandths."""
    kind = next(kind for kind in SYMBOLS if quantity.startswith(kind))
    number = quantity.removeprefix(kind).strip("_").replace("_", ",")
    factor = r"10^3\," if quantity in LOSSES else ""
    return f"${factor}{SYMBOLS[kind]}" + (f"_{{{number}}}$" if number else "$")


def experiments(comparison: TheoryComparison) -> str:
    """Return means, extrapolation, theory and the deviation, for every start, alpha and quantity."""
    assert comparison.extrapolated is not None
    sizes = [f"$d = {d}$" for d in DIMENSIONS]
    head = ["start", r"$\alpha$", "", *sizes, r"$d\to\infty$", "theory", "deviation"]
    rows = []
    for start, name in STARTS.items():
        for alpha in map(float, comparison.runs["alpha"].values):
            point = comparison.points[start, alpha]
            for quantity in map(str, comparison.extrapolated["quantity"].values):
                limit = comparison.extrapolated.sel(start=start, alpha=alpha, quantity=quantity)
                scale = 1000.0 if quantity in LOSSES else 1.0
                cells = [name + ("" if point.replica_stable or not point.exists else " (RSB)"), f"{alpha:g}"]
                cells.append(label(quantity))
                for d in DIMENSIONS:
                    one = comparison.statistics.sel(start=start, alpha=alpha, quantity=quantity, dimension=d)
                    cells.append(with_error(scale * float(one["mean"]), scale * float(one["standard_error"])))
                cells.append(with_error(scale * float(limit["mean"]), scale * float(limit["standard_error"])))
                # Theory has no such solution everywhere: then runs are shown, and compared with nothing.
                theory = [f"{scale * float(limit['theory']):.5f}", f"{float(limit['significance']):+.1f}"]
                cells += theory if point.exists else ["none", ""]
                rows.append(cells)
    return table(head, rows) + "\n\n```text\n" + comparison.verdict() + "\n```"


def draw(name: str, diagram: PhaseDiagram, comparison: TheoryComparison | PagePoints) -> None:
    """Draw the diagram with the means of the runs on its curves."""
    points_on_theory(diagram, comparison, STARTS).savefig(DOCS / "_static" / f"{name}.png", dpi=150)


def make(name: str, folder: Path, *, figures_only: bool = False) -> None:
    """Fill what an example has on its page, and draw its figure."""
    example = EXAMPLES[name]
    model, page = example.model(), DOCS / "examples" / f"{example.page}.md"
    diagram = solved(name, model, example.settings, folder)
    if figures_only:
        layout = model.structure.layout
        labels = {
            label(quantity): (quantity, 1e-3 if quantity in LOSSES else 1.0) for quantity in compared_names(layout)
        }
        starts = {word: start for start, word in STARTS.items()}
        draw(name, diagram, points_of_page(page, f"experiments {name}", layout, labels, starts))
        return
    # With whole numbers of coordinates per atom the spectrum is another one: theory is for that of the data.
    sampled = sampled_model(model, DIMENSIONS[0])
    own = diagram if sampled == model else solved(f"{name}_sampled", sampled, example.settings, folder)
    comparison = compare_with_theory(
        own, example.alphas, dimensions=DIMENSIONS, seeds=SEEDS, training=replace(INTO_THE_BASIN, dtype="float32"),
        execution=Execution(folder=folder / f"runs_{name}", progress=True),
    )  # fmt: skip
    draw(name, diagram, comparison)
    if example.equations:
        fill(page, f"equations {name}", equations(model))
    fill(page, f"transitions {name}", transitions(diagram))
    fill(page, f"experiments {name}", experiments(comparison))


if __name__ == "__main__":
    given = [word for word in sys.argv[2:] if word != "--figures"]
    for chosen in given or EXAMPLES:
        make(chosen, Path(sys.argv[1]), figures_only="--figures" in sys.argv)
