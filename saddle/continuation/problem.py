"""What a problem tells the continuation engine: F(x; p) = 0, its derivatives, scales, noise and symmetries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Evaluation", "FunctionProblem", "Involution", "KnownDerivatives", "ParameterDerivatives", "Problem"]


class ParameterDerivatives(Protocol):
    """Explicit derivatives in the parameters; where they cost much, computed when they are asked for."""

    @property
    def residual(self) -> np.ndarray:
        """DF/dp, (n, k)."""
        ...

    @property
    def potential(self) -> np.ndarray:
        """Of phi, (k,); zeros where the problem has none."""
        ...


@dataclass(frozen=True)
class KnownDerivatives:
    """Derivatives in the parameters that were computed with the rest.

    Attributes
    ----------
    residual, potential
        See :class:`ParameterDerivatives`.
    """

    residual: np.ndarray
    potential: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """A problem at one point.

    Attributes
    ----------
    residual, jacobian
        F (n,) and dF/dx (n, n).
    derivatives
        In the parameters, of the residual and of the potential.
    scales
        Unit of each residual, (n,).
    potential
        A function phi(x; p) that is stationary at solutions; nan where the problem has none.
    detail
        Whatever the problem computed on the way and its user wants back.
    """

    residual: np.ndarray
    jacobian: np.ndarray
    derivatives: ParameterDerivatives
    scales: np.ndarray
    potential: float = float("nan")
    detail: object = None

    @property
    def parameter_derivatives(self) -> np.ndarray:
        """DF/dp, (n, k)."""
        return self.derivatives.residual

    @property
    def potential_derivatives(self) -> np.ndarray:
        """Explicit derivatives of the potential in p, (k,); zeros where the problem has none."""
        return self.derivatives.potential


@dataclass(frozen=True)
class Involution:
    """An involution of a problem: F(R x; p) = S F(x; p), with R R = 1 and S S = 1.

    Attributes
    ----------
    on_unknowns
        R, (n, n).
    on_residuals
        S, (n, n); None if it is R.
    """

    on_unknowns: np.ndarray
    on_residuals: np.ndarray | None = None

    @property
    def residuals(self) -> np.ndarray:
        """S, (n, n)."""
        return self.on_unknowns if self.on_residuals is None else self.on_residuals


class Problem(Protocol):
    """A system of n equations F(x; p) = 0 in n unknowns and k parameters."""

    @property
    def size(self) -> int:
        """Number n of unknowns."""
        ...

    @property
    def noise(self) -> float:
        """Level below which residuals, in their scales, carry no information."""
        ...

    @property
    def difference_step(self) -> float:
        """Step, in natural units, at which central differences of dF/dx are most accurate."""
        ...

    @property
    def symmetries(self) -> Sequence[Involution]:
        """Commuting involutions that generate the symmetry group."""
        ...

    @property
    def stability_sign(self) -> float:
        """1.0 if eigenvalues of dF/dx with positive real part are stable (F = x - G(x)), -1.0 if dx/dt = F."""
        ...

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        """Evaluate at x (n,) and parameters (k,); raises :class:`OutsideDomain` where F is undefined."""
        ...

    def units(self, x: np.ndarray) -> np.ndarray:
        """Return the natural size of a change of each unknown at x, (n,)."""
        ...

    def parameter_units(self, parameters: np.ndarray) -> np.ndarray:
        """Return the natural size of a change of each parameter, (k,)."""
        ...


@dataclass(frozen=True)
class FunctionProblem:
    """A problem made of plain functions of (x (n,), parameters (k,)), with constant units.

    Attributes
    ----------
    size
        Number n of unknowns.
    residual, jacobian, parameter_derivatives
        F (n,), dF/dx (n, n), dF/dp (n, k).
    potential, potential_derivatives
        Optional: phi and its explicit derivatives in p, (k,).
    unknown_units, parameter_unit
        Natural sizes, scalars or (n,) and (k,).
    noise
        Of the residual; rounding by default.
    difference_step
        See :class:`Problem`.
    symmetries, stability_sign
        See :class:`Problem`.
    """

    size: int
    residual: Callable[[np.ndarray, np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameter_derivatives: Callable[[np.ndarray, np.ndarray], np.ndarray]
    potential: Callable[[np.ndarray, np.ndarray], float] | None = None
    potential_derivatives: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    unknown_units: float | np.ndarray = 1.0
    parameter_unit: float | np.ndarray = 1.0
    noise: float = 1e-14
    difference_step: float = 1e-4
    symmetries: tuple[Involution, ...] = ()
    stability_sign: float = -1.0

    def evaluate(self, x: np.ndarray, parameters: np.ndarray) -> Evaluation:
        """Evaluate all functions at one point."""
        slopes = np.zeros(len(parameters))
        if self.potential_derivatives is not None:
            slopes = np.asarray(self.potential_derivatives(x, parameters), dtype=float)
        columns = np.asarray(self.parameter_derivatives(x, parameters), dtype=float)
        return Evaluation(
            residual=np.asarray(self.residual(x, parameters), dtype=float),
            jacobian=np.asarray(self.jacobian(x, parameters), dtype=float).reshape(self.size, self.size),
            derivatives=KnownDerivatives(columns.reshape(self.size, -1), slopes),
            scales=np.ones(self.size),
            potential=float("nan") if self.potential is None else float(self.potential(x, parameters)),
        )

    def units(self, x: np.ndarray) -> np.ndarray:
        """Return the constant units, (n,)."""
        return np.broadcast_to(np.asarray(self.unknown_units, dtype=float), np.shape(x))

    def parameter_units(self, parameters: np.ndarray) -> np.ndarray:
        """Return the constant units of the parameters, (k,)."""
        return np.broadcast_to(np.asarray(self.parameter_unit, dtype=float), np.shape(parameters))
