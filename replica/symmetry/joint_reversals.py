"""Reversals of student and teacher together that leave the loss of outputs unchanged, where neither does alone.

Ridge regression on two outputs, one per column, is the same if a column of the student is reversed together with the
teacher's and the noise of its output: solutions whose columns know nothing of each other's teacher are a family.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp

from replica.algebra.equality import identically_zero
from replica.algebra.softmax_weight import with_exponentials
from replica.equations.free_entropy import FreeEntropy
from replica.symmetry.reversals import knows_no_sign, of_columns, reversal, reversed_fields
from replica.symmetry.signs import independent
from replica.symmetry.symmetries import Symmetry

__all__ = ["joint_reversals"]

# Columns and noise variables whose every set of signs is tried: four thousand of them, at once.
MOST_SIGNS = 12
# Relative change of a loss at random points that rounding cannot make.
CHANGED = 1e-6
POINTS = 3

Columns = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def joint_reversals(phi: FreeEntropy, known: Sequence[Symmetry]) -> list[Symmetry]:
    """Return reversals of columns of both that act otherwise than those known, and the loss does not notice.

    Noise may be reversed with them, whose law is even. Of more than twelve columns and noise variables only reversals
    of a column of each, or of all, with none of the noise variables, one or all, are looked for.

    Parameters
    ----------
    phi
        The free entropy, whose loss and outputs are looked at.
    known
        Reversals that leave the loss, or the outputs, unchanged by themselves.
    """
    layout, found = phi.layout, list(known)
    candidates = list(_candidates(layout.rank, layout.teacher_rank, len(phi.model.noise_fields)))
    # Most act as what is known does: then nothing needs to be evaluated.
    fresh = [x for x in candidates if _acts_anew(reversal(phi, *x), found)]
    if not fresh:
        return []
    loss = phi.channel.loss.xreplace(dict(zip(phi.channel.target_symbols, phi.model.target, strict=True)))
    for columns in _unnoticed(phi, loss, fresh):
        symmetry = reversal(phi, *columns)
        if not (_acts_anew(symmetry, found) and knows_no_sign(phi, symmetry.teacher)):
            continue
        flip = reversed_fields(phi, *columns)
        if identically_zero(loss.subs(flip, simultaneous=True) - loss):
            found.append(symmetry)
    return found[len(known) :]


def _acts_anew(symmetry: Symmetry, known: Sequence[Symmetry]) -> bool:
    signs = [x.signs for x in known]
    return len(independent(signs, [symmetry.signs])) > len(signs)


def _candidates(student: int, teacher: int, noise: int) -> Iterator[Columns]:
    """Yield sets of columns of both, and of noise variables, smallest first."""
    if student + teacher + noise > MOST_SIGNS:
        for flipped in dict.fromkeys([(), *((k,) for k in range(noise)), tuple(range(noise))]):
            yield from (((a,), (b,), flipped) for a in range(student) for b in range(teacher))
            yield tuple(range(student)), tuple(range(teacher)), flipped
        return
    own, others, variables = (_subsets(count) for count in (student, teacher, noise))
    every = ((a, b, c) for a in own for b in others for c in variables if a and b)
    yield from sorted(every, key=lambda x: (len(x[0]) + len(x[1]), len(x[2]), x))


def _subsets(count: int) -> list[tuple[int, ...]]:
    return [own for size in range(count + 1) for own in itertools.combinations(range(count), size)]


def _unnoticed(phi: FreeEntropy, loss: sp.Expr, candidates: Sequence[Columns]) -> list[Columns]:
    """Return the candidates under which the loss is the same at a few random points."""
    layout, model = phi.layout, phi.model
    fields = [*phi.channel.proximal_point, *model.teacher_fields, *model.noise_fields]
    others = sorted(loss.free_symbols - set(fields), key=str)
    function = sp.lambdify([*fields, *others], with_exponentials(loss), ["scipy", "numpy"])
    places = {x: k for k, x in enumerate(fields)}
    signs = np.ones((len(candidates), len(fields)))
    for row, (student, teacher, noise) in zip(signs, candidates, strict=True):
        flipped = of_columns(phi.channel.proximal_point, layout.rank, student)
        flipped += of_columns(model.teacher_fields, layout.teacher_rank, teacher)
        row[[places[x] for x in (*flipped, *(model.noise_fields[k] for k in noise))]] = -1.0
    generator = np.random.default_rng(len(fields))
    same = np.ones(len(candidates), dtype=bool)
    for _ in range(POINTS):
        at, values = generator.normal(size=len(fields)), generator.uniform(0.3, 1.7, len(others))
        with np.errstate(all="ignore"):
            here = np.asarray(function(*at, *values), dtype=float)
            there = np.broadcast_to(np.asarray(function(*(signs * at).T, *values), dtype=float), len(candidates))
        # Where the loss has no value nothing is learned: the exact comparison decides.
        same &= ~(np.abs(there - here) > CHANGED * (np.abs(here) + np.abs(there)))
    return [x for x, kept in zip(candidates, same, strict=True) if kept]
