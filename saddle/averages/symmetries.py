"""Which symmetries of its kernel a model has at its own numbers, as signs of the order parameters."""

from __future__ import annotations

import itertools

import numpy as np

from replica.model.attention_model import AttentionModel
from replica.model.parameter_values import direction_moments
from replica.model.spectrum import Spectrum
from replica.quantities.names import order_parameters
from replica.symmetry.sectors import Signs, sign_group
from saddle.averages.state_space import StateSpace
from saddle.kernel.kernel import Kernel

__all__ = ["state_space"]

# Renamings of more tokens than this, of which there are L!, are not looked for.
MOST_TOKENS = 6


def state_space(kernel: Kernel, model: AttentionModel) -> StateSpace:
    """Return the order parameters of a model with the symmetries that act on them by signs."""
    generators: list[Signs] = list(kernel.reversals)
    for signs in _renamings(kernel, model):
        if signs not in sign_group(generators):
            generators.append(signs)
    return StateSpace(model.structure.layout, tuple(generators), kernel.rotations)


def _renamings(kernel: Kernel, model: AttentionModel) -> list[Signs]:
    """Return how renamings of tokens that leave the model's numbers unchanged act, where they act by signs."""
    layout, length = model.structure.layout, model.sequence_length
    if not kernel.renamings or length > MOST_TOKENS:
        return []
    allowed = _connected(kernel.renamings, length)
    matrix, encoding = np.array(model.positional_matrix), model.encoding_matrix
    spectrum = model.spectrum
    moments = (
        direction_moments(spectrum, model.gram, encoding, model.teacher_rank) if isinstance(spectrum, Spectrum) else []
    )
    found: list[Signs] = []
    for order in map(list, itertools.permutations(range(length))):
        if any(allowed[i] != allowed[j] for i, j in enumerate(order)):
            continue
        if model.omega != 0.0 and not np.array_equal(matrix[np.ix_(order, order)], matrix):
            continue
        signs = _direction_signs(encoding, encoding[order])
        if signs is None or not all(_unchanged(joint, signs) for joint in moments):
            continue
        acting = tuple(
            int(signs[x.indices[1]]) if x.kind == "positional_overlap" else 1 for x in order_parameters(layout)
        )
        if min(acting) < 0 and acting not in found:
            found.append(acting)
    return found


def _connected(pairs: tuple[tuple[int, int], ...], length: int) -> list[int]:
    """Return, for every token, the least token that exchanges of pairs can bring it to."""
    least = list(range(length))
    for _ in range(length):
        for i, j in pairs:
            least[i] = least[j] = min(least[i], least[j])
    return least


def _direction_signs(encoding: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
    """Return the signs by which every direction's components change, or None if they change otherwise."""
    signs = np.ones(encoding.shape[1])
    for j in range(encoding.shape[1]):
        if np.allclose(moved[:, j], encoding[:, j], rtol=0.0, atol=1e-12):
            continue
        if not np.allclose(moved[:, j], -encoding[:, j], rtol=0.0, atol=1e-12):
            return None
        signs[j] = -1.0
    return signs


def _unchanged(joint: np.ndarray, signs: np.ndarray) -> bool:
    """Return whether moments of (u, pi) are unchanged if projections on directions change their signs."""
    full = np.concatenate([signs, np.ones(len(joint) - len(signs))])
    return np.allclose(joint * np.outer(full, full), joint, rtol=0.0, atol=1e-12)
