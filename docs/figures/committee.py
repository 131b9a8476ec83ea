"""Fill the page on the soft committee machine: solutions with the columns' exchange, training runs, figure.

Run by hand: ``python docs/figures/committee.py FOLDER``; training runs are kept in the folder. Some
minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy as sp
from matplotlib.figure import Figure
from page_text import fill, table, with_error

from replica import MultiIndexModel
from replica.quantities.names import order_parameters
from replica.quantities.overlap_invariants import overlap_invariants
from saddle import LineRule, StateEvolution
from validation import INTO_THE_BASIN, Execution, simulate_runs

DOCS = Path(__file__).parent.parent
RULE = LineRule.for_tolerance(5e-4)
ALPHAS = (1.0, 1.5, 2.0, 2.4, 2.6, 3.0, 4.0, 6.0)
TRAINED = (1.0, 2.0, 3.0, 4.0, 6.0)
DIMENSION, SEEDS = 200, range(900, 910)
SETTLED, MOST_ROUNDS, MERGED = 1e-5, 400, 0.03
COLOURS = {"alike": "#7f7f7f", "specialised": "#D55E00"}


def unit(field: sp.Expr) -> sp.Expr:
    """Activation of a hidden unit."""
    return sp.erf(field / sp.sqrt(2))


def committee(penalty: float = 0.1) -> MultiIndexModel:
    """Return a student of two units that learns from a teacher of two, without noise."""
    return MultiIndexModel(
        lambda z, y: (unit(z[0]) + unit(z[1]) - y[0]) ** 2 / 2,
        penalty,
        lambda h, _: [unit(h[0]) + unit(h[1])],
        rank=2,
        teacher_rank=2,
    )


@dataclass(frozen=True)
class Found:
    """A solution that its symmetry leaves alone: order parameters, and losses."""

    state: np.ndarray
    train_loss: float
    test_error: float


def matrices(state: np.ndarray) -> list[np.ndarray]:
    """Return q, V and theta, 2 x 2 each, of the order parameters."""
    q, v = (np.array([[x[0], x[1]], [x[1], x[2]]]) for x in (state[:3], state[3:6]))
    return [q, v, state[6:].reshape(2, 2)]


def vector(q: np.ndarray, v: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return order parameters as the solver lists them."""
    return np.array([q[0, 0], q[0, 1], q[1, 1], v[0, 0], v[0, 1], v[1, 1], *theta.ravel()])


def exchanged_together(state: np.ndarray) -> np.ndarray:
    """Average a state over the exchange of the student's columns together with the teacher's."""
    return (state + vector(*(x[::-1, ::-1] for x in matrices(state)))) / 2


def exchanged(state: np.ndarray) -> np.ndarray:
    """Average a state over all exchanges: both columns know as much of either teacher."""
    q, v, theta = matrices(exchanged_together(state))
    return vector(q, v, (theta + theta[::-1]) / 2)


def fixed_point(
    evolution: StateEvolution, start: np.ndarray, alpha: float, project: Callable[[np.ndarray], np.ndarray]
) -> Found:
    """Iterate state evolution within a symmetry until it settles; raises RuntimeError if it does not."""
    state, sector = project(start), evolution.sectors[-1]
    for _ in range(MOST_ROUNDS):
        there = project(evolution.iterate(state, alpha, sector, 1, 0.7))
        settled = np.max(np.abs(there - state) / evolution.units(there)) < SETTLED
        state = there
        if settled:
            found = evolution.evaluate(state, alpha)
            return Found(state, found.train_loss, found.test_error)
    raise RuntimeError(f"no fixed point at alpha = {alpha}")


def solve(evolution: StateEvolution, alphas: Sequence[float] = ALPHAS) -> dict[str, dict[float, Found]]:
    """Return both families over alpha; the specialised one down to where it merges."""
    alike, special = {}, {}
    state = vector(np.array([[0.2, 0.15], [0.15, 0.2]]), np.array([[6.0, -5.0], [-5.0, 6.0]]), np.full((2, 2), 0.25))
    for alpha in sorted(alphas):
        alike[alpha] = fixed_point(evolution, state, alpha, exchanged)
        state = alike[alpha].state
    state = vector(
        np.array([[0.5, 0.2], [0.2, 0.5]]), np.array([[2.3, -2.0], [-2.0, 2.3]]), np.array([[0.6, 0.2], [0.2, 0.6]])
    )
    for alpha in sorted(alphas, reverse=True):
        found = fixed_point(evolution, state, alpha, exchanged_together)
        if specialisation(found) < MERGED:
            break
        special[alpha], state = found, found.state
    return {"alike": alike, "specialised": special}


def specialisation(found: Found) -> float:
    """Return by how much more a column knows of its own teacher than of the other."""
    theta = matrices(found.state)[2]
    return float(theta[0, 0] - theta[0, 1])


def invariants(model: MultiIndexModel, found: Found) -> dict[str, float]:
    """Return what runs are compared with."""
    layout = model.structure.layout
    names = [entry.name for entry in order_parameters(layout)]
    own = overlap_invariants(layout, dict(zip(names, found.state.tolist(), strict=True)))
    return {**own, "train_loss": found.train_loss, "test_error": found.test_error}


def transition(special: dict[float, Found]) -> tuple[float, float]:
    """Return where the square of the specialisation vanishes, and by how much a parabola differs from a line there."""
    alphas = sorted(special)[:3]
    squares = [specialisation(special[alpha]) ** 2 for alpha in alphas]
    by_line, by_parabola = (float(np.polyval(np.polyfit(squares[: k + 1], alphas[: k + 1], k), 0.0)) for k in (1, 2))
    return by_parabola, abs(by_line - by_parabola)


SYMBOLS = {
    "self_overlap_1": "$q_1$", "self_overlap_2": "$q_2$", "semantic_overlap_1": r"$\theta_1$",
    "semantic_overlap_2": r"$\theta_2$", "train_loss": r"$\epsilon_t$", "test_error": r"$\epsilon_g$",
}  # fmt: skip


def main(folder: Path) -> None:
    """Solve, train, and fill the page."""
    model, page = committee(), DOCS / "examples" / "committee.md"
    families = solve(StateEvolution(model, RULE))
    where, uncertain = transition(families["specialised"])
    runs, _ = simulate_runs(
        model, TRAINED, starts=("semantic", "random"), dimensions=(DIMENSION,), seeds=SEEDS, training=INTO_THE_BASIN,
        spherical_teacher=True, execution=Execution(folder=folder, progress=True),
    )  # fmt: skip
    rows = []
    for alpha in TRAINED:
        family = "specialised" if alpha in families["specialised"] else "alike"
        theory = invariants(model, families[family][alpha])
        for name, symbol in SYMBOLS.items():
            cells = [f"{alpha:g}", family, symbol, f"{theory[name]:.4f}"]
            for start in ("semantic", "random"):
                values = runs[name].sel(start=start, alpha=alpha).values.ravel()
                error = values.std(ddof=1) / np.sqrt(values.size)
                cells.append(f"{with_error(float(values.mean()), float(error))}")
                if start == "semantic":
                    cells.append(f"{(values.mean() - theory[name]) / error:+.1f}")
            rows.append(cells)
    head = [r"$\alpha$", "theory", "", "value", "from the teacher", "deviation", "from small weights"]
    fill(page, "runs", table(head, rows))
    listed = []
    for alpha in ALPHAS:
        cells = [f"{alpha:g}", f"{families['alike'][alpha].train_loss:.5f}"]
        found = families["specialised"].get(alpha)
        more = [f"{found.train_loss:.5f}", f"{specialisation(found):.4f}"] if found else ["", ""]
        listed.append([*cells, *more])
    head = [r"$\alpha$", r"$\epsilon_t$, columns alike", r"$\epsilon_t$, specialised", r"$\theta_{11}-\theta_{12}$"]
    said = (
        f"The square of $\\theta_{{11}} - \\theta_{{12}}$ vanishes at $\\alpha_s = {where:.2f}$ (a parabola through "
        f"the lowest three values; a line through two differs by {uncertain:.2f})."
    )
    fill(page, "solutions", table(head, listed) + "\n\n" + said)
    draw(model, families, runs, where).savefig(DOCS / "_static" / "committee.png", dpi=150)


def draw(model: MultiIndexModel, families: dict[str, dict[float, Found]], runs, where: float) -> Figure:
    """Draw overlaps and the test error of both families, with means of the runs."""
    figure = Figure(figsize=(9.5, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    for family, solutions in families.items():
        alphas = sorted(solutions)
        shown = [invariants(model, solutions[a]) for a in alphas]
        for k, style in ((1, "-"), (2, "--")):
            left.plot(
                alphas, [x[f"semantic_overlap_{k}"] for x in shown], style, color=COLOURS[family],
                label=rf"{family}, $\theta_{k}$",
            )  # fmt: skip
        right.plot(alphas, [x["test_error"] for x in shown], "-", color=COLOURS[family], label=family)
    for start, marker, words in (("semantic", "o", "from the teacher"), ("random", "D", "from small weights")):
        for axes, names in ((left, ("semantic_overlap_1", "semantic_overlap_2")), (right, ("test_error",))):
            for name in names:
                values = runs[name].sel(start=start).squeeze("dimension")
                error = values.std("seed", ddof=1) / np.sqrt(values.sizes["seed"])
                axes.errorbar(
                    values["alpha"], values.mean("seed"), error, linestyle="", marker=marker, ms=5, capsize=2,
                    color="black", markerfacecolor="black" if start == "semantic" else "white",
                    label=words if name != "semantic_overlap_2" else None,
                )  # fmt: skip
    for axes in (left, right):
        axes.axvline(where, color="black", linewidth=0.6, linestyle=":")
        axes.set_xlabel(r"$\alpha = n/d$")
        axes.grid(alpha=0.25, linewidth=0.5)
    left.set_ylabel(r"singular values of $\theta$")
    right.set_ylabel("test error")
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]))
