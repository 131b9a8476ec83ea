r"""The common eigenvectors of the tokens' covariances as coordinates, and where encodings and teacher lie in them.

At dimension d every atom of the spectrum has its share of the d coordinates, one after the other. The encodings are
:math:`p_l = \sum_k C_{lk} u_k/\sqrt d` along directions :math:`u_k` with entries of order one; on each atom, second
moments of the directions' entries are the model's exactly, and those of the teacher's rows on average (theory notes,
section 3). For the paper's kind of model there is one atom and one direction, :math:`u = 1_d`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel, Spectrum
from replica.model.spectrum import gram_factor
from replica.quantities.solvable_model import Model

__all__ = ["Coordinates", "draw_teacher", "model_coordinates", "sampled_model"]

Array = NDArray[np.floating[Any]]
AnyModel = TypeVar("AnyModel", bound=Model)


@dataclass(frozen=True, eq=False)
class Coordinates:
    r"""Covariances and directions of the encodings, coordinate by coordinate; every array is read-only.

    Attributes
    ----------
    atoms
        Numbers of the spectrum's atoms that have coordinates.
    ranges
        The coordinates of each of these.
    eigenvalues
        :math:`\gamma_l` of each, shape (atoms, L).
    directions
        Columns :math:`u_k`, shape (d, k), with :math:`u_k\cdot u_j/d \to \delta_{kj}`.
    """

    atoms: tuple[int, ...]
    ranges: tuple[slice, ...]
    eigenvalues: Array
    directions: Array

    @property
    def deviations(self) -> Array:
        """Standard deviation of every coordinate of every token, shape (L, d)."""
        counts = [part.stop - part.start for part in self.ranges]
        return np.repeat(np.sqrt(self.eigenvalues.T), counts, axis=1)

    def covariance_product(self, token: int, first: Array, second: Array) -> float:
        r"""Return :math:`a^\top \Sigma_l b/d` for two vectors of shape (d,)."""
        products = [float(first[part] @ second[part]) for part in self.ranges]
        weighted = self.eigenvalues[:, token] * products
        return float(sum(weighted.tolist()) / len(first))


def model_coordinates(model: Model, dimension: int) -> Coordinates:
    r"""Return the coordinates of a model at dimension d.

    Atoms get their coordinates one after the other, the boundaries between them rounded, so that an atom of weight w
    has d w of them up to one and no error adds up along the atoms: the largest eigenvalues of a power law, atoms of
    less than one coordinate each, have about their share together. On each atom the directions are cosines mixed to
    the model's moments, exactly where the atom has as many coordinates as there are directions; on smaller ones signs
    take their place.
    """
    bounds = [0]
    weights = np.ones(1) if model.spectrum is None else _spectrum(model).weights
    bounds += [math.floor(dimension * share + 0.5) for share in np.cumsum(weights).tolist()]
    bounds[-1] = dimension
    atoms = tuple(k for k in range(len(weights)) if bounds[k] < bounds[k + 1])
    ranges = tuple(slice(bounds[k], bounds[k + 1]) for k in atoms)
    if isinstance(model, AttentionModel) and model.spectrum is None:
        eigenvalues = np.full((1, model.sequence_length), model.token_variance)
    else:
        eigenvalues = _spectrum(model).eigenvalues[list(atoms)]
    columns = model.encoding_matrix.shape[1]
    moments = _joint_moments(model)
    directions = np.empty((dimension, columns))
    for atom, part in zip(atoms, ranges, strict=True):
        root = gram_factor(moments[atom, :columns, :columns])
        directions[part] = _orthogonal_columns(part, root.shape[1]) @ root.T
    for array in (eigenvalues, directions):
        array.setflags(write=False)
    return Coordinates(atoms, ranges, eigenvalues, directions)


def sampled_model(model: AnyModel, dimension: int) -> AnyModel:
    """Return the model whose spectrum is what dimension d makes of a model's: whole numbers of coordinates per atom.

    Atoms that get no coordinates are left out, and weights become multiples of 1/d. The result's data sets at d, and
    at multiples of d, have its spectrum exactly, so that nothing is left to rounding when they are held against its
    theory. A model without a spectrum is returned as it is.

    Parameters
    ----------
    model
        The model.
    dimension
        Token dimension d.

    Raises
    ------
    ValueError
        If atoms have positional moments of their own, and those of the rounded spectrum do not average to the
        encodings' Gram matrix.
    """
    if model.spectrum is None:
        return model
    coordinates, atoms = model_coordinates(model, dimension), _spectrum(model).atoms
    kept = [
        replace(atoms[atom], weight=(part.stop - part.start) / dimension)
        for atom, part in zip(coordinates.atoms, coordinates.ranges, strict=True)
    ]
    return replace(model, spectrum=Spectrum(kept))


def draw_teacher(model: Model, coordinates: Coordinates, generator: np.random.Generator, *, spherical: bool) -> Array:
    r"""Draw :math:`Q_\star`, shape (d, t): Gaussian rows, given the directions, with the model's moments on each atom.

    Parameters
    ----------
    model, coordinates
        What has these moments.
    generator
        Source of d t standard normal numbers.
    spherical
        Make the Gram matrix of these numbers' columns exact on every atom that has as many coordinates as columns.
    """
    columns = coordinates.directions.shape[1]
    noise = generator.standard_normal((len(coordinates.directions), model.teacher_rank))
    teacher = np.empty_like(noise)
    joint = _joint_moments(model)
    for atom, part in zip(coordinates.atoms, coordinates.ranges, strict=True):
        positional, mixed = joint[atom, :columns, :columns], joint[atom, :columns, columns:]
        # Regression of the teacher's row on the directions, and what it leaves.
        slope = np.linalg.pinv(positional, hermitian=True) @ mixed
        root = gram_factor(joint[atom, columns:, columns:] - mixed.T @ slope)
        own = noise[part]
        if spherical and len(own) >= model.teacher_rank:
            _orthogonalise(own)
        teacher[part] = own[:, : root.shape[1]] @ root.T + coordinates.directions[part] @ slope
    return teacher


def _spectrum(model: Model) -> Spectrum:
    assert isinstance(model.spectrum, Spectrum)
    return model.spectrum


def _joint_moments(model: Model) -> Array:
    """Return the joint second moments of directions and teacher on every atom, shape (atoms, k + t, k + t)."""
    encoding = model.encoding_matrix
    length, columns = encoding.shape
    if model.spectrum is None:
        return np.eye(columns + model.teacher_rank)[None]
    if model.classes:
        joint = np.tile(np.eye(columns + model.teacher_rank), (len(_spectrum(model).weights), 1, 1))
        teacher = _spectrum(model).moments(np.zeros((length, length)), model.teacher_rank)
        joint[:, columns:, columns:] = teacher[:, length:, length:]
        return joint
    change = np.zeros((columns + model.teacher_rank, length + model.teacher_rank))
    change[:columns, :length] = np.linalg.pinv(encoding)
    change[columns:, length:] = np.eye(model.teacher_rank)
    return change @ _spectrum(model).moments(model.gram, model.teacher_rank) @ change.T


def _orthogonal_columns(part: slice, columns: int) -> Array:
    """Return columns with entries of order one, orthogonal over the atom if it has coordinates enough."""
    count = part.stop - part.start
    if count < columns:
        # Averaged over many such atoms, signs that change at different rates are orthogonal.
        index = np.arange(part.start, part.stop)[:, None]
        return 1.0 - 2.0 * ((index * 2 >> np.arange(columns)) & 1) * (np.arange(columns) > 0)
    middle = np.arange(count)[:, None] + 0.5
    cosines = math.sqrt(2) * np.cos(np.pi * middle * np.arange(columns) / count)
    cosines[:, :1] = 1.0
    return cosines


def _orthogonalise(columns: Array) -> None:
    """Make columns orthogonal with square norms equal to their length, by Gram and Schmidt, in place."""
    length, count = columns.shape
    for k in range(count):
        for j in range(k):
            columns[:, k] -= columns[:, j] * (columns[:, j] @ columns[:, k] / length)
        columns[:, k] *= math.sqrt(length) / np.linalg.norm(columns[:, k])
