"""How much is computed for the figures of the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace

from replica import AttentionModel

__all__ = ["FULL", "QUICK", "SECOND_MATRIX", "PaperSettings", "paper_model", "second_model"]

SECOND_MATRIX = ((0.3, 0.7), (0.8, 0.2))
"""The positional matrix A of the paper's second instance (arXiv:2402.03902, appendix)."""

# Data sets are numbered from here on, in every figure: the first digits of the paper's number, not a choice.
FIRST_SEED = 2402


def paper_model(omega: float = 0.3, sigma: float = 0.5, regularization: float = 0.01) -> AttentionModel:
    """Return the paper's first instance, with other parameters where given."""
    return replace(AttentionModel.paper(omega=omega), sigma=sigma, regularization=regularization)


def second_model(omega: float) -> AttentionModel:
    """Return the paper's second instance, of the asymmetric positional matrix."""
    return replace(AttentionModel.paper(omega=omega), positional_matrix=SECOND_MATRIX)


@dataclass(frozen=True)
class PaperSettings:
    """How much is computed.

    Attributes
    ----------
    alpha
        Range of every phase diagram.
    points, tolerance
        Grid points and relative accuracy of each; see :func:`saddle.solve_phase_diagram`.
    line_points
        Points of each line of transitions.
    continuous_lines
        Whether maps show the lines of continuous transitions, too.
    dimension
        Token dimension d of simulations, but for those of maps and of the scaling in d.
    curve_alphas, curve_seeds
        Of the simulations on the curves at omega = 0.3.
    slice_alphas, slice_seeds
        Of those on the curves of other parameters.
    omega_slice, sigma_slice, lambda_slice
        Values of each parameter, the others as in the paper.
    map_omegas
        Values of omega at which the maps over (alpha, omega) are computed, with the first positional matrix.
    second_omegas
        With the second one.
    map_dimension, map_alphas, map_seeds
        Of the simulations on maps, which are made at every second of these values of omega.
    sizes, size_seeds
        Dimensions of the scaling in d, at alpha = 1.5.
    """

    alpha: tuple[float, float] = (0.01, 2.5)
    points: int = 32
    tolerance: float = 2e-4
    line_points: int = 25
    continuous_lines: bool = True
    dimension: int = 1000
    curve_alphas: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 2.0, 2.4)
    curve_seeds: int = 8
    slice_alphas: tuple[float, ...] = (0.4, 0.8, 1.2, 1.6, 2.0)
    slice_seeds: int = 4
    omega_slice: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    sigma_slice: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0)
    lambda_slice: tuple[float, ...] = (0.001, 0.01, 0.1)
    map_omegas: tuple[float, ...] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
    second_omegas: tuple[float, ...] = (0.0, 0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5)
    map_dimension: int = 700
    map_alphas: tuple[float, ...] = (0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 2.3)
    map_seeds: int = 3
    sizes: tuple[int, ...] = (10, 22, 46, 100, 215, 464, 1000)
    size_seeds: int = 30


FULL = PaperSettings()
"""The whole of it: about half an hour on two cores."""

QUICK = PaperSettings(
    points=14,
    tolerance=2e-3,
    line_points=7,
    continuous_lines=False,
    dimension=200,
    curve_alphas=(0.3, 0.9, 1.5, 2.1),
    curve_seeds=3,
    slice_alphas=(0.6, 1.5),
    slice_seeds=2,
    omega_slice=(0.2, 0.3, 0.4),
    sigma_slice=(0.3, 0.5, 0.7),
    lambda_slice=(0.001, 0.01, 0.1),
    map_omegas=(0.05, 0.2, 0.4),
    second_omegas=(0.02, 0.3),
    map_dimension=100,
    map_alphas=(0.5, 1.1, 1.7, 2.3),
    map_seeds=2,
    sizes=(10, 46, 215),
    size_seeds=8,
)
"""A look at all figures within two minutes on two cores, with coarse curves and small simulations."""
