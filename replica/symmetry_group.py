r"""The symmetries of a model: reversals of columns, renamings of tokens, rotations; found, not assumed.

A symmetry is a transformation of fields that leaves the loss, the outputs and the law of the tokens unchanged, and so
maps solutions of the saddle-point equations to solutions. Reversing columns of Q or Q* acts on the order parameters by
signs; what a group of them reverses may vanish, which is what tells families of solutions apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import mpmath
import numpy as np
import sympy as sp

from replica.attention import with_exponentials
from replica.free_energy import FreeEntropy
from replica.symmetries import equal_expressions

__all__ = ["Symmetry", "SymmetryGroup", "find_symmetries", "identically_zero"]

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
    """Find the reversals of single columns, the renamings of tokens, and whether columns may be rotated.

    Parameters
    ----------
    free_entropy
        Phi of the model.
    encoding
        Numeric components of the encodings, L x k, needed for renamings of tokens, which must leave them unchanged.
    values
        Values of the model's parameters, by symbol, for the same purpose.
    teacher_moments
        Joint moments of (u, pi) on every atom of the spectrum, (n, k + t, k + t): a reversal of a column of the
        teacher must leave them unchanged. Without them, no such reversal is found where there is a spectrum.
    """
    generators = [*_reversals(free_entropy, teacher_moments)]
    if encoding is not None and free_entropy.layout.sequence_length > 1:
        generators += _renamings(free_entropy, np.asarray(encoding), values or {})
    return SymmetryGroup(tuple(generators), _rotations(free_entropy))


def _columns(fields: Sequence[sp.Symbol], columns: int, own: int) -> list[sp.Symbol]:
    return list(fields[own::columns])


def _reversals(phi: FreeEntropy, moments: np.ndarray | None) -> list[Symmetry]:
    layout, model = phi.layout, phi.model
    found = []
    for a in range(layout.rank):
        flip = {x: -x for x in _columns(phi.points, layout.rank, a)}
        if identically_zero(phi.loss.subs(flip, simultaneous=True) - phi.loss):
            name = "reversal of the student" if layout.rank == 1 else f"reversal of the student's column {a + 1}"
            flip |= {x: -x for x in _columns(phi.fields, layout.rank, a)}
            found.append(Symmetry(name, flip, _signs(phi, {a}, set())))
    for s in range(layout.teacher_rank):
        flip = {x: -x for x in _columns(model.teacher_fields, layout.teacher_rank, s)}
        changed = model.target.subs(flip, simultaneous=True)
        if _knows_no_sign(phi, s, moments) and all(
            identically_zero(x - y) for x, y in zip(changed, model.target, strict=True)
        ):
            name = (
                "reversal of the teacher" if layout.teacher_rank == 1 else f"reversal of the teacher's column {s + 1}"
            )
            found.append(Symmetry(name, flip, _signs(phi, set(), {s})))
    return found


def _knows_no_sign(phi: FreeEntropy, column: int, moments: np.ndarray | None) -> bool:
    """Return whether no moment couples a column of the teacher to the encodings or to its other columns."""
    if not phi.model.token_law.atom_symbols:
        return True
    if moments is None:
        return False
    place = phi.layout.directions + column
    return not np.any(np.delete(moments[:, place, :], place, axis=1))


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


def _renamings(phi: FreeEntropy, encoding: np.ndarray, values: dict[sp.Symbol, float]) -> list[Symmetry]:
    """Return the permutations of tokens that leave covariances, encodings' Gram matrix, loss and outputs unchanged."""
    layout, model = phi.layout, phi.model
    length, columns = layout.sequence_length, len(phi.target_symbols) // layout.sequence_length
    if columns != length:
        return []
    gram = encoding @ encoding.T
    numbers = {x: sp.Rational(value) for x, value in values.items()}
    loss, target = phi.loss.xreplace(numbers), model.target.xreplace(numbers)
    found = []
    for order in itertools.permutations(range(length)):
        if order == tuple(range(length)) or [layout.groups[i] for i in order] != list(layout.groups):
            continue
        if not np.allclose(gram[np.ix_(order, order)], gram):
            continue
        renaming = _permuted(phi.points, layout.rank, order) | _permuted(phi.fields, layout.rank, order)
        teacher = _permuted(model.teacher_fields, layout.teacher_rank, order)
        entries = {
            phi.target_symbols[i * length + j]: phi.target_symbols[order[i] * length + order[j]]
            for i in range(length)
            for j in range(length)
        }
        moved = loss.subs(renaming | entries, simultaneous=True)
        changed = target.subs(teacher, simultaneous=True)
        same = all(
            identically_zero(changed[i * length + j] - target[order[i] * length + order[j]])
            for i in range(length)
            for j in range(length)
        )
        if same and identically_zero(moved - loss):
            shown = ", ".join(f"{i + 1} -> {j + 1}" for i, j in enumerate(order))
            found.append(
                Symmetry(f"renaming of tokens {shown}", renaming | teacher, _token_signs(phi, encoding, order))
            )
    return found


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
