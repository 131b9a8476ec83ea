"""Draw learning curves of ridge and logistic regression: saddle-point equations, closed form and training sets.

Run by hand: ``python docs/figures/known_results.py`` writes ``docs/_static/known_results.png``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from scipy.optimize import minimize
from scipy.special import expit

from replica import MultiIndexModel, derive
from replica.model.any_model import model_atoms
from saddle.reference import GaussHermite, LegendrePanels, ReferenceRule, ReferenceSystem, solve_reference

FIGURE = Path(__file__).parent.parent / "_static" / "known_results.png"
NOISE = 0.2
DIMENSION, SEEDS = 300, 40
RIDGE_PENALTIES = (0.001, 0.02, 0.2)
LOGISTIC_PENALTIES = (0.001, 0.1, 10.0)


def ridge_model(penalty: float) -> MultiIndexModel:
    """Ridge regression with noise."""
    return MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
        outputs=lambda h, xi: [h[0] + sp.sqrt(NOISE) * xi[0]],
        noise=1,
        regularization=penalty,
    )


def logistic_model(penalty: float) -> MultiIndexModel:
    """Logistic regression on labels without noise."""
    return MultiIndexModel(
        loss=lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])),
        outputs=lambda h, _: [sp.sign(h[0])],
        regularization=penalty,
    )


def ridge_closed_form(alpha: np.ndarray, penalty: float) -> np.ndarray:
    """Test error by the law of Marchenko and Pastur."""
    slope = penalty + alpha - 1
    g = (-slope + np.sqrt(slope**2 + 4 * penalty)) / (2 * penalty)
    square = (g**2 + g) / (2 * penalty * g + slope)
    return penalty**2 * square + NOISE * (1 + g - penalty * square)


def angle(q: float, theta: float) -> float:
    """Probability that the signs of two fields differ, the teacher's variance being one."""
    return float(np.arccos(theta / np.sqrt(q)) / np.pi)


def simulated_ridge(alpha: float, penalty: float, seed: int) -> float:
    """Test error on one random training set."""
    random = np.random.default_rng(seed)
    teacher = random.standard_normal(DIMENSION)
    x = random.standard_normal((round(alpha * DIMENSION), DIMENSION)) / np.sqrt(DIMENSION)
    y = x @ teacher + np.sqrt(NOISE) * random.standard_normal(len(x))
    w = np.linalg.solve(x.T @ x + penalty * np.eye(DIMENSION), x.T @ y)
    return float(np.mean((w - teacher) ** 2) + NOISE)


def simulated_logistic(alpha: float, penalty: float, seed: int) -> float:
    """Misclassification on one random training set."""
    random = np.random.default_rng(seed)
    teacher = random.standard_normal(DIMENSION)
    x = random.standard_normal((round(alpha * DIMENSION), DIMENSION)) / np.sqrt(DIMENSION)
    x *= np.sign(x @ teacher)[:, None]

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = x @ w
        value = np.sum(np.logaddexp(0, -margin)) + penalty / 2 * np.sum(w**2)
        return float(value), penalty * w - x.T @ expit(-margin)

    w = minimize(objective, np.zeros(DIMENSION), jac=True, method="L-BFGS-B").x
    return angle(float(np.mean(w**2)), float(np.mean(w * teacher) / np.sqrt(np.mean(teacher**2))))


def draw_dots(axis: Axes, simulate, alphas: np.ndarray, penalty: float, colour: str) -> None:
    """Draw means over training sets with their standard errors."""
    runs = np.array([[simulate(alpha, penalty, seed) for seed in range(SEEDS)] for alpha in alphas])
    error = runs.std(axis=1, ddof=1) / np.sqrt(SEEDS)
    axis.errorbar(alphas, runs.mean(axis=1), error, fmt="o", color=colour, ms=4, capsize=2)


def main() -> None:
    """Solve, simulate and draw."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.9), layout="constrained")
    quadratic = ReferenceRule(GaussHermite(2), GaussHermite(2), start_height=None)
    sign = ReferenceRule(LegendrePanels(breaks=()), GaussHermite(1), break_along=("h_1",), start_height=None)
    for axis, make, rule, penalties, alphas in (
        (left, ridge_model, quadratic, RIDGE_PENALTIES, np.linspace(0.1, 3.0, 117)),
        (right, logistic_model, sign, LOGISTIC_PENALTIES, np.geomspace(0.2, 10.0, 30)),
    ):
        system = ReferenceSystem(derive(make(1.0)).saddle_system, rule)
        for k, penalty in enumerate(penalties):
            model, curve = make(penalty), []
            for alpha in alphas:
                point = solve_reference(system, model.parameter_values(), alpha, atoms=model_atoms(model))
                assert point.converged, (alpha, penalty)
                found = point.order_parameters
                wrong = angle(found["self_overlap"], found["teacher_overlap"])
                curve.append(point.test_error if axis is left else wrong)
            axis.plot(alphas, curve, color=f"C{k}", label=rf"$\lambda = {penalty:g}$")
            if axis is left:
                at = np.arange(0.15, 3.0, 0.3)
                axis.plot(at, ridge_closed_form(at, penalty), "x", color=f"C{k}")
                draw_dots(axis, simulated_ridge, np.arange(0.3, 3.0, 0.3), penalty, f"C{k}")
            else:
                draw_dots(axis, simulated_logistic, np.array([0.3, 0.6, 1.0, 2.0, 4.0, 8.0]), penalty, f"C{k}")
        axis.set_xlabel(r"$\alpha = n/d$")
        axis.legend()
        axis.grid(alpha=0.3)
    left.set_ylim(0, 4)
    left.set_ylabel("test error")
    right.set_xscale("log")
    right.set_ylabel("probability of a wrong label")
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
