r"""What the theory needs to know of tokens, encodings and teacher: covariances, and second moments of projections.

Written with symbols; for the isotropic model these are sigma and the encodings' coefficients, for any other the
eigenvalues :math:`\gamma_g` and moments of one atom of the spectrum, over which an average remains to be taken.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sympy as sp

from replica.quantities import names, symbols
from replica.quantities.layout import Layout
from replica.quantities.names import eigenvalue_name, moment_name
from replica.quantities.structure import ModelStructure

__all__ = ["TokenLaw", "atom_law", "isotropic_law", "law_of_structure"]


@dataclass(frozen=True)
class TokenLaw:
    r"""Covariances and projections, as expressions.

    Attributes
    ----------
    layout
        Index ranges.
    eigenvalues
        :math:`\gamma_g` of every group.
    positional, mixed, teacher
        Moments :math:`E[u u^\top]` (k x k), :math:`E[u \pi^\top]` (k x t) and :math:`E[\pi\pi^\top]` (t x t) at given
        eigenvalues; u are projections on the encodings' directions.
    teacher_variances
        :math:`\rho_g = E_\nu[\gamma_g \pi\pi^\top]` of every group, t x t.
    traces
        :math:`R_g = E_\nu[\gamma_g]` of every group.
    encoding
        Components of the encodings along their directions, C, L x k.
    atom_symbols
        The symbols that differ from atom to atom of the spectrum; empty where there is one atom only.
    """

    layout: Layout
    eigenvalues: tuple[sp.Expr, ...]
    positional: sp.ImmutableMatrix
    mixed: sp.ImmutableMatrix
    teacher: sp.ImmutableMatrix
    teacher_variances: tuple[sp.ImmutableMatrix, ...]
    traces: tuple[sp.Expr, ...]
    encoding: sp.ImmutableMatrix
    atom_symbols: tuple[sp.Symbol, ...] = ()


def isotropic_law(layout: Layout, variance: sp.Expr, encoding: sp.Matrix) -> TokenLaw:
    """Return the law of covariances that are all the same multiple of the identity."""
    t, k = layout.teacher_rank, layout.directions
    return TokenLaw(
        layout,
        eigenvalues=(variance,) * layout.group_count,
        positional=sp.ImmutableMatrix(sp.eye(k)),
        mixed=sp.ImmutableMatrix(sp.zeros(k, t)),
        teacher=sp.ImmutableMatrix(sp.eye(t)),
        teacher_variances=(sp.ImmutableMatrix(variance * sp.eye(t)),) * layout.group_count,
        traces=(variance,) * layout.group_count,
        encoding=sp.ImmutableMatrix(encoding),
    )


def atom_law(layout: Layout, encoding: sp.Matrix, zero_moments: Collection[str] = ()) -> TokenLaw:
    """Return the law of any spectrum, with the symbols of one atom, except for moments that vanish on every atom."""
    t, k, groups = layout.teacher_rank, layout.directions, range(layout.group_count)
    gamma = tuple(sp.Symbol(eigenvalue_name(g, layout.group_count), real=True, positive=True) for g in groups)

    def moment(i: int, j: int) -> sp.Expr:
        name = moment_name(min(i, j), max(i, j), k)
        return sp.S.Zero if name in zero_moments else sp.Symbol(name, real=True)

    joint = sp.Matrix(k + t, k + t, moment)
    statistics = {x.name: symbols.parameter_symbol(x) for x in names.token_statistics(layout)}

    def of_group(name: str, g: int) -> str:
        return f"{name}_{g + 1}" if layout.group_count > 1 else name

    def variance(g: int) -> sp.ImmutableMatrix:
        stem = of_group("teacher_variance", g)

        def entry(i: int, j: int) -> sp.Expr:
            known = statistics[stem if t == 1 else f"{stem}_{min(i, j) + 1}{max(i, j) + 1}"]
            return sp.S.Zero if joint[k + i, k + j] == 0 else known

        return sp.ImmutableMatrix(t, t, entry)

    return TokenLaw(
        layout,
        eigenvalues=gamma,
        positional=sp.ImmutableMatrix(joint[:k, :k]),
        mixed=sp.ImmutableMatrix(joint[:k, k:]),
        teacher=sp.ImmutableMatrix(joint[k:, k:]),
        teacher_variances=tuple(variance(g) for g in groups),
        traces=tuple(statistics[of_group("token_trace", g)] for g in groups),
        encoding=sp.ImmutableMatrix(encoding),
        atom_symbols=(*gamma, *dict.fromkeys(x for x in joint if x.is_Symbol)),
    )


def encoding_symbols(layout: Layout) -> sp.Matrix:
    """Return the symbols of the encodings' components, L x k."""
    index = "{0}" if layout.directions == 1 else "{0}{1}"
    return sp.Matrix(
        layout.sequence_length,
        layout.directions,
        lambda i, j: sp.Symbol(f"c_{index.format(i + 1, j + 1)}", real=True),
    )


def law_of_structure(structure: ModelStructure) -> TokenLaw:
    """Return the token law of an attention model's structure."""
    encoding = encoding_symbols(structure.layout)
    if structure.isotropic:
        return isotropic_law(structure.layout, symbols.parameter("sigma") ** 2, encoding)
    return atom_law(structure.layout, encoding, structure.zero_moments)
