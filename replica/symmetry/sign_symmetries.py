"""Find the sign symmetries of a free entropy from its expressions."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

import sympy as sp

from replica.algebra.softmax_weight import SoftmaxWeight
from replica.equations.free_entropy import FreeEntropy
from replica.quantities import symbols
from replica.symmetry.sectors import SignSymmetries

__all__ = ["equal_expressions", "find_sign_symmetries", "find_token_renamings"]


def find_sign_symmetries(free_entropy: FreeEntropy) -> SignSymmetries:
    """Test the two reversals and the exchange of tokens on the free entropy's own expressions."""
    flip_student = {x: -x for x in (*free_entropy.points, *free_entropy.fields)}
    flip_teacher = {x: -x for x in free_entropy.teacher_fields}
    objective, target = free_entropy.objective, free_entropy.target
    return SignSymmetries(
        student=equal_expressions([objective.subs(flip_student, simultaneous=True)], [objective]),
        teacher=equal_expressions(target.subs(flip_teacher, simultaneous=True), target),
        exchange=_exchange_is_renaming(free_entropy),
    )


def _exchange_is_renaming(free_entropy: FreeEntropy) -> bool:
    """Rename the tokens in reverse order everywhere and compare."""
    groups = free_entropy.layout.groups
    if groups != groups[::-1]:
        return False
    return _is_renaming(free_entropy, tuple(reversed(range(len(groups)))))


def find_token_renamings(free_entropy: FreeEntropy) -> tuple[tuple[int, int], ...]:
    """Return pairs of tokens of equal covariances whose exchange, in A and the encodings too, changes nothing.

    Only neighbours among the tokens of a group are tried: their exchanges generate all others.
    """
    layout = free_entropy.layout
    found = []
    for group in range(layout.group_count):
        members = layout.members(group)
        for i, j in itertools.pairwise(members):
            order = list(range(layout.sequence_length))
            order[i], order[j] = j, i
            if _is_renaming(free_entropy, tuple(order)):
                found.append((i, j))
    return tuple(found)


def _is_renaming(free_entropy: FreeEntropy, order: tuple[int, ...]) -> bool:
    """Return whether giving token i the name order[i], in positional matrix and encodings too, changes nothing."""
    layout, length = free_entropy.layout, len(order)
    renaming: dict[sp.Expr, sp.Expr] = {}
    vectors = (
        (free_entropy.points, layout.rank),
        (free_entropy.fields, layout.rank),
        (free_entropy.teacher_fields, layout.teacher_rank),
        (list(free_entropy.model.token_law.encoding), layout.directions),
    )
    for vector, columns in vectors:
        renaming |= {
            vector[i * columns + a]: vector[j * columns + a] for i, j in enumerate(order) for a in range(columns)
        }
    entries = {i * length + k: order[i] * length + order[k] for i in range(length) for k in range(length)}
    for matrix in (list(free_entropy.target_symbols), list(symbols.positional_matrix(length))):
        renaming |= {matrix[i]: matrix[j] for i, j in entries.items()}
    renaming = {x: y for x, y in renaming.items() if x != y}
    objective = free_entropy.objective.subs(renaming, simultaneous=True)
    target = free_entropy.target.subs(renaming, simultaneous=True)
    moved = [free_entropy.target[j] for j in entries.values()]
    return equal_expressions([objective], [free_entropy.objective]) and equal_expressions(target, moved)


def equal_expressions(first: Iterable[sp.Expr], second: Iterable[sp.Expr]) -> bool:
    """Return whether expressions agree once softmax weights are taken for independent symbols and all is expanded."""
    return all(
        sp.expand(_with_free_weights(x) - _with_free_weights(y)) == 0 for x, y in zip(first, second, strict=True)
    )


@functools.cache
def _free_weight(chosen: sp.Expr, centred: tuple[sp.Expr, ...]) -> sp.Expr:
    """Return the weight of one of a row's logits: a symbol of its own, or one minus the others for the row's last."""
    if chosen == centred[-1]:
        others = [_free_weight(x, centred) for x in centred if x != chosen]
        return (1 - sp.Add(*others)) / centred.count(chosen)
    return sp.Dummy("weight")


def _with_free_weights(expression: sp.Expr) -> sp.Expr:
    """Replace softmax weights by independent symbols that do not depend on the order or origin of the logits.

    Then equality needs no more than expansion; simplifying exponentials would take minutes for four tokens.
    """
    weights = {}
    for weight in expression.atoms(SoftmaxWeight):
        index, *logits = weight.args
        mean = sp.Add(*logits) / len(logits)
        centred = [sp.expand(x - mean) for x in logits]
        weights[weight] = _free_weight(centred[int(index)], tuple(sorted(centred, key=sp.default_sort_key)))
    return expression.xreplace(weights)
