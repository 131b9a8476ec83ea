"""The attention layer and its target, written once for any arithmetic: SymPy's expressions or NumPy's arrays.

Entries need only sums and products; whoever calls supplies the softmax of a row. This file knows no SymPy, so that
numbers can be computed from the same lines as equations without importing it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["attention_entries", "target_entries"]


def attention_entries(
    preactivations: Sequence[Sequence[Any]], softmax: Callable[[Sequence[Any]], Iterable[Any]]
) -> list[list[Any]]:
    r"""Return :math:`S(h) = \mathrm{softmax}(h h^\top)`, row by row (section 2 of arXiv:2402.03902).

    Parameters
    ----------
    preactivations
        The rows of h: for each of L tokens, one entry per column of Q.
    softmax
        Weights of a row of logits.
    """

    def product(first: Sequence[Any], second: Sequence[Any]) -> Any:
        return functools.reduce(operator.add, map(operator.mul, first, second))

    return [list(softmax([product(row, other) for other in preactivations])) for row in preactivations]


def target_entries(
    attention: Sequence[Sequence[Any]], omega: Any, positional_matrix: Sequence[Sequence[Any]]
) -> list[list[Any]]:
    r"""Return :math:`T(h) = (1-\omega) S(h) + \omega A` from the teacher's S(h)."""
    return [
        [(1 - omega) * weight + omega * entry for weight, entry in zip(weights, entries, strict=True)]
        for weights, entries in zip(attention, positional_matrix, strict=True)
    ]
