"""Which renamings of tokens leave a model's numbers unchanged, of those that leave its expressions so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from replica.model.attention_model import AttentionModel
from replica.model.parameter_values import direction_moments
from replica.quantities.names import order_parameters
from replica.quantities.solvable_model import Model
from replica.symmetry.signs import Signs, sign_group
from replica.symmetry.symmetries import Symmetries, Symmetry

__all__ = ["with_renamings"]

# Renamings of more tokens than this, of which there are L!, are not looked for.
MOST_TOKENS = 6
# Of encodings and moments, whose natural size is one.
TOLERANCE = 1e-12


def with_renamings(found: Symmetries, model: Model) -> Symmetries:
    """Return the symmetries of a model, whose structure's are given.

    Its renamings generate all that there are; what acts by signs although none of its factors does is listed, too.
    """
    layout = model.structure.layout
    if model.classes:
        return replace(found, renamings=tuple(_class_exchanges(model)))
    length, encoding = layout.sequence_length, model.encoding_matrix
    if length > MOST_TOKENS or not (found.exchange or found.neighbours):
        return found
    moments = _moments(model)
    same = tuple(range(length))
    renamings: list[Symmetry] = []
    generated = {same}
    for order in itertools.permutations(range(length)):
        if order == same or not (found.renames(order) and _unchanged(model, encoding, moments, order)):
            continue
        directions = _direction_signs(encoding, encoding[list(order)])
        acting: Signs = ()
        if directions is not None:
            acting = tuple(
                directions[x.indices[1]] if x.kind == "positional_overlap" else 1 for x in order_parameters(layout)
            )
        known = sign_group([x.signs for x in renamings if x.signs])
        if order in generated and (not acting or min(acting) > 0 or acting in known):
            continue
        shown = ", ".join(f"{i + 1} -> {j + 1}" for i, j in enumerate(order))
        renamings.append(Symmetry(f"renaming of tokens {shown}", acting, order=order))
        generated = _closure(generated, order)
    return replace(found, renamings=tuple(renamings))


def _class_exchanges(model: Model) -> Iterator[Symmetry]:
    """Yield the reversals of directions that classes of samples make up for: every class has one that is its image.

    Other exchanges of classes are not looked for.
    """

    def known(probability: float, matrix: np.ndarray, own: Any) -> tuple[Any, ...]:
        return round(probability / TOLERANCE), tuple((matrix + 0.0).ravel().tolist()), tuple(dict(own).items())

    listed = sorted(known(one.probability, one.mean_matrix, one.parameters) for one in model.classes)
    for k in range(model.structure.directions):
        signs = np.ones(model.structure.directions)
        signs[k] = -1.0
        images = [known(one.probability, one.mean_matrix * signs, one.parameters) for one in model.classes]
        if sorted(images) == listed:
            acting = tuple(
                -1 if x.kind == "positional_overlap" and x.indices[1] == k else 1
                for x in order_parameters(model.structure.layout)
            )
            yield Symmetry(f"exchange of classes that reverses direction {k + 1} of their means", acting)


def _moments(model: Model) -> np.ndarray | None:
    """Return the joint moments of encodings and teacher on every atom, (n, k + t, k + t); None if isotropic."""
    if model.spectrum is None:
        return None
    return direction_moments(model.spectrum, model.gram, model.encoding_matrix, model.teacher_rank)


def _unchanged(model: Model, encoding: np.ndarray, moments: np.ndarray | None, order: tuple[int, ...]) -> bool:
    """Return whether A has the same entries, and the tokens' projections the same moments, also with the teacher."""
    if isinstance(model, AttentionModel) and model.omega != 0.0:
        matrix = np.array(model.positional_matrix)
        if not np.array_equal(matrix[np.ix_(order, order)], matrix):
            return False
    moved, k = encoding[list(order)], encoding.shape[1]
    if not _close(moved @ moved.T, encoding @ encoding.T):
        return False
    return moments is None or all(
        _close(moved @ joint[:k, :k] @ moved.T, encoding @ joint[:k, :k] @ encoding.T)
        and _close(moved @ joint[:k, k:], encoding @ joint[:k, k:])
        for joint in moments
    )


def _close(first: np.ndarray, second: np.ndarray) -> bool:
    return np.allclose(first, second, rtol=0.0, atol=TOLERANCE)


def _direction_signs(encoding: np.ndarray, moved: np.ndarray) -> list[int] | None:
    """Return the signs by which every direction's components change, or None if they change otherwise."""
    signs = []
    for before, after in zip(encoding.T, moved.T, strict=True):
        sign = next((sign for sign in (1, -1) if _close(after, sign * before)), None)
        if sign is None:
            return None
        signs.append(sign)
    return signs


def _closure(group: set[tuple[int, ...]], order: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return the permutations that a group of them and one more generate."""
    generators, members, fresh = [*group, order], set(group), {order}
    while fresh:
        members |= fresh
        fresh = {tuple(g[i] for i in x) for x in fresh for g in generators} - members
    return members
