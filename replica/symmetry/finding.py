"""Find the symmetries of a structure from the expressions of its free entropy; none is assumed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence

import sympy as sp

from replica.algebra.equality import identically_zero
from replica.equations.free_entropy import FreeEntropy
from replica.quantities import symbols
from replica.symmetry.joint_reversals import joint_reversals
from replica.symmetry.reversals import knows_no_sign, of_columns, opposite, reversal, reversed_fields
from replica.symmetry.symmetries import Symmetries, Symmetry

__all__ = ["find_symmetries", "transformed_fields"]


def find_symmetries(free_entropy: FreeEntropy) -> Symmetries:
    """Find the reversals of columns, the renamings of tokens, and whether columns may be rotated.

    The renamings are those under which the positional matrix is renamed, too; which of them a model has, its numbers
    decide (:func:`replica.symmetry.renamings.with_renamings`).
    """
    layout = free_entropy.layout
    student, of_student = _even_subsets(layout.rank, lambda own: _loss_is_even(free_entropy, own))
    teacher, of_teacher = _even_subsets(
        layout.teacher_rank,
        lambda own: _outputs_are_even(free_entropy, own),
        lambda own: knows_no_sign(free_entropy, own),
    )
    reversals = [reversal(free_entropy, student=columns) for columns in of_student]
    reversals += [reversal(free_entropy, teacher=columns) for columns in of_teacher]
    reversals += joint_reversals(free_entropy, reversals)
    every = tuple(reversed(range(layout.sequence_length)))
    return Symmetries(
        student=student,
        teacher=teacher,
        exchange=_is_renaming(free_entropy, every),
        neighbours=tuple(_neighbours(free_entropy)),
        reversals=tuple(reversals),
        rotations=_rotations(free_entropy),
    )


def transformed_fields(free_entropy: FreeEntropy, symmetry: Symmetry) -> dict[sp.Symbol, sp.Expr]:
    """Return every field (and proximal point) that a symmetry changes, and what it becomes."""
    if symmetry.order:
        return _renamed_student(free_entropy, symmetry.order) | _renamed_teacher(free_entropy, symmetry.order)
    return reversed_fields(free_entropy, symmetry.student, symmetry.teacher, symmetry.noise)


def _even_subsets(
    size: int, is_even: Callable[[Collection[int]], bool], is_lawful: Callable[[Collection[int]], bool] | None = None
) -> tuple[bool, list[tuple[int, ...]]]:
    """Return whether all columns together may be reversed, and the smallest subsets that generate all that are lawful.

    Subsets generate by symmetric differences. Whether reversing one is lawful is asked only where it is even.
    """
    chosen: list[tuple[int, ...]] = []
    generated: list[frozenset[int]] = [frozenset()]
    all_even = False
    for count in range(1, size + 1):
        for own in map(frozenset, itertools.combinations(range(size), count)):
            even = own in generated or is_even(own)
            all_even = even
            if even and own not in generated and (is_lawful is None or is_lawful(own)):
                chosen.append(tuple(sorted(own)))
                generated += [own ^ other for other in generated]
    return all_even, chosen


def _loss_is_even(phi: FreeEntropy, columns: Collection[int]) -> bool:
    flip = opposite(of_columns(phi.channel.proximal_point, phi.layout.rank, columns))
    return identically_zero(phi.channel.loss.subs(flip, simultaneous=True) - phi.channel.loss)


def _outputs_are_even(phi: FreeEntropy, columns: Collection[int]) -> bool:
    flip = opposite(of_columns(phi.model.teacher_fields, phi.layout.teacher_rank, columns))
    if phi.model.structure is None:
        # A loss may be even in outputs that are not, and need not read all of them.
        loss = phi.channel.loss.xreplace(dict(zip(phi.channel.target_symbols, phi.model.target, strict=True)))
        return identically_zero(loss.subs(flip, simultaneous=True) - loss)
    changed = phi.target.subs(flip, simultaneous=True)
    return all(identically_zero(x - y) for x, y in zip(changed, phi.target, strict=True))


def _neighbours(phi: FreeEntropy) -> Iterable[tuple[int, int]]:
    """Yield pairs of tokens of equal covariances whose exchange changes nothing.

    Only neighbours among the tokens of a group are tried: their exchanges generate all others.
    """
    layout = phi.layout
    for group in range(layout.group_count):
        for i, j in itertools.pairwise(layout.members(group)):
            order = list(range(layout.sequence_length))
            order[i], order[j] = j, i
            if _is_renaming(phi, tuple(order)):
                yield i, j


def _is_renaming(phi: FreeEntropy, order: tuple[int, ...]) -> bool:
    """Return whether giving token i the name order[i], in the positional matrix too, changes nothing."""
    length, groups = len(order), phi.layout.groups
    if length == 1 or tuple(groups[i] for i in order) != groups or len(phi.channel.target_symbols) != length**2:
        return False
    entries = {i * length + k: order[i] * length + order[k] for i in range(length) for k in range(length)}

    def renamed(matrix: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
        return {matrix[i]: matrix[j] for i, j in entries.items()}

    matrix = renamed(list(symbols.positional_matrix(length)))
    target = phi.target.subs(_renamed_teacher(phi, order) | matrix, simultaneous=True)
    if not all(identically_zero(target[i] - phi.target[j]) for i, j in entries.items()):
        return False
    student = _renamed_student(phi, order) | renamed(phi.channel.target_symbols) | matrix
    return identically_zero(phi.channel.loss.subs(student, simultaneous=True) - phi.channel.loss)


def _renamed_student(phi: FreeEntropy, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return _permuted(phi.channel.proximal_point, phi.layout.rank, order) | _permuted(
        phi.channel.fields, phi.layout.rank, order
    )


def _renamed_teacher(phi: FreeEntropy, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return _permuted(phi.model.teacher_fields, phi.layout.teacher_rank, order)


def _permuted(fields: Sequence[sp.Symbol], columns: int, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return {fields[i * columns + a]: fields[j * columns + a] for i, j in enumerate(order) for a in range(columns)}


def _rotations(phi: FreeEntropy) -> bool:
    """Return whether the loss is invariant under infinitesimal rotations of every pair of the student's columns."""
    rank = phi.layout.rank
    if rank == 1:
        return False
    for a, b in itertools.combinations(range(rank), 2):
        first, second = (of_columns(phi.channel.proximal_point, rank, [column]) for column in (a, b))
        loss = phi.channel.loss
        change = sp.Add(*(x * sp.diff(loss, y) - y * sp.diff(loss, x) for x, y in zip(first, second, strict=True)))
        if not identically_zero(change):
            return False
    return True
