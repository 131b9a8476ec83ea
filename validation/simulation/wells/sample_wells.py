r"""In which well of its Moreau objective every sample sits at a minimum of the training loss, for two tokens.

A sample's fields are :math:`z_\mu = Z_\mu Q + \ldots` with :math:`Z_\mu = (x_\mu + p)/\sqrt d`, so that the training
loss is :math:`\mathcal L(Q) = \sum_\mu \ell_\mu(Z_\mu Q) + \frac\lambda2|Q|^2`. Without sample mu, and to second order
about the minimum, Q costs a quadratic form with Hessian :math:`H_{-\mu} = H - Z_\mu^\top K_\mu Z_\mu`, where H is the
Hessian of :math:`\mathcal L` and :math:`K_\mu` that of :math:`\ell_\mu`. Minimised at given :math:`z_\mu` it leaves

.. math::
    \tfrac12 (z - w_\mu)^\top V_\mu^{-1} (z - w_\mu) + \ell_\mu(z), \qquad
    V_\mu = Z_\mu H_{-\mu}^{-1} Z_\mu^\top, \qquad w_\mu = z_\mu + V_\mu \nabla\ell_\mu(z_\mu),

the Moreau objective of theory (sections 3 and 10 of the theory notes) at the cavity field :math:`w_\mu`. With
:math:`g = -\nabla\ell` the last is :math:`w = z - Vg`. The training loss is of order d, the samples' parts of it and H
of order one, as in theory, and no factor is needed: for d to infinity :math:`V_\mu` tends to
:math:`\sigma^2\,\mathrm{tr}(H^{-1})/d` times the identity. By Woodbury's formula
:math:`V_\mu^{-1} = A_\mu^{-1} - K_\mu` with :math:`A_\mu = Z_\mu H^{-1} Z_\mu^\top`, so that one factorisation of H
serves all samples. Where no other sample changes its well, the difference of two minima of a Moreau objective is, to
second order, that of the training loss between minima.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from saddle.averages.minimiser_starts import minimiser_starts
from saddle.reference.minimiser import Objective, minimise_from
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.wells.sample_losses import SampleLosses

__all__ = ["SampleWells", "wells_at"]

Array = NDArray[np.floating[Any]]

# Two minima of a Moreau objective that are closer than this are the same one; wells are of order one apart.
SAME_WELL = 1e-4


@dataclass(frozen=True, eq=False)
class SampleWells:
    r"""Every sample's Moreau objective at a minimum Q of the training loss.

    Attributes
    ----------
    samples
        :math:`Z_\mu`, shape (n, 2, d).
    factor
        Lower Cholesky factor of H, shape (d, d).
    fields
        :math:`z_\mu`, shape (n, 2).
    response
        :math:`A_\mu = Z_\mu H^{-1} Z_\mu^\top`, shape (n, 2, 2).
    cavity_fields
        :math:`w_\mu`, shape (n, 2).
    other_fields
        The lowest other minimum of each Moreau objective, shape (n, 2); the fields themselves where there is none.
    rise
        By how much it lies above the well that the sample is in, shape (n,): negative in a wrong well, infinite where
        there is no other.
    susceptibility
        V, the mean of the diagonals of all :math:`Z_\mu H^{-1} Z_\mu^\top` over fresh samples:
        :math:`\frac1{Ld}\sum_l \mathrm{tr}(\Sigma_l H^{-1})`.
    """

    samples: Array
    factor: Array
    fields: Array
    response: Array
    cavity_fields: Array
    other_fields: Array
    rise: Array
    susceptibility: float

    @property
    def in_wrong_well(self) -> int:
        """Number of samples that are not at the global minimum of their Moreau objective."""
        return int(np.sum(self.rise < 0))

    @property
    def candidates(self) -> list[int]:
        """Samples that have another well, the one whose move should lower the loss most first."""
        order = np.argsort(self.rise, kind="stable")
        return [int(sample) for sample in order if np.isfinite(self.rise[sample])]

    def displacement(self, sample: int) -> Array:
        r"""Return :math:`H^{-1} Z_\mu^\top c`, shape (d,), which takes the sample's fields into its other well."""
        step = self.other_fields[sample] - self.fields[sample]
        return cho_solve((self.factor, True), self.samples[sample].T @ np.linalg.solve(self.response[sample], step))


def wells_at(loss: TrainingLoss, losses: SampleLosses, student: Array) -> SampleWells:
    """Return the Moreau objectives' wells at a student.

    Parameters
    ----------
    loss, losses
        The training loss, and its samples' parts.
    student
        A minimum Q, shape (d,).

    Raises
    ------
    numpy.linalg.LinAlgError
        If the Hessian of the training loss is not positive definite: no minimum.
    """
    data = loss.data
    dimension, count = data.dimension, data.samples
    samples = np.moveaxis(data.tokens + data.encodings[:, None], 0, 1) / np.sqrt(dimension)
    fields = np.ascontiguousarray(loss.preactivations(student).T)
    curvature = losses.hessian(fields)
    weighted = np.einsum("nij,njd->nid", curvature, samples)
    rows = samples.reshape(-1, dimension)
    hessian = rows.T @ weighted.reshape(-1, dimension) + data.model.regularization * np.eye(dimension)
    factor = cholesky((hessian + hessian.T) / 2, lower=True)
    halves = solve_triangular(factor, rows.T, lower=True).reshape(dimension, count, 2)
    response = np.einsum("dni,dnj->nij", halves, halves)
    # Of the token's components: those of the encodings are one direction, and left out as in theory.
    inverse = solve_triangular(factor, np.eye(dimension), lower=True)
    diagonal = np.einsum("kd,kd->d", inverse, inverse)
    susceptibility = float(np.mean(data.coordinates.deviations**2 @ diagonal) / dimension)
    precision = np.linalg.inv(response) - curvature
    # Where the rest of the loss alone has no minimum, at small d, the mean response stands for the sample's own.
    unbounded = np.linalg.eigvalsh(precision)[:, 0] <= 0
    precision[unbounded] = np.eye(2) / susceptibility
    cavity = fields + np.linalg.solve(precision, losses.gradient(fields)[:, :, None])[:, :, 0]
    other, rise = _other_minima(_moreau(losses, precision, cavity), fields, cavity)
    return SampleWells(samples, factor, fields, response, cavity, other, rise, susceptibility)


def _moreau(losses: SampleLosses, precision: Array, cavity: Array) -> Objective:
    """Return the Moreau objectives with inverses of V (n, 2, 2) at fields w (n, 2)."""
    return Objective(
        value=lambda z: losses.value(z) + np.einsum("ni,nij,nj->n", z - cavity, precision, z - cavity) / 2,
        gradient=lambda z: losses.gradient(z) + np.einsum("nij,nj->ni", precision, z - cavity),
        hessian=lambda z: losses.hessian(z) + precision,
        select=lambda few: _moreau(losses.select(few), precision[few], cavity[few]),
    )


def _other_minima(objective: Objective, fields: Array, cavity: Array) -> tuple[Array, Array]:
    """Return the lowest minimum besides the fields, (n, 2), and by how much it lies above them, (n,)."""
    here = objective.value(fields)
    other, lowest = fields.copy(), np.full(len(fields), np.inf)
    # The solver's starts, the cavity field, and the mirror image: losses are even in z.
    for start in [*(np.tile(start, (len(fields), 1)) for start in minimiser_starts(2)), cavity, -fields]:
        found = minimise_from(objective, [start])
        value = objective.value(found)
        better = (np.linalg.norm(found - fields, axis=1) > SAME_WELL) & (value < lowest)
        other[better], lowest[better] = found[better], value[better]
    return other, lowest - here
