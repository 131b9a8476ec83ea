"""The weights' side of the equations on a kernel: overlaps, free entropy and their derivatives from the conjugates.

Where the covariances have a spectrum, the kernel's functions hold for one atom, and are averaged over atoms here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np

from replica.common.errors import InvalidArgument
from replica.model.spectrum import Spectrum
from replica.quantities.solvable_model import Model
from saddle.averages.parameters import parameter_vector

__all__ = [
    "Prior",
]


@dataclass(frozen=True)
class Prior:
    """Evaluates the functions of a kernel that need no integral over the fields, for one model.

    Conjugates are vectors (n,) in the order of the order parameters.
    """

    module: ModuleType
    model: Model

    @cached_property
    def parameters(self) -> np.ndarray:
        """The model's parameters in the kernel's order."""
        return parameter_vector(self.model)

    @cached_property
    def atoms(self) -> list[tuple[float, tuple[float, ...]]]:
        """Weight of every atom of the spectrum, and the kernel's arguments for it: none if there is no spectrum."""
        if self.model.spectrum is None:
            return [(1.0, ())]
        zero = self.model.structure.zero_moments
        return [
            (weight, tuple(value for name, value in values.items() if name not in zero))
            for weight, values in self.model.atoms
        ]

    def _average(self, function: Callable, conjugates: np.ndarray) -> np.ndarray:
        """Average a function of the weights over the atoms."""
        total = 0.0
        for weight, values in self.atoms:
            total = total + weight * np.array(function(*conjugates, *values, self.parameters), dtype=float)
        return np.asarray(total)

    def exist(self, conjugates: np.ndarray) -> bool:
        """Return whether the weights' measure exists: B is positive definite on every atom."""
        minors = (self.module.weight_precision(*conjugates, *values, self.parameters) for _, values in self.atoms)
        return all(np.all(np.asarray(minor) > 0.0) for minor in minors)

    def overlaps(self, conjugates: np.ndarray) -> np.ndarray:
        """Return the order parameters G, (n,)."""
        return self._average(self.module.overlaps, conjugates)

    def overlap_derivatives(self, conjugates: np.ndarray) -> np.ndarray:
        """Return the derivatives of G in the conjugates, (n, n)."""
        n = len(conjugates)
        return self._average(self.module.overlap_derivatives, conjugates).reshape(n, n)

    def overlap_parameter_derivatives(self, conjugates: np.ndarray) -> np.ndarray:
        """Return the derivatives of G in the model's parameters, those of the spectrum's atoms fixed, (n, k)."""
        return self._average(self.module.overlap_parameter_derivatives, conjugates).reshape(len(conjugates), -1)

    def responses(self, susceptibility_conjugates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`\gamma_g B^{-1}` on every atom of the spectrum, (atoms, groups, r, r), and the atoms' weights.

        ``susceptibility_conjugates`` are the matrices V_hat of every group, summed over its tokens, (groups, r, r); B
        must be positive definite. The average over the atoms is V at a solution.

        Raises
        ------
        ValueError
            If the model has no spectrum.
        """
        if not isinstance(self.model.spectrum, Spectrum):
            raise InvalidArgument("the model must have a spectrum of covariances, got none: its response is V")
        eigenvalues, shares = self.model.spectrum.group_eigenvalues(), self.model.spectrum.weights
        rank = susceptibility_conjugates.shape[-1]
        precisions = np.einsum("ng,grs->nrs", eigenvalues, susceptibility_conjugates)
        precisions += self.model.regularization * np.eye(rank)
        return eigenvalues[:, :, None, None] * np.linalg.inv(precisions)[:, None], shares

    def free_entropy(self, state: np.ndarray, conjugates: np.ndarray, envelope: float, alpha: float) -> float:
        """Return Phi at order parameters (n,), conjugates (n,) and E[M]."""
        given = (*state, *conjugates)
        if self.model.spectrum is not None:
            given = (*given, self._average(self.module.prior_terms, conjugates)[0])
        return float(self.module.free_entropy(*given, envelope, alpha, self.parameters))

    def free_entropy_parameter_derivatives(self, state: np.ndarray, conjugates: np.ndarray) -> np.ndarray:
        """Return the derivatives in the model's parameters of Phi without its channel term, (k,)."""
        if self.model.spectrum is None:
            return np.array(self.module.free_entropy_parameter_derivatives(*state, *conjugates, self.parameters))
        return self._average(self.module.free_entropy_parameter_derivatives, conjugates)

    def training_loss(self, conjugates: np.ndarray, loss: float, alpha: float) -> float:
        """Return the training loss per dimension from E[loss(z*, h*)] and the weights' norm."""
        if self.model.spectrum is None:
            return float(self.module.training_loss(*conjugates, loss, alpha, self.parameters))
        norm = self._average(self.module.prior_terms, conjugates)[1]
        return float(self.module.training_loss(loss, norm, alpha, self.parameters))
