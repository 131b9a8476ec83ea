"""Newton's method with a domain and scales: a general engine that knows no attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from replica.common.errors import AttentionPhaseError
from saddle.continuation.outcomes import Outcome

__all__ = ["NewtonResult", "OutsideDomain", "SquareEvaluation", "newton"]


class OutsideDomain(AttentionPhaseError):
    """Raised by a problem where its residual is not defined."""


class SquareEvaluation(Protocol):
    """What a problem returns at a point: residual (n,), Jacobian (n, n) and the scale of each residual (n,)."""

    @property
    def residual(self) -> np.ndarray:
        """Residual, (n,)."""
        ...

    @property
    def jacobian(self) -> np.ndarray:
        """Derivative of the residual, (n, n)."""
        ...

    @property
    def scales(self) -> np.ndarray:
        """Unit of each residual, (n,)."""
        ...


L = TypeVar("L", bound=SquareEvaluation)


@dataclass(frozen=True)
class NewtonResult(Generic[L]):
    """Where Newton's method ended.

    Attributes
    ----------
    x
        Last point, (n,).
    outcome
        Named outcome.
    residual_norm
        Largest residual in units of its scale; nan if none could be evaluated.
    evaluations
        Number of residuals evaluated.
    last
        The problem at ``x``, or None if it could not be evaluated.
    """

    x: np.ndarray
    outcome: Outcome
    residual_norm: float
    evaluations: int
    last: L | None

    @property
    def converged(self) -> bool:
        """Whether every residual is within the tolerance."""
        return self.outcome is Outcome.CONVERGED


def _norm(here: SquareEvaluation) -> float:
    return float(np.max(np.abs(here.residual / here.scales)))


def newton(
    problem: Callable[[np.ndarray], L],
    start: np.ndarray,
    *,
    tolerance: float = 1e-10,
    max_evaluations: int = 20,
) -> NewtonResult[L]:
    """Solve a square system by Newton's method, halving steps that leave the domain or do not help.

    Parameters
    ----------
    problem
        Maps x (n,) to its evaluation; raises :class:`OutsideDomain` where it is undefined.
    start
        First point, (n,).
    tolerance
        Bound on every residual in units of its scale.
    max_evaluations
        Budget of residual evaluations.

    Returns
    -------
    NewtonResult
        Never raises for non-convergence: the outcome names it.
    """
    x = np.array(start, dtype=float)
    try:
        here = problem(x)
    except OutsideDomain:
        return NewtonResult(x, Outcome.LEFT_DOMAIN, float("nan"), 1, None)
    evaluations, norm = 1, _norm(here)
    while not norm <= tolerance:  # a nan has not converged
        if not np.isfinite(norm) or not np.all(np.isfinite(here.jacobian)):
            return NewtonResult(x, Outcome.NOT_FINITE, norm, evaluations, here)
        if evaluations >= max_evaluations:
            return NewtonResult(x, Outcome.MAX_STEPS, norm, evaluations, here)
        try:
            step = -np.linalg.solve(here.jacobian, here.residual)
        except np.linalg.LinAlgError:
            return NewtonResult(x, Outcome.SINGULAR, norm, evaluations, here)
        scale, accepted, inside = 1.0, None, False
        while evaluations < max_evaluations and scale > 0.02:
            try:
                evaluations += 1
                trial = problem(x + scale * step)
                inside = True
            except OutsideDomain:
                scale *= 0.4
                continue
            if _norm(trial) < norm:
                accepted = trial
                break
            scale *= 0.4
        if accepted is None:
            outcome = Outcome.MAX_STEPS if inside else Outcome.LEFT_DOMAIN
            return NewtonResult(x, outcome, norm, evaluations, here)
        x, here, norm = x + scale * step, accepted, _norm(accepted)
    return NewtonResult(x, Outcome.CONVERGED, norm, evaluations, here)
