"""Our theory beside published numbers: in standard errors for gradient descent, relative for theory curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from replica import AttentionModel
from saddle import PhaseDiagram
from saddle.branches.branch import Branch, SolvedPoint
from saddle.continuation.outcomes import SolverError
from saddle.reference import GaussHermite
from saddle.reference.normal_rules import tensor_rule
from validation.published.coarse_rule import solve_on_published_rule
from validation.published.numbers import MEASURED, published_gradient_descent, published_scaling, published_theory
from validation.simulation.functions.layers import attention_weights

__all__ = [
    "CURVE_QUANTITIES",
    "compare_published_descent",
    "compare_published_scaling",
    "compare_published_theory",
    "encoding_correction",
    "published_rule_deviation",
]

CURVE_QUANTITIES = (
    "self_overlap",
    "positional_overlap",
    "susceptibility",
    "semantic_overlap",
    "free_entropy",
    "test_error",
)
"""What published theory curves hold, in the order of every table."""

# An overlap below this vanishes by symmetry.
VANISHING = 1e-8
# What the published iteration, stopped early, leaves of an overlap that decays to zero.
NOISE = 1e-5
# Corrections to the limit are fitted as c/d from this dimension on: below, the next order is visible.
SMALLEST_FITTED = 56


def compare_published_descent(diagram: PhaseDiagram, start: str) -> xr.Dataset:
    """Compare published gradient descent from one start with the branch that it ought to end on.

    That is the branch named like the start or, where it does not exist, the agnostic one. Theory is taken at
    alpha = n/d with the published n = round(alpha d).

    Parameters
    ----------
    diagram
        Solved for one of ``DESCENT_MODELS``, over the published range (0.01 to 2) or a part of it.
    start
        ``"positional"`` or ``"semantic"``.

    Returns
    -------
    xarray.Dataset
        Over ``alpha``: ``branch``; ``stable``, under state evolution; ``jump_share``, the strength C of the proximal
        point's jumps over E[M], which replica-symmetry breaking is measured by (interpolated in the diagram). Over
        ``alpha`` and ``quantity``: ``published``, ``standard_error``, ``theory`` and ``deviation``, which is their
        difference in standard errors. It is nan for an overlap that vanishes in theory: a mean of magnitudes cannot
        be zero. ``correction`` is what the encodings' own size adds to the two losses at finite d
        (:func:`encoding_correction`), and ``corrected_deviation`` the deviation from theory with it. Values of
        alpha where the diagram has neither solution are left out.

    Raises
    ------
    ValueError
        If nothing was published for this model and start.
    """
    data = published_gradient_descent(diagram.attention_model, start)
    inside = (data.samples / 1000 >= diagram.alpha[0]) & (data.samples / 1000 <= diagram.alpha[-1])
    data = data.isel(alpha=np.flatnonzero(inside.values))
    solved = [_solution(diagram, start, float(n) / 1000) for n in data.samples.values]
    rows = [row for row in solved if row is not None]
    data = data.isel(alpha=[k for k, row in enumerate(solved) if row is not None])
    theory = np.array([[abs(_value(point, name)) for name in MEASURED] for _, point in rows]).reshape(-1, len(MEASURED))
    published = np.stack([data[name].values for name in MEASURED], axis=1)
    errors = np.stack([data[f"{name}_standard_error"].values for name in MEASURED], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(theory > VANISHING, (published - theory) / errors, np.nan)
    added = [encoding_correction(diagram.attention_model, point, 1000) for _, point in rows]
    correction = np.array([[each.get(name, 0.0) for name in MEASURED] for each in added]).reshape(theory.shape)
    over = ("alpha", "quantity")
    return xr.Dataset(
        {
            "published": (over, published),
            "standard_error": (over, errors),
            "theory": (over, theory),
            "deviation": (over, deviation),
            "correction": (over, correction),
            "corrected_deviation": (over, deviation - correction / errors),
            "branch": ("alpha", np.array([branch.name for branch, _ in rows], dtype=str)),
            "stable": ("alpha", np.array([point.stable for _, point in rows], dtype=bool)),
            "jump_share": (
                "alpha",
                np.array([_jump_share(branch, point.alpha) for branch, point in rows], dtype=float),
            ),
        },
        {"alpha": data.alpha.values, "quantity": list(MEASURED)},
    )


def compare_published_theory(diagram: PhaseDiagram, branch: str) -> xr.Dataset:
    """Compare a published theory curve with ours.

    Returns
    -------
    xarray.Dataset
        ``published``, ``theory`` and ``deviation`` = published/theory - 1 over ``alpha`` and ``quantity``
        (``CURVE_QUANTITIES``). Theory is nan where the branch does not exist in the diagram, the deviation also where
        theory is zero.

    Raises
    ------
    ValueError
        If nothing was published for this model and branch.
    """
    data = published_theory(diagram.attention_model, branch)
    published = np.stack([data[name].values for name in CURVE_QUANTITIES], axis=1)
    theory = np.full_like(published, np.nan)
    for k, alpha in enumerate(data.alpha.values):
        point = _point(diagram, branch, float(alpha))
        if point is not None:
            theory[k] = [_value(point, name) for name in CURVE_QUANTITIES]
    return _relative(data.alpha.values, published, theory)


def published_rule_deviation(model: AttentionModel, branch: str, alpha: Sequence[float] | None = None) -> xr.Dataset:
    """Compare a published theory curve with our equations on the rule that it was computed with.

    Parameters
    ----------
    model, branch
        As :func:`~validation.published.numbers.published_theory`.
    alpha
        Published values at which to compare, the nearest being taken; all by default. A point takes about a second.

    Returns
    -------
    xarray.Dataset
        As :func:`compare_published_theory`, ``theory`` being from
        :func:`~validation.published.coarse_rule.solve_on_published_rule`.
    """
    data = published_theory(model, branch)
    if alpha is not None:
        data = data.sel(alpha=list(alpha), method="nearest")
    published = np.stack([data[name].values for name in CURVE_QUANTITIES], axis=1)
    theory = np.empty_like(published)
    for k, value in enumerate(data.alpha.values):
        found = solve_on_published_rule(model, branch, float(value))
        observed = {"free_entropy": found.free_entropy, "test_error": found.test_error}
        numbers = [{**found.order_parameters, **observed}[name] for name in CURVE_QUANTITIES]
        theory[k] = [0.0 if abs(number) < NOISE else number for number in numbers]
    return _relative(data.alpha.values, published, theory)


def compare_published_scaling(theory: Mapping[str, float], start: str) -> xr.Dataset:
    """Extrapolate the published means at alpha = 1.5, omega = 0.3 to infinite d and compare with theory.

    Parameters
    ----------
    theory
        Prediction for every name in ``MEASURED`` that does not vanish.
    start
        ``"positional"`` or ``"semantic"``.

    Returns
    -------
    xarray.Dataset
        Over ``quantity``: ``limit`` and ``standard_error`` of a fit limit + coefficient/d to the means from d = 56 on,
        ``coefficient`` with its ``coefficient_error``, ``chi_squared`` of the fit (``degrees`` of freedom), ``theory``,
        and ``deviation`` of the limit in standard errors.
    """
    data = published_scaling(start)
    data = data.isel(dimension=np.flatnonzero(data.dimension.values >= SMALLEST_FITTED))
    design = np.stack([np.ones(data.sizes["dimension"]), 1 / data.dimension.values], axis=1)
    names = [name for name in MEASURED if abs(theory.get(name, 0.0)) > VANISHING]
    columns: dict[str, list[float]] = {}
    for name in names:
        mean, error = data[name].values, data[f"{name}_standard_error"].values
        covariance = np.linalg.inv(design.T @ (design / error[:, None] ** 2))
        fit = covariance @ (design.T @ (mean / error**2))
        row = {
            "limit": fit[0],
            "standard_error": math.sqrt(covariance[0, 0]),
            "coefficient": fit[1],
            "coefficient_error": math.sqrt(covariance[1, 1]),
            "chi_squared": float(np.sum(((mean - design @ fit) / error) ** 2)),
            "theory": abs(theory[name]),
        }
        row["deviation"] = (row["limit"] - row["theory"]) / row["standard_error"]
        for key, value in row.items():
            columns.setdefault(key, []).append(float(value))
    variables = {key: ("quantity", values) for key, values in columns.items()}
    return xr.Dataset(variables, {"quantity": names}, attrs={"degrees": len(design) - 2})


def encoding_correction(model: AttentionModel, point: SolvedPoint, dimension: int) -> dict[str, float]:
    r"""Return what the encodings' own size adds to the losses at dimension d.

    The residual :math:`y - f_Q(x) = (T - S)x - Sp` (theory notes, section 1) contains :math:`Sp`, which has norm of
    order one and drops out of :math:`|y - f|^2/d` in the limit. At first order it adds
    :math:`\frac{\alpha}{2d}\mathbb{E}|Sp|^2` to the training loss per dimension, by stationarity, and
    :math:`\frac{1}{dL}\mathbb{E}|Sp|^2` to the test error per token, apart from what it changes in the overlaps. Other
    terms of order 1/d exist and are not known; for the training loss the average is taken at w instead of z*, too.

    Returns
    -------
    dict
        ``train_loss`` and ``test_error``.
    """
    nodes, weights = tensor_rule([GaussHermite(40)] * model.sequence_length)
    encoding = np.asarray(model.positional_encoding)
    q, m = point.order_parameters["self_overlap"], point.order_parameters["positional_overlap"]
    attention = attention_weights(np.sqrt(q) * nodes.T + m * encoding[:, None])
    square = float(weights @ np.sum(np.einsum("ikn,k->in", attention, encoding) ** 2, axis=0))
    return {
        "train_loss": point.alpha * square / (2 * dimension),
        "test_error": square / (dimension * model.sequence_length),
    }


def _relative(alpha: np.ndarray, published: np.ndarray, theory: np.ndarray) -> xr.Dataset:
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(np.abs(theory) > VANISHING, published / theory - 1, np.nan)
    over = ("alpha", "quantity")
    return xr.Dataset(
        {"published": (over, published), "theory": (over, theory), "deviation": (over, deviation)},
        {"alpha": alpha, "quantity": list(CURVE_QUANTITIES)},
    )


def _point(diagram: PhaseDiagram, branch: str, alpha: float) -> SolvedPoint | None:
    """Return a branch's solution at alpha, or None where it has none."""
    found = diagram.branches.get(branch)
    if found is None or not found.distinct.any() or not diagram.alpha[0] <= alpha <= diagram.alpha[-1]:
        return None
    try:
        return found.at(alpha)
    except SolverError:
        return None


def _solution(diagram: PhaseDiagram, family: str, alpha: float) -> tuple[Branch, SolvedPoint] | None:
    """Return the solution of a family, stable if it can be, else the agnostic one, else None."""
    pieces = [name for name in diagram.branches if name.split()[0] == family]
    found = [(diagram.branches[name], point) for name in pieces if (point := _point(diagram, name, alpha)) is not None]
    if found:
        return min(found, key=lambda each: not each[1].stable)
    agnostic = _point(diagram, "agnostic", alpha)
    return None if agnostic is None else (diagram.branches["agnostic"], agnostic)


def _jump_share(branch: Branch, alpha: float) -> float:
    """Return C/E[M], interpolated between the branch's stored points in its logarithm."""
    own = branch.distinct
    share = np.maximum(branch.jump_strength[own] / branch.average_envelope[own], 1e-12)
    return float(np.exp(np.interp(alpha, branch.alpha[own], np.log(share))))


def _value(point: SolvedPoint, name: str) -> float:
    return float({**point.order_parameters, **_observables(point)}[name])


def _observables(point: SolvedPoint) -> dict[str, float]:
    return {"free_entropy": point.free_entropy, "train_loss": point.train_loss, "test_error": point.test_error}
