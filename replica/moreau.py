r"""The minimisation problem at every node of the channel's integral, for any number of tokens and any rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from replica import symbols
from replica.attention import sample_loss
from replica.model import ModelStructure

__all__ = ["MoreauProblem", "moreau_objective", "moreau_problem"]


@dataclass(frozen=True, kw_only=True)
class MoreauProblem:
    """What the Moreau envelope of the sample loss minimises, and over what.

    Attributes
    ----------
    structure
        The models it holds for.
    points
        Symbols of the proximal point z, token by token.
    fields
        Symbols of the local fields w.
    target_symbols
        Symbols that stand for the target's entries in ``loss``, row by row.
    loss
        The sample loss in (z, target entries).
    objective
        What the envelope minimises, with z at its minimiser.
    """

    structure: ModelStructure
    points: tuple[sp.Symbol, ...]
    fields: tuple[sp.Symbol, ...]
    target_symbols: tuple[sp.Symbol, ...]
    loss: sp.Expr
    objective: sp.Expr

    @property
    def parameters(self) -> tuple[symbols.Quantity, ...]:
        """Numeric parameters of the models, in the order of the kernel's parameter vector."""
        return symbols.model_parameters(self.structure)


def moreau_objective(
    points: Sequence[sp.Symbol], fields: Sequence[sp.Symbol], susceptibility: sp.Expr, loss: sp.Expr
) -> sp.Expr:
    r"""Return :math:`\tfrac1{2V}\sum_l |z_l-w_l|^2 + \ell(z, h^\star)`, whose minimum over z is the Moreau envelope."""
    quadratic = sp.Add(*((z - w) ** 2 for z, w in zip(points, fields, strict=True)))
    return quadratic / (2 * susceptibility) + loss


def moreau_problem(structure: ModelStructure = symbols.PAPER) -> MoreauProblem:
    """Return the minimisation problem of a structure, with a susceptibility V that is a multiple of the identity."""
    length, rank = structure.sequence_length, structure.rank
    w, z = symbols.local_fields(length, rank), symbols.proximal_points(length, rank)
    target = symbols.target_entries(length)
    loss = sample_loss(sp.Matrix(length, rank, z), target)
    susceptibility = symbols.ORDER_PARAMETERS[2].symbol
    return MoreauProblem(
        structure=structure,
        points=z,
        fields=w,
        target_symbols=tuple(target),
        loss=loss,
        objective=moreau_objective(z, w, susceptibility, loss),
    )
