r"""Stationarity of Phi_k: overlaps from the conjugates, conjugates from the overlaps, and the equation of every y.

With :math:`K_j = B_j^{-1}` and tilted averages :math:`\langle\cdot\rangle_j` over the increments of levels 1 ... j,

.. math::
    V = E_\nu\gamma K_{k+1}, \quad \Delta_j = E_\nu\gamma\frac{K_j - K_{j+1}}{y_j}, \quad
    q_0 = E_\nu\gamma K_1 U K_1, \qquad
    \hat q_j = \alpha\,\mathbb{E}\langle(\partial\varphi_{j+1})^2\rangle_j .
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.inverse_matrices import InverseMatrix, symmetric_symbols, upper_triangle
from replica.algebra.spectrum_average import spectrum_average
from replica.common.errors import DerivationError
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.channel import increment
from replica.hierarchy.equations.level_slopes import level_slopes
from replica.hierarchy.functional import HierarchicalFreeEntropy, with_outermost
from replica.hierarchy.prior import HierarchicalPrior, precision_symbols
from replica.hierarchy.quantities import HierarchyQuantities, parisi_parameter
from replica.quantities import symbols

__all__ = ["HierarchicalSystem"]


def inverse_symbols(level: int, rank: int) -> sp.Matrix:
    """Return K_j: one over B_j for rank one, symbols of the inverse's entries for higher ranks."""
    if rank == 1:
        return sp.Matrix([[1 / precision_symbols(level, 1)[0, 0]]])
    return sp.Matrix(symmetric_symbols(f"K{level}", rank))


@dataclass(frozen=True)
class HierarchicalSystem:
    """The saddle-point equations of k steps.

    Attributes
    ----------
    functional
        Phi_k.
    """

    functional: HierarchicalFreeEntropy

    @property
    def quantities(self) -> HierarchyQuantities:
        """The unknowns."""
        return self.functional.quantities

    @property
    def prior(self) -> HierarchicalPrior:
        """The prior term."""
        return self.functional.terms.prior

    @cached_property
    def prior_definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbols in the equations that stand for B_j and, for ranks above one, for entries of its inverse."""
        rank, found = self.quantities.layout.rank, dict(self.prior.precisions)
        if rank > 1:
            for level in range(self.quantities.steps + 1, 0, -1):
                K = symmetric_symbols(f"K{level}", rank)
                found |= InverseMatrix(K, precision_symbols(level, rank)).definitions
        return found

    @cached_property
    def channel_definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """For ranks above one: symbols of the inverse covariance of (w_0, h*), and their values."""
        inverses = self.functional.symmetric.covariance_inverses
        own = self.quantities
        return {x: with_outermost(value, own) for inverse in inverses for x, value in inverse.definitions.items()}

    def prior_slope(self, unknown: sp.Symbol) -> sp.Expr:
        r"""Return the derivative of the prior term of one atom in a conjugate or y.

        By :math:`d\log\det B = \mathrm{Tr}\,K\,dB` and :math:`dK = -K\,dB\,K`.
        """
        prior, rank = self.prior, self.quantities.layout.rank
        K = {level: inverse_symbols(level, rank) for level in range(1, self.quantities.steps + 2)}
        changes = {
            level: sp.Matrix(prior.without_precisions(precision_symbols(level, rank))).diff(unknown) for level in K
        }
        U = sp.Matrix(prior.moments)
        slope = (K[1] * U.diff(unknown)).trace() / 2 - (K[1] * changes[1] * K[1] * U).trace() / 2
        for level in range(1, self.quantities.steps + 1):
            y = parisi_parameter(level)
            slope -= ((K[level] * changes[level]).trace() - (K[level + 1] * changes[level + 1]).trace()) / (2 * y)
            if unknown == y:
                outer, inner = (sp.log(sp.Matrix(precision_symbols(x, rank)).det()) for x in (level, level + 1))
                slope += (outer - inner) / (2 * y**2)
        return sp.expand(slope)

    @cached_property
    def _overlaps(self) -> dict[sp.Symbol, sp.Expr]:
        """Order parameters on one atom: stationarity in every conjugate is linear in them."""
        own = self.quantities
        unknown = [x.symbol for x in own.order_parameters]
        found: dict[Any, Any] = {}
        # q_k from the conjugate of q first; V, which is paired with the same conjugate as q_k, last.
        conjugates = sorted(own.conjugates, key=lambda x: (x.kind == "self_overlap_conjugate", x.name))
        for conjugate in conjugates:
            pairing = sp.diff(self.functional.terms.trace_term, conjugate.symbol).xreplace(found)
            partners = [x for x in unknown if pairing.has(x) and x not in found]
            if len(partners) != 1 or sp.diff(pairing, partners[0], 2) != 0:
                raise DerivationError(f"{conjugate.symbol} is not paired with one order parameter: {pairing}")
            (partner,) = partners
            rate = sp.diff(pairing, partner)
            rest = pairing.xreplace({partner: sp.S.Zero}) + self.prior_slope(conjugate.symbol)
            found[partner] = sp.expand(sp.cancel(-rest / rate) if rate.free_symbols else -rest / rate)
        return found

    @cached_property
    def overlap_equations(self) -> dict[sp.Expr, sp.Expr]:
        """Order parameters, of q those of level 0 and the gaps, as functions of the conjugates and y."""
        own, values = self.quantities, self._overlaps
        atom = self.prior.token_law.atom_symbols
        names = {x.name: x.symbol for x in own.order_parameters}
        found: dict[sp.Expr, sp.Expr] = {}
        for x in own.order_parameters:
            value, left = values[x.symbol], sp.sympify(x.symbol)
            if x.kind == "self_overlap" and not x.name.startswith("self_overlap_0"):
                level = int(x.name.removeprefix("self_overlap_").partition("_")[0])
                before = names[x.name.replace(f"self_overlap_{level}", f"self_overlap_{level - 1}", 1)]
                value, left = value - values[before], sp.Add(x.symbol, -before)
            found[left] = spectrum_average(sp.factor_terms(sp.expand(value)), atom)
        return found

    def _tilted(self, summand: sp.Expr, level: int) -> sp.Expr:
        """Return alpha times the average of tilted averages of levels 1 ... j."""
        return symbols.ALPHA.symbol * GaussianAverage(TiltedAverage(summand, level), self.functional.law)

    @cached_property
    def conjugate_equations(self) -> dict[sp.Symbol, sp.Expr]:
        r"""Conjugates as averages of slopes of :math:`\varphi_j`; of V, with a term in y and the conjugate of q."""
        phi, own = self.functional, self.quantities
        layout, channel = own.layout, phi.symmetric.channel
        fields, r, t = channel.fields, layout.rank, layout.teacher_rank
        teacher = phi.symmetric.model.teacher_fields
        k, C = own.steps, phi.symmetric.model.token_law.encoding
        self._require_pairing()

        def slope(level: int, token: int, column: int) -> sp.Expr:
            return sp.diff(phi.potential(level), fields[token * r + column])

        found: dict[sp.Symbol, sp.Expr] = {}
        for x in own.conjugates:
            tokens = layout.members(x.group or 0) if x.group is not None else range(layout.sequence_length)
            a, b = x.indices
            match x.kind:
                case "self_overlap_conjugate":
                    level = int(x.name.removeprefix("self_overlap_").partition("_")[0])
                    terms = [slope(level + 1, l, a) * slope(level + 1, l, b) for l in tokens]  # noqa: E741
                    found[x.symbol] = self._tilted(sp.Add(*terms), level)
                case "susceptibility_conjugate":
                    scores = self._scores(x.group or 0)
                    terms = [slope(k + 1, l, a) * scores[l * r + b] for l in tokens]  # noqa: E741
                    found[x.symbol] = self._tilted(sp.Add(*(-term for term in terms)), k)
                    if k:
                        y, q_hat = parisi_parameter(k), own.conjugate(k, x.group)[a, b]
                        found[x.symbol] += y * q_hat
                case "positional_overlap_conjugate":
                    terms = [slope(1, l, a) * C[l, b] for l in tokens]  # noqa: E741
                    found[x.symbol] = self._tilted(sp.Add(*terms), 0)
                case "semantic_overlap_conjugate":
                    terms = [slope(1, l, a) * phi.law.score(teacher[l * t + b]) for l in tokens]  # noqa: E741
                    found[x.symbol] = self._tilted(sp.Add(*terms), 0)
        return found

    def _scores(self, group: int) -> dict[int, sp.Expr]:
        """Return by the place of a field what Stein's lemma trades for a derivative in it at the innermost level."""
        phi, own = self.functional, self.quantities
        layout, k, fields = own.layout, own.steps, phi.symmetric.channel.fields
        places = [l * layout.rank + b for l in layout.members(group) for b in range(layout.rank)]  # noqa: E741
        if k == 0:
            return {place: phi.law.score(fields[place]) for place in places}
        inverse = sp.Matrix(own.increments(group)[k]).inv(method="ADJ")
        found = {}
        for place in places:
            first, column = place - place % layout.rank, place % layout.rank
            steps = [inverse[column, c] * increment(k, fields[first + c]) for c in range(layout.rank)]
            found[place] = sp.Add(*steps)
        return found

    @cached_property
    def parameter_equations(self) -> dict[sp.Symbol, sp.Expr]:
        """What vanishes for every y of a ground state: the derivative of Phi_k."""
        phi, atom = self.functional, self.prior.token_law.atom_symbols
        found: dict[sp.Symbol, sp.Expr] = {}
        for level, y in enumerate(self.quantities.parameters, start=1):
            slopes = level_slopes(level, level == self.quantities.steps)
            if sp.expand(slopes.in_parameter - TiltedAverage(slopes.inner, level) / y) != 0:
                raise DerivationError(f"unexpected derivative in {y}: {slopes.in_parameter}")
            channel = self._tilted(phi.potential(level + 1), level) - self._tilted(phi.potential(level), level - 1)
            pairs, on_atom = self._parameter_slope(level)
            found[y] = pairs + spectrum_average(on_atom, atom) + channel / y
        return found

    def _parameter_slope(self, level: int) -> tuple[sp.Expr, sp.Expr]:
        r"""Return the derivative of trace and prior term in y where they are stationary in the conjugates.

        :math:`-\frac12\mathrm{Tr}\,\hat q_j\Delta_j`, and on one atom
        :math:`\frac{1}{2y_j^2}[\log\det B_jK_{j+1} + \mathrm{Tr}\,K_jB_{j+1} - r]`.
        """
        own, prior, rank = self.quantities, self.prior, self.quantities.layout.rank
        y, K = parisi_parameter(level), inverse_symbols(level, rank)
        outer, inner = (sp.Matrix(precision_symbols(x, rank)) for x in (level, level + 1))
        groups = range(own.layout.group_count)
        pairs = -sp.Add(*((own.conjugate(level, g) * own.increments(g)[level]).trace() for g in groups)) / 2
        logarithms = sp.log(outer.det()) - sp.log(inner.det())
        direct = sp.diff(self.functional.terms.trace_term, y) + self.prior_slope(y)
        change = sp.Matrix(prior.without_precisions(sp.ImmutableMatrix(inner - outer)))
        compact = pairs + logarithms / (2 * y**2) + (K * change).trace() / (2 * y**2)
        difference: Any = direct - compact
        if sp.expand(difference.xreplace(self._overlaps)) != 0:
            raise DerivationError(f"the derivative in {y} is not the short one: {direct}")
        return pairs, (logarithms + (K * inner).trace() - rank) / (2 * y**2)

    def _require_pairing(self) -> None:
        r"""Refuse a trace term that does not pair q and its conjugate as Price's theorem does.

        In :math:`q_j` with j < k, which is in the gaps of levels j and j + 1, the channel has the derivative
        :math:`\frac\alpha2(y_j - y_{j+1})\,\mathbb{E}\langle(\partial\varphi_{j+1})^2\rangle_j`: second derivatives
        cancel.
        """
        own, trace = self.quantities, self.functional.terms.trace_term
        y = [sp.S.Zero, *own.parameters]
        for level in own.levels[:-1]:
            for group in range(own.layout.group_count):
                q, q_hat = own.self_overlap(level, group), own.conjugate(level, group)
                for i, j in upper_triangle(own.layout.rank):
                    pairing = sp.diff(trace, q[i, j])
                    expected = (y[level + 1] - y[level]) * q_hat[i, j] / (2 if i == j else 1)
                    if sp.expand(pairing - expected) != 0:
                        raise DerivationError(f"{q[i, j]} is not paired with its conjugate: {pairing}")
