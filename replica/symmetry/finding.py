"""Find the symmetries of a structure from the expressions of its free entropy; none is assumed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import sympy as sp

from replica.algebra.equality import identically_zero
from replica.equations.free_entropy import FreeEntropy
from replica.quantities import symbols
from replica.symmetry.signs import Signs, sign_group
from replica.symmetry.symmetries import Symmetries, Symmetry

__all__ = ["find_symmetries", "transformed_fields"]

# Pairs of subsets of columns, of student and teacher, that are tried: those of up to three columns each.
MOST_PAIRS = 49


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
        lambda own: _knows_no_sign(free_entropy, own),
    )
    reversals = [_reversal(free_entropy, student=columns) for columns in of_student]
    reversals += [_reversal(free_entropy, teacher=columns) for columns in of_teacher]
    every = tuple(reversed(range(layout.sequence_length)))
    return Symmetries(
        student=student,
        teacher=teacher,
        exchange=_is_renaming(free_entropy, every),
        neighbours=tuple(_neighbours(free_entropy)),
        reversals=(*reversals, *_joint_reversals(free_entropy, reversals)),
        rotations=_rotations(free_entropy),
    )


def transformed_fields(free_entropy: FreeEntropy, symmetry: Symmetry) -> dict[sp.Symbol, sp.Expr]:
    """Return every field (and proximal point) that a symmetry changes, and what it becomes."""
    layout, teacher_fields = free_entropy.layout, free_entropy.model.teacher_fields
    if symmetry.order:
        return _renamed_student(free_entropy, symmetry.order) | _renamed_teacher(free_entropy, symmetry.order)
    student = _of_columns(free_entropy.channel.proximal_point, layout.rank, symmetry.student)
    student += _of_columns(free_entropy.channel.fields, layout.rank, symmetry.student)
    return _reversed(student + _of_columns(teacher_fields, layout.teacher_rank, symmetry.teacher))


def _of_columns(fields: Sequence[sp.Symbol], count: int, columns: Iterable[int]) -> list[sp.Symbol]:
    """Return the fields of some of ``count`` columns, of all tokens."""
    return [x for own in columns for x in fields[own::count]]


def _reversed(fields: Iterable[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    return {x: -x for x in fields}


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


def _reversal(phi: FreeEntropy, student: tuple[int, ...] = (), teacher: tuple[int, ...] = ()) -> Symmetry:
    whose, columns = ("the student", student) if student else ("the teacher", teacher)
    if student and teacher:
        name = "reversal of student and teacher"
    elif (phi.layout.rank if student else phi.layout.teacher_rank) == 1:
        name = f"reversal of {whose}"
    else:
        listed = " and ".join(str(a + 1) for a in columns)
        name = f"reversal of {whose}'s column{'s' * (len(columns) > 1)} {listed}"
    return Symmetry(name, _signs(phi, student, teacher), student, teacher)


def _joint_reversals(phi: FreeEntropy, known: Sequence[Symmetry]) -> list[Symmetry]:
    """Return reversals of student and teacher together, which may be some where neither of them is one alone.

    Of attention, all columns are reversed, if none may be alone; of other losses, some of each, the fewest first.
    """
    layout = phi.layout
    students, teachers = (_subsets(count) for count in (layout.rank, layout.teacher_rank))
    pairs = sorted(itertools.product(students, teachers), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    if phi.model.structure is not None or len(pairs) > MOST_PAIRS:
        pairs = [] if known else [(students[-1], teachers[-1])]
    found: list[Symmetry] = []
    generated = {tuple(1 for _ in phi.order_parameters), *sign_group([one.signs for one in known])}
    for student, teacher in pairs:
        both = _reversal(phi, student, teacher)
        if both.signs in generated or not _knows_no_sign(phi, teacher):
            continue
        loss = _composed_loss(phi)
        if identically_zero(loss.subs(transformed_fields(phi, both), simultaneous=True) - loss):
            found.append(both)
            generated |= set(sign_group([one.signs for one in (*known, *found)]))
    return found


def _subsets(count: int) -> list[tuple[int, ...]]:
    """Return the subsets of some columns that are not empty, the smallest first."""
    return [own for size in range(1, count + 1) for own in itertools.combinations(range(count), size)]


def _composed_loss(phi: FreeEntropy) -> sp.Expr:
    """Return the loss as a function of z, the teacher's fields and noise."""
    return phi.channel.loss.xreplace(dict(zip(phi.channel.target_symbols, phi.model.target, strict=True)))


def _loss_is_even(phi: FreeEntropy, columns: Collection[int]) -> bool:
    flip = _reversed(_of_columns(phi.channel.proximal_point, phi.layout.rank, columns))
    return identically_zero(phi.channel.loss.subs(flip, simultaneous=True) - phi.channel.loss)


def _outputs_are_even(phi: FreeEntropy, columns: Collection[int]) -> bool:
    flip = _reversed(_of_columns(phi.model.teacher_fields, phi.layout.teacher_rank, columns))
    if phi.model.structure is None:
        # A loss may be even in outputs that are not.
        loss = _composed_loss(phi)
        return identically_zero(loss.subs(flip, simultaneous=True) - loss)
    changed = phi.target.subs(flip, simultaneous=True)
    return all(identically_zero(x - y) for x, y in zip(changed, phi.target, strict=True))


def _knows_no_sign(phi: FreeEntropy, columns: Collection[int]) -> bool:
    """Return whether no moment couples these columns of the teacher to the encodings or to its other columns.

    A structure knows which moments vanish on every atom of a model's spectrum; without numbers, none does.
    """
    law, k = phi.model.token_law, phi.layout.directions
    if not law.atom_symbols:
        return True
    joint = sp.Matrix(sp.BlockMatrix([[law.positional, law.mixed], [law.mixed.T, law.teacher]]))
    coupled = np.array([[joint[i, j] != 0 for j in range(joint.cols)] for i in range(joint.rows)])
    places = [k + own for own in columns]
    return not np.any(np.delete(coupled[places], places, axis=1))


def _signs(phi: FreeEntropy, student: Collection[int], teacher: Collection[int]) -> Signs:
    """Return how reversals of columns act on the order parameters."""
    signs = []
    for x in phi.order_parameters:
        row, column = x.indices
        sign = -1 if row in student else 1
        if x.kind in ("self_overlap", "susceptibility") and column in student:
            sign = -sign
        if x.kind == "semantic_overlap" and column in teacher:
            sign = -sign
        signs.append(sign)
    return tuple(signs)


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
        first, second = (_of_columns(phi.channel.proximal_point, rank, [column]) for column in (a, b))
        loss = phi.channel.loss
        change = sp.Add(*(x * sp.diff(loss, y) - y * sp.diff(loss, x) for x, y in zip(first, second, strict=True)))
        if not identically_zero(change):
            return False
    return True
