r"""The symmetries of a model: reversals of columns, renamings of tokens, rotations; found, not assumed.

A symmetry is a transformation of fields that leaves the loss, the outputs and the law of the tokens unchanged, and so
maps solutions of the saddle-point equations to solutions. Reversing columns of Q or Q* acts on the order parameters by
signs; what a group of them reverses may vanish, which is what tells families of solutions apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.softmax_weight import with_exponentials
from replica.equations.free_entropy import FreeEntropy
from replica.symmetry.sign_symmetries import equal_expressions

__all__ = [
    "Symmetry", "SymmetryGroup", "find_symmetries", "identically_zero", "moments_that_may_differ_from_zero",
]  # fmt: skip

DIGITS = 30
POINTS = 3


@dataclass(frozen=True)
class Symmetry:
    """A transformation that leaves the model unchanged.

    Attributes
    ----------
    name
        What it does, in words.
    fields
        Every field (and proximal point) and what it becomes, where it changes.
    signs
        Factor of every order parameter, by symbol; empty where it acts otherwise than by signs.
    """

    name: str
    fields: dict[sp.Symbol, sp.Expr] = field(hash=False)
    signs: dict[sp.Symbol, int] = field(hash=False)


@dataclass(frozen=True)
class SymmetryGroup:
    r"""The generators that were found, and whether the student's columns may be rotated into each other.

    Attributes
    ----------
    generators
        Reversals and renamings.
    rotations
        Whether :math:`Q \to QR` with any rotation R leaves the loss unchanged; never for rank one.
    """

    generators: tuple[Symmetry, ...]
    rotations: bool

    @property
    def sign_generators(self) -> tuple[Symmetry, ...]:
        """Those that act on the order parameters by signs."""
        return tuple(x for x in self.generators if x.signs)


def identically_zero(expression: sp.Expr, variables: Sequence[sp.Symbol] | None = None) -> bool:
    """Return whether an expression vanishes, by expansion or else at random points to 30 digits."""
    if equal_expressions([expression], [sp.S.Zero]):
        return True
    names = sorted(expression.free_symbols, key=str) if variables is None else list(variables)
    generator = np.random.default_rng(len(names))
    function = sp.lambdify(names, with_exponentials(expression), "mpmath")
    with mpmath.workdps(DIGITS + 10):
        for _ in range(POINTS):
            value = function(*(mpmath.mpf(float(x)) for x in generator.uniform(0.3, 1.7, len(names))))
            if abs(value) > mpmath.mpf(10) ** (-DIGITS + 10):
                return False
    return True


def find_symmetries(
    free_entropy: FreeEntropy,
    encoding: np.ndarray | None = None,
    values: dict[sp.Symbol, float] | None = None,
    teacher_moments: np.ndarray | None = None,
) -> SymmetryGroup:
    """Find the reversals of columns, the renamings of tokens, and whether columns may be rotated.

    Parameters
    ----------
    free_entropy
        Phi of the model.
    encoding
        Numeric components of the encodings, L x k, needed for renamings of tokens, which must leave them unchanged.
    values
        Values of the model's parameters, by symbol, for the same purpose.
    teacher_moments
        Joint moments of (u, pi) on every atom of the spectrum, (n, k + t, k + t): reversals of the teacher and
        renamings must leave them unchanged. Without them, no such reversal is found where there is a spectrum.
    """
    generators = [*_reversals(free_entropy, teacher_moments)]
    if encoding is not None and free_entropy.layout.sequence_length > 1:
        generators += _renamings(free_entropy, np.asarray(encoding), values or {}, teacher_moments)
    return SymmetryGroup(tuple(generators), _rotations(free_entropy))


def moments_that_may_differ_from_zero(free_entropy: FreeEntropy) -> np.ndarray:
    """Return ones where a joint moment of (u, pi) is not zero by the model's structure, (1, k + t, k + t)."""
    law = free_entropy.model.token_law
    joint = sp.Matrix(sp.BlockMatrix([[law.positional, law.mixed], [law.mixed.T, law.teacher]]))
    return np.array([[[float(joint[i, j] != 0) for j in range(joint.cols)] for i in range(joint.rows)]])


def _columns(fields: Sequence[sp.Symbol], columns: int, own: int) -> list[sp.Symbol]:
    return list(fields[own::columns])


def _reversals(phi: FreeEntropy, moments: np.ndarray | None) -> list[Symmetry]:
    """Return reversals of columns of Q and of Q*: of single ones, and of several at once where not of each alone."""
    layout, model = phi.layout, phi.model
    found = []
    for columns in _generating_subsets(layout.rank, lambda own: _loss_is_even(phi, own)):
        flip = {x: -x for a in columns for x in _columns(phi.points, layout.rank, a)}
        flip |= {x: -x for a in columns for x in _columns(phi.fields, layout.rank, a)}
        found.append(Symmetry(_named("the student", columns, layout.rank), flip, _signs(phi, columns, set())))
    for columns in _generating_subsets(layout.teacher_rank, lambda own: _outputs_are_even(phi, own, moments)):
        flip = {x: -x for s in columns for x in _columns(model.teacher_fields, layout.teacher_rank, s)}
        found.append(Symmetry(_named("the teacher", columns, layout.teacher_rank), flip, _signs(phi, set(), columns)))
    return found or _joint_reversal(phi, moments)


def _joint_reversal(phi: FreeEntropy, moments: np.ndarray | None) -> list[Symmetry]:
    """Return the reversal of student and teacher together, which may be one where neither of them is alone."""
    layout, model = phi.layout, phi.model
    every = set(range(layout.rank)), set(range(layout.teacher_rank))
    flip = {x: -x for x in (*phi.points, *phi.fields, *model.teacher_fields)}
    outputs = dict(zip(phi.target_symbols, model.target, strict=True))
    loss = phi.loss.xreplace(outputs)
    signs = _signs(phi, *every)
    if not any(sign < 0 for sign in signs.values()) or not _knows_no_sign(phi, every[1], moments):
        return []
    even = identically_zero(loss.subs(flip, simultaneous=True) - loss)
    return [Symmetry("reversal of student and teacher", flip, signs)] if even else []


def _named(whose: str, columns: set[int], rank: int) -> str:
    if rank == 1:
        return f"reversal of {whose}"
    listed = " and ".join(str(a + 1) for a in sorted(columns))
    return f"reversal of {whose}'s column{'s' * (len(columns) > 1)} {listed}"


def _generating_subsets(size: int, is_symmetry: Callable[[set[int]], bool]) -> list[set[int]]:
    """Return the smallest subsets that generate, by symmetric differences, all that are symmetries."""
    chosen: list[set[int]] = []
    generated = [frozenset()]
    for count in range(1, size + 1):
        for own in map(frozenset, itertools.combinations(range(size), count)):
            if own not in generated and is_symmetry(set(own)):
                chosen.append(set(own))
                generated += [own ^ other for other in generated]
    return chosen


def _loss_is_even(phi: FreeEntropy, columns: set[int]) -> bool:
    flip = {x: -x for a in columns for x in _columns(phi.points, phi.layout.rank, a)}
    return identically_zero(phi.loss.subs(flip, simultaneous=True) - phi.loss)


def _outputs_are_even(phi: FreeEntropy, columns: set[int], moments: np.ndarray | None) -> bool:
    model, layout = phi.model, phi.layout
    flip = {x: -x for s in columns for x in _columns(model.teacher_fields, layout.teacher_rank, s)}
    changed = model.target.subs(flip, simultaneous=True)
    return _knows_no_sign(phi, columns, moments) and all(
        identically_zero(x - y) for x, y in zip(changed, model.target, strict=True)
    )


def _knows_no_sign(phi: FreeEntropy, columns: set[int], moments: np.ndarray | None) -> bool:
    """Return whether no moment couples these columns of the teacher to the encodings or to its other columns."""
    if not phi.model.token_law.atom_symbols:
        return True
    if moments is None:
        return False
    places = [phi.layout.directions + s for s in columns]
    return not np.any(np.delete(moments[:, places, :], places, axis=2))


def _signs(phi: FreeEntropy, student: set[int], teacher: set[int]) -> dict[sp.Symbol, int]:
    """Return how reversals of columns act on the order parameters."""
    signs = {}
    for x in phi.order_parameters:
        row, column = x.indices
        sign = -1 if row in student else 1
        if x.kind in ("self_overlap", "susceptibility") and column in student:
            sign = -sign
        if x.kind == "semantic_overlap" and column in teacher:
            sign = -sign
        signs[x.symbol] = sign
    return signs


def _renamings(
    phi: FreeEntropy, encoding: np.ndarray, values: dict[sp.Symbol, float], moments: np.ndarray | None
) -> list[Symmetry]:
    """Return permutations of tokens that leave the law of tokens, encodings and teacher, loss and outputs unchanged.

    They generate all such permutations; what acts by signs although none of its factors does is listed too.
    """
    layout, length = phi.layout, phi.layout.sequence_length
    if len(phi.target_symbols) != length**2:
        return []
    numbers = {x: sp.Rational(value) for x, value in values.items()}
    loss, target = phi.loss.xreplace(numbers), phi.model.target.xreplace(numbers)
    found: list[Symmetry] = []
    generated, actions = {tuple(range(length))}, {(1,) * len(phi.order_parameters)}
    for order in itertools.permutations(range(length)):
        if order == tuple(range(length)) or [layout.groups[i] for i in order] != list(layout.groups):
            continue
        if not _law_is_unchanged(encoding, moments, order):
            continue
        signs = _token_signs(phi, encoding, order)
        if order in generated:
            if not signs or tuple(signs.values()) in actions:
                continue
        elif not _leaves_unchanged(phi, loss, target, order):
            continue
        fields = {**_student_renaming(phi, order), **_teacher_renaming(phi, order)}
        shown = ", ".join(f"{i + 1} -> {j + 1}" for i, j in enumerate(order))
        found.append(Symmetry(f"renaming of tokens {shown}", fields, signs))
        generated = _closure(generated, order)
        if signs:
            actions |= {tuple(x * y for x, y in zip(signs.values(), other, strict=True)) for other in actions}
    return found


def _closure(group: set[tuple[int, ...]], order: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return the permutations that a group of them and one more generate."""
    generators, members, fresh = [*group, order], set(group), {order}
    while fresh:
        members |= fresh
        fresh = {tuple(g[i] for i in x) for x in fresh for g in generators} - members
    return members


def _law_is_unchanged(encoding: np.ndarray, moments: np.ndarray | None, order: tuple[int, ...]) -> bool:
    """Return whether the tokens' projections have the same moments, with each other and with the teacher."""
    moved, k = encoding[list(order)], encoding.shape[1]
    if not np.allclose(moved @ moved.T, encoding @ encoding.T):
        return False
    return moments is None or all(
        np.allclose(moved @ m[:k, :k] @ moved.T, encoding @ m[:k, :k] @ encoding.T)
        and np.allclose(moved @ m[:k, k:], encoding @ m[:k, k:])
        for m in moments
    )


def _student_renaming(phi: FreeEntropy, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return _permuted(phi.points, phi.layout.rank, order) | _permuted(phi.fields, phi.layout.rank, order)


def _teacher_renaming(phi: FreeEntropy, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return _permuted(phi.model.teacher_fields, phi.layout.teacher_rank, order)


def _leaves_unchanged(phi: FreeEntropy, loss: sp.Expr, target: sp.ImmutableMatrix, order: Sequence[int]) -> bool:
    length = len(order)
    places = {i * length + j: order[i] * length + order[j] for i in range(length) for j in range(length)}
    changed = target.subs(_teacher_renaming(phi, order), simultaneous=True)
    if not all(identically_zero(changed[i] - target[j]) for i, j in places.items()):
        return False
    entries = {phi.target_symbols[i]: phi.target_symbols[j] for i, j in places.items()}
    return identically_zero(loss.subs(_student_renaming(phi, order) | entries, simultaneous=True) - loss)


def _permuted(fields: Sequence[sp.Symbol], columns: int, order: Sequence[int]) -> dict[sp.Symbol, sp.Expr]:
    return {fields[i * columns + a]: fields[j * columns + a] for i, j in enumerate(order) for a in range(columns)}


def _token_signs(phi: FreeEntropy, encoding: np.ndarray, order: Sequence[int]) -> dict[sp.Symbol, int]:
    """Return how a renaming acts on m if it does so by signs of the directions, and nothing elsewhere."""
    moved = encoding[list(order)]
    signs = {}
    for j in range(encoding.shape[1]):
        if np.allclose(moved[:, j], encoding[:, j]):
            signs[j] = 1
        elif np.allclose(moved[:, j], -encoding[:, j]):
            signs[j] = -1
        else:
            return {}
    return {x.symbol: signs[x.indices[1]] if x.kind == "positional_overlap" else 1 for x in phi.order_parameters}


def _rotations(phi: FreeEntropy) -> bool:
    """Return whether the loss is invariant under infinitesimal rotations of every pair of the student's columns."""
    rank = phi.layout.rank
    if rank == 1:
        return False
    for a, b in itertools.combinations(range(rank), 2):
        first, second = _columns(phi.points, rank, a), _columns(phi.points, rank, b)
        change = sp.Add(
            *(x * sp.diff(phi.loss, y) - y * sp.diff(phi.loss, x) for x, y in zip(first, second, strict=True))
        )
        if not identically_zero(change):
            return False
    return True
