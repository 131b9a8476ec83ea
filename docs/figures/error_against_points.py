"""Draw the error of the channel's averages against the number of proximal points, for three rules.

Run by hand: ``python docs/figures/error_against_points.py`` writes ``docs/_static/error_against_points.png`` and
prints the table of docs/performance.md.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from replica import AttentionModel
from saddle import LineRule, StateEvolution
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.averages.parameters import parameter_vector

MODEL = AttentionModel.paper()
STATES = {
    "positional": (0.05001, 0.25857, 11.036, 0.0),
    "mixed": (0.0706, 0.1318, 22.24, 0.0582),
}
COLOURS = {"line rule": "C0", "tensor Gauss-Hermite": "C1", "scrambled Sobol": "C2"}
FIGURE = Path(__file__).parent.parent / "_static" / "error_against_points.png"


def plain_averages(state: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the conjugates' integrands over standard normal nodes x (n, 4), jumps ignored.

    A second route: the integrands are those of section 4 of the theory notes, written without the kernel's.
    """
    module = StateEvolution(MODEL).channel.kernel.module
    q, m, V, theta = state
    rho, parameters = MODEL.token_variance, parameter_vector(MODEL)
    h = MODEL.sigma * x[:, :2]
    noise = np.sqrt(q - theta**2 / rho) * x[:, 2:]
    mean = m * np.array(MODEL.positional_encoding) + theta / rho * h
    w = np.ascontiguousarray(mean + noise)
    targets = np.array([module.target_matrix(*fields, parameters) for fields in h])
    out = np.empty((len(w), 4))
    module.global_minima(0, len(w), w, targets, minimiser_starts(2), state, parameters, out)
    g = (out[:, :2] - w) / V
    determinant = q * rho - theta**2
    centred = w - m * np.array(MODEL.positional_encoding)
    return np.array(
        [
            weights @ np.sum(g**2, axis=1),
            weights @ (g @ np.array(MODEL.positional_encoding)),
            weights @ np.sum(g * (theta * h - rho * centred), axis=1) / determinant,
            weights @ np.sum(g * (q * h - theta * centred), axis=1) / determinant,
        ]
    )


def tensor_gauss_hermite(state: np.ndarray, order: int) -> tuple[np.ndarray, int]:
    """Return averages and the number of nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    weights = weights / weights.sum()
    x = np.stack(np.meshgrid(*[nodes] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    w = np.prod(np.stack(np.meshgrid(*[weights] * 4, indexing="ij"), axis=-1).reshape(-1, 4), axis=1)
    kept = w > 1e-14
    return plain_averages(state, x[kept], w[kept]), int(kept.sum())


def sobol(state: np.ndarray, exponent: int, seed: int) -> tuple[np.ndarray, int]:
    """Return averages and the number of nodes."""
    x = ndtri(qmc.Sobol(4, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent))
    return plain_averages(state, x, np.full(len(x), 1.0 / len(x))), len(x)


def line_rule(state: np.ndarray, tolerance: float) -> tuple[np.ndarray, int]:
    """Return averages and the number of proximal points, those of scans counted as two starts each."""
    rule = LineRule.for_tolerance(tolerance)
    averages = StateEvolution(MODEL, rule).channel.averages(state)
    return averages.conjugates, averages.points + 2 * rule.line.scan_points * len(averages.outer.nodes)


def measured(state: np.ndarray) -> dict[str, list[tuple[int, float]]]:
    """Return (number of points, relative error of the worst conjugate) of each rule, and print them."""
    exact = StateEvolution(MODEL, LineRule.for_tolerance(1e-6)).channel.averages(state).conjugates
    used = exact != 0.0
    runs = {
        "line rule": [[(line_rule, t)] for t in (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)],
        "tensor Gauss-Hermite": [[(tensor_gauss_hermite, n)] for n in (8, 12, 16, 24, 32, 40)],
        # The root mean square over four scrambles.
        "scrambled Sobol": [[(sobol, n, seed) for seed in range(4)] for n in (12, 14, 16, 18, 20)],
    }
    curves: dict[str, list[tuple[int, float]]] = {}
    for rule, settings in runs.items():
        curves[rule] = []
        for replicas in settings:
            start = time.perf_counter()
            results = [function(state, *arguments) for function, *arguments in replicas]
            seconds = (time.perf_counter() - start) / len(replicas)
            errors = [np.max(np.abs(averages[used] / exact[used] - 1.0)) for averages, _ in results]
            points, error = results[0][1], float(np.sqrt(np.mean(np.square(errors))))
            curves[rule].append((points, error))
            click.echo(f"{rule:22s} {points:9d} points  {seconds:8.3f} s  error {error:.1e}")
    return curves


def main() -> None:
    """Measure, print and draw."""
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.9), sharey=True, layout="constrained")
    for axis, (name, values) in zip(axes, STATES.items(), strict=True):
        click.echo(f"{name} state {values}")
        for rule, curve in measured(np.array(values)).items():
            axis.loglog(*zip(*curve, strict=True), "o-", color=COLOURS[rule], label=rule, ms=4)
        axis.set_title(f"{name} state, $V = {values[2]:g}$")
        axis.set_xlabel("proximal points")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("relative error of the worst conjugate")
    axes[0].legend()
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
