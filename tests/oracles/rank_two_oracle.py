"""The paper's model with a student of rank two, by plain sampling: fields, global minima, curvatures of the envelope.

No generated expression and no kernel enters: the loss and its derivatives are written out by hand, and minima are those
of the slow reference.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from replica import AttentionModel
from saddle.reference.minimiser import Objective, minimise_from

__all__ = ["RankTwoState", "form_samples", "jump_samples"]

# Second derivatives of the logits' differences u_1 = z_1.(z_1 - z_2) and u_2 = z_2.(z_1 - z_2) in (z_1, z_2).
LOGIT_CURVATURES = np.array([np.kron([[2, -1], [-1, 0]], np.eye(2)), np.kron([[0, 1], [1, -2]], np.eye(2))])
# A smooth minimiser moves by less within the last of so many halved steps.
LEAST_JUMP, HALVINGS = 0.05, 16
# Orthonormal symmetric matrices.
BASIS = np.array([[[1, 0], [0, 0]], [[0, np.sqrt(0.5)], [np.sqrt(0.5), 0]], [[0, 0], [0, 1]]])


@dataclass(frozen=True)
class RankTwoState:
    """Overlaps q and V (2, 2), m and theta (2,) of two tokens of equal variance with encodings +-1."""

    q: np.ndarray
    m: np.ndarray
    V: np.ndarray
    theta: np.ndarray

    def rotated(self, angle: float) -> RankTwoState:
        """Return the state of a student whose columns are rotated."""
        R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return RankTwoState(R.T @ self.q @ R, R.T @ self.m, R.T @ self.V @ R, R.T @ self.theta)

    def vector(self) -> np.ndarray:
        """Return the order parameters as the solver has them, (10,)."""
        upper = np.triu_indices(2)
        return np.concatenate([self.q[upper], self.m, self.V[upper], self.theta])


def _first_weights(h: np.ndarray) -> np.ndarray:
    """Weight of the first token in both rows of softmax(h h^T), h (n, 2, r); returns (n, 2)."""
    return expit(np.einsum("nlr,nr->nl", h, h[:, 0] - h[:, 1]))


def _loss(model: AttentionModel, z: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss, gradient and Hessian at z (n, 4): rows of S and of T sum to one, so that their columns differ alike."""
    p = _first_weights(z.reshape(-1, 2, 2))
    slope, bend = p * (1 - p), p * (1 - p) * (1 - 2 * p)
    miss = p - targets
    value = model.token_variance * np.sum(miss**2, axis=1)
    du = np.einsum("lij,nj->nli", LOGIT_CURVATURES, z)
    gradient = 2 * model.token_variance * np.einsum("nl,nli->ni", miss * slope, du)
    hessian = np.einsum("nl,nli,nlj->nij", slope**2 + miss * bend, du, du)
    hessian += np.einsum("nl,lij->nij", miss * slope, LOGIT_CURVATURES)
    return value, gradient, 2 * model.token_variance * hessian


def _objective(model: AttentionModel, w: np.ndarray, targets: np.ndarray, precision: np.ndarray) -> Objective:
    """The Moreau objective of fields w (n, 4); ``precision`` is that of both tokens, (4, 4)."""
    return Objective(
        lambda z: 0.5 * np.einsum("ni,ij,nj->n", z - w, precision, z - w) + _loss(model, z, targets)[0],
        lambda z: (z - w) @ precision + _loss(model, z, targets)[1],
        lambda z: precision + _loss(model, z, targets)[2],
        lambda some: _objective(model, w[some], targets[some], precision),
    )


def _fields(model: AttentionModel, state: RankTwoState, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Local fields (n, 4) and the targets' first columns (n, 2) from their joint law."""
    generator, rho = np.random.default_rng(seed), model.token_variance
    h = generator.normal(size=(count, 2, 1)) * model.sigma
    spread = np.linalg.cholesky(state.q - np.outer(state.theta, state.theta) / rho)
    w = h * state.theta / rho + generator.normal(size=(count, 2, 2)) @ spread.T
    w = (w + np.array([1.0, -1.0])[:, None] * state.m).reshape(count, 4)
    A = np.array(model.positional_matrix)
    np.testing.assert_allclose(A.sum(axis=1), 1.0)
    return w, (1 - model.omega) * _first_weights(h) + model.omega * A[:, 0]


def _global_minima(model: AttentionModel, w: np.ndarray, targets: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Proximal points (n, 4) of fields (n, 4), from them and from both signs of every column's difference."""
    corners = [sign * np.kron([0.7, -0.7], axis) for sign in (1, -1) for axis in np.eye(2)]
    starts = [w, *(np.broadcast_to(corner, w.shape) for corner in corners)]
    return minimise_from(_objective(model, w, targets, precision), starts)


def form_samples(model: AttentionModel, state: RankTwoState, count: int, seed: int) -> np.ndarray:
    """Samples of Tr[Y H X H] as a form on symmetric 2 x 2 matrices, (n, 3, 3), in an orthonormal basis.

    H are the envelope's second derivatives where the proximal point is smooth.
    """
    w, targets = _fields(model, state, count, seed)
    precision = np.kron(np.eye(2), np.linalg.inv(state.V))
    z = _global_minima(model, w, targets, precision)
    curvature = precision - precision @ np.linalg.inv(precision + _loss(model, z, targets)[2]) @ precision
    blocks = curvature.reshape(count, 2, 2, 2, 2)
    form = np.zeros((count, 3, 3))
    for token, other in itertools.product(range(2), repeat=2):
        block = blocks[:, token, :, other, :]
        form += np.einsum("aij,njk,bkl,nil->nab", BASIS, block, BASIS, block, optimize=True)
    return form


def jump_samples(model: AttentionModel, state: RankTwoState, count: int, seed: int, step: float) -> np.ndarray:
    """Samples of what jumps add to that form at a temperature T, times T, (n, 3, 3), from those within a step.

    Fields are moved in the second column, in opposite directions for the two tokens. A jump of z* is one of the
    envelope's slopes, by D = V^-1 dz, and is met in a step of length s with the probability of its density times s. To
    the form at a temperature T it adds the square of D D^T over 6 T |e.D|, where e is the step's direction.
    """
    w, targets = _fields(model, state, count, seed)
    precision = np.kron(np.eye(2), np.linalg.inv(state.V))
    across = np.kron([1.0, -1.0], [0.0, 1.0]) / np.sqrt(2.0)
    low, high = np.full(count, -step / 2), np.full(count, step / 2)
    left, right = (_global_minima(model, w + x[:, None] * across, targets, precision) for x in (low, high))
    jumped = np.arange(count)
    # Steps are halved while the minimiser moves by more than LEAST_JUMP: what is left then are jumps.
    for _ in range(HALVINGS):
        moving = np.linalg.norm(right - left, axis=1) > LEAST_JUMP
        jumped, low, high, left, right = (x[moving] for x in (jumped, low, high, left, right))
        middle = 0.5 * (low + high)
        here = _objective(model, w[jumped] + middle[:, None] * across, targets[jumped], precision)
        z = minimise_from(here, [left, right])
        nearer = np.linalg.norm(z - left, axis=1) < np.linalg.norm(z - right, axis=1)
        low, high = np.where(nearer, middle, low), np.where(nearer, high, middle)
        left, right = np.where(nearer[:, None], z, left), np.where(nearer[:, None], right, z)
    last = np.linalg.norm(right - left, axis=1) > LEAST_JUMP
    jumped, drop = jumped[last], (right - left)[last] @ precision
    linear = np.einsum("aij,nli,nlj->na", BASIS, drop.reshape(-1, 2, 2), drop.reshape(-1, 2, 2))
    form = np.zeros((count, 3, 3))
    form[jumped] = linear[:, :, None] * linear[:, None, :] / (6 * np.abs(drop @ across) * step)[:, None, None]
    return form
