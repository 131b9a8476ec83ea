r"""The minimisation problem at every node of the channel's integral, for any model.

.. math::
    \mathcal{M}(w, V, h^\star) = \min_z\Big\{\tfrac12\sum_l (z_l - w_l)^\top V_l^{-1}(z_l - w_l)
    + \ell(z, h^\star)\Big\}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from replica.algebra.inverse_matrices import InverseMatrix, differentiate
from replica.common.errors import DerivationError
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities import symbols
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.matrices import group_symbols, kind_matrix
from replica.quantities.structure import ModelStructure

__all__ = ["MoreauProblem", "moreau_objective", "moreau_problem"]


@dataclass(frozen=True, kw_only=True)
class MoreauProblem:
    """What the Moreau envelope of the sample loss minimises, and over what.

    Attributes
    ----------
    model
        Fields, loss and outputs.
    susceptibilities
        V of every group, r x r.
    inverse_susceptibilities
        Their inverses as symbols, for rank above one; for rank one, 1/V is written out.
    forces
        For rank above one: symbols g of :math:`V^{-1}(z - w)`, minus the envelope's slopes in w, and their values.
    objective
        What the envelope minimises, with z at its minimiser.
    """

    model: LossModel
    susceptibilities: tuple[sp.ImmutableMatrix, ...]
    inverse_susceptibilities: tuple[InverseMatrix, ...]
    forces: Mapping[sp.Symbol, sp.Expr]
    objective: sp.Expr

    @property
    def layout(self) -> Layout:
        """Index ranges of the fields."""
        return self.model.layout

    @property
    def structure(self) -> ModelStructure:
        """The attention models it holds for.

        Raises
        ------
        ValueError
            If it is not the problem of an attention model.
        """
        if self.model.structure is None:
            raise ValueError("a multi-index model has no attention model's structure; use its layout")
        return self.model.structure

    @property
    def proximal_point(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the proximal point z, token by token."""
        return self.model.proximal_point

    @property
    def fields(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the local fields w."""
        return self.model.fields

    @property
    def target_symbols(self) -> tuple[sp.Symbol, ...]:
        """Symbols that stand for the outputs in ``loss``."""
        return self.model.target_symbols

    @property
    def loss(self) -> sp.Expr:
        """The sample loss in (z, output symbols)."""
        return self.model.loss

    @property
    def parameters(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Numeric parameters of the models, in the order of the kernel's parameter vector."""
        return self.model.parameters

    def slope(self, x: sp.Symbol) -> sp.Expr:
        r"""Return the objective's partial derivative, in terms of the forces g where these are symbols.

        :math:`\partial_w\mathcal{M} = -g` and :math:`\partial_v\mathcal{M} = -\frac12 g^\top(\partial_v V)\,g` for an
        entry v of V, checked against the objective itself.

        Raises
        ------
        DerivationError
            If the forces do not reproduce the objective's derivative.
        """
        if not self.forces:
            return sp.diff(self.objective, x)
        explicit = differentiate(self.objective, x, self.inverse_susceptibilities)
        rank, names = self.layout.rank, list(self.forces)
        if x in self.fields:
            compact: sp.Expr = -names[self.fields.index(x)]
        else:
            compact = sp.S.Zero
            for token, group in enumerate(self.layout.groups):
                own = sp.Matrix(names[token * rank : (token + 1) * rank])
                compact -= (own.T * sp.Matrix(self.susceptibilities[group]).diff(x) * own)[0, 0] / 2
        if sp.expand(compact.xreplace(dict(self.forces)) - explicit) != 0:
            raise DerivationError(f"the slope of the Moreau objective in {x} is {explicit}, not {compact}")
        return compact


def moreau_objective(
    proximal_point: Sequence[sp.Symbol], fields: Sequence[sp.Symbol], inverses: Sequence[sp.Matrix], loss: sp.Expr
) -> sp.Expr:
    r"""Return :math:`\tfrac12\sum_l (z_l-w_l)^\top V_l^{-1}(z_l-w_l) + \ell(z, h^\star)`.

    Parameters
    ----------
    inverses
        :math:`V_l^{-1}` of every token, r x r.
    """
    rank = len(proximal_point) // len(inverses)
    quadratics: dict[sp.Expr, list[sp.Expr]] = {}
    for token, inverse in enumerate(inverses):
        own = range(token * rank, (token + 1) * rank)
        difference = [proximal_point[k] - fields[k] for k in own]
        for a in range(rank):
            for b in range(a, rank):
                factor = inverse[a, b] * (sp.Rational(1, 2) if a == b else 1)
                quadratics.setdefault(factor, []).append(difference[a] * difference[b])
    return sp.Add(*(factor * sp.Add(*terms) for factor, terms in quadratics.items())) + loss


def moreau_problem(model: ModelStructure | LossStructure | LossModel = symbols.PAPER) -> MoreauProblem:
    """Return the minimisation problem of a structure or a loss model."""
    known = loss_model(model)
    layout, rank = known.layout, known.layout.rank
    quantities = symbols.order_parameters(layout)
    groups = range(layout.group_count)
    matrices = [kind_matrix(quantities, "susceptibility", g, (rank, rank)) for g in groups]
    if rank == 1:
        inverses, per_group = (), [sp.Matrix([[1 / x[0, 0]]]) for x in matrices]
    else:
        inverses = tuple(
            InverseMatrix(group_symbols("J", layout, g, rank), sp.ImmutableMatrix(x)) for g, x in enumerate(matrices)
        )
        per_group = [sp.Matrix(x.symbols) for x in inverses]
    objective = moreau_objective(known.proximal_point, known.fields, [per_group[g] for g in layout.groups], known.loss)
    forces: dict[sp.Symbol, sp.Expr] = {}
    if rank > 1:
        for token, group in enumerate(layout.groups):
            own = range(token * rank, (token + 1) * rank)
            for a in range(rank):
                value = sum(
                    (per_group[group][a, b] * (known.proximal_point[k] - known.fields[k]) for b, k in enumerate(own)),
                    start=sp.S.Zero,
                )
                forces[sp.Symbol(f"g_{token + 1}{a + 1}", real=True)] = value
    return MoreauProblem(
        model=known,
        susceptibilities=tuple(map(sp.ImmutableMatrix, matrices)),
        inverse_susceptibilities=inverses,
        forces=forces,
        objective=objective,
    )
