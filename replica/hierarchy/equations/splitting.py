r"""Whether a level splits: what an infinitesimal gap between two overlaps makes of itself.

A level is inserted between j and j + 1, with gaps :math:`\delta_g` of overlaps and a parameter y. To first order, and
whatever y is,

.. math::
    \hat\delta_g = \alpha\,\mathbb{E}\sum_{l\in g}\sum_m\big\langle
        (\partial_l\partial_m\varphi_{j+1})\,\delta_{g(m)}\,(\partial_m\partial_l\varphi_{j+1})\big\rangle_j, \qquad
    \delta_g = \mathbb{E}_\nu\sum_h\gamma_g\gamma_h K_{j+1}\hat\delta_h K_{j+1}.

Level j is stable where the largest eigenvalue of the product of the two maps is below one; one minus it is the replicon
eigenvalue of the level, with k = 0 that of replica symmetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.inverse_matrices import symmetric_symbols, upper_triangle
from replica.algebra.spectrum_average import SpectrumAverage, spectrum_average
from replica.common.errors import DerivationError
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.equations.stationarity import HierarchicalSystem, inverse_symbols
from replica.hierarchy.functional import HierarchicalFreeEntropy, hierarchical_free_entropy
from replica.hierarchy.prior import precision_symbols
from replica.hierarchy.quantities import parisi_parameter
from replica.quantities import symbols
from replica.quantities.layout import Layout

__all__ = ["Splitting", "split_gap"]


def split_gap(layout: Layout, level: int, group: int, conjugate: bool = False) -> sp.ImmutableMatrix:
    """Return the symbols of the gap that is split off a level, or of that of the conjugates, r x r."""
    stem = f"delta{'_hat' * conjugate}{level}" + (f"_{group + 1}" if layout.group_count > 1 else "")
    return symmetric_symbols(stem, layout.rank)


@dataclass(frozen=True)
class Splitting:
    """An infinitesimal gap that is split off one level of k steps.

    Attributes
    ----------
    functional
        Phi_k.
    level
        The level j, 0 to k.
    """

    functional: HierarchicalFreeEntropy
    level: int

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters."""
        return self.functional.quantities.layout

    def gap(self, group: int) -> sp.ImmutableMatrix:
        r"""Return :math:`\delta_g`."""
        return split_gap(self.layout, self.level, group)

    def conjugate_gap(self, group: int) -> sp.ImmutableMatrix:
        r"""Return :math:`\hat\delta_g`."""
        return split_gap(self.layout, self.level, group, conjugate=True)

    @cached_property
    def channel_integrands(self) -> dict[sp.Symbol, sp.Expr]:
        r"""What tilted averages of level j and :math:`\alpha` make :math:`\hat\delta_g` of, in terms of the gaps.

        Raises
        ------
        DerivationError
            If it depends on y.
        """
        phi, layout = self.functional.potential(self.level + 1), self.layout
        fields, y = self.functional.symmetric.channel.fields, sp.Symbol("y", positive=True)
        rank = layout.rank

        def smoothed(function: Any) -> Any:
            """Return the derivative in the gaps of the average of a function over the new increments: Price's."""
            terms = []
            for token, group in enumerate(layout.groups):
                own, gap = fields[token * rank : (token + 1) * rank], self.gap(group)
                terms += [gap[a, b] * sp.diff(function, own[a], own[b]) for a in range(rank) for b in range(rank)]
            return sp.Add(*terms) / 2

        weight = sp.exp(y * phi)
        rise = sp.expand(smoothed(weight) / weight)

        def tilted(function: Any) -> Any:
            """Return the same of its average with the weight exp(y phi), normalised."""
            return smoothed(function * weight) / weight - function * rise

        found: dict[sp.Symbol, sp.Expr] = {}
        for group in range(layout.group_count):
            hats = self.conjugate_gap(group)
            for a, b in upper_triangle(rank):
                total = sp.S.Zero
                for token in layout.members(group):
                    slopes = [sp.diff(phi, fields[token * rank + x]) for x in (a, b)]
                    # By how much the slopes of the new level's function, log E exp(y phi) / y, differ from these.
                    moved = [sp.diff(rise / y, fields[token * rank + x]) for x in (a, b)]
                    total += tilted(slopes[0] * slopes[1]) - moved[0] * slopes[1] - slopes[0] * moved[1]
                value = sp.expand(total)
                if value.has(y):
                    raise DerivationError(f"a split gap's conjugate depends on the gap's y: {value}")
                found[hats[a, b]] = value
        return found

    @property
    def conjugate_equations(self) -> dict[sp.Symbol, sp.Expr]:
        r"""The channel's answer :math:`\hat\delta_g` to the gaps."""
        return {
            x: symbols.ALPHA.symbol * GaussianAverage(TiltedAverage(value, self.level), self.functional.law)
            for x, value in self.channel_integrands.items()
        }

    @cached_property
    def gap_equations(self) -> dict[sp.Symbol, sp.Expr]:
        r"""The weights' answer :math:`\delta_g` to gaps of the conjugates, in terms of :math:`K_{j+1}`.

        The equation of a gap knows the precisions on both of its sides alone; it is that of one step.

        Raises
        ------
        DerivationError
            If it depends on anything else.
        """
        one = HierarchicalSystem(hierarchical_free_entropy(self.functional.symmetric.model, 1))
        own, law, rank = one.quantities, one.prior.token_law, self.layout.rank
        y, size = parisi_parameter(1), sp.Dummy("size")
        groups = range(self.layout.group_count)
        inner = inverse_symbols(2, rank)
        total = sp.zeros(rank, rank)
        for g in groups:
            total += law.eigenvalues[g] * sp.Matrix(self.conjugate_gap(g))
        # Inside the new gap B_1 = B_2 - y sum of gamma times its conjugate: to first order the inverse grows by this.
        outer = inner + size * y * inner * total * inner
        rules: dict[Any, Any] = {}
        before: Any = inverse_symbols(1, rank)
        if rank == 1:
            rules[precision_symbols(1, 1)[0, 0]] = 1 / outer[0, 0]
        else:
            rules |= {before[i, j]: outer[i, j] for i, j in upper_triangle(rank)}
        for g in groups:
            hats = self.conjugate_gap(g)
            rules |= {
                own.conjugate(1, g)[i, j]: own.conjugate(0, g)[i, j] + size * hats[i, j]
                for i, j in upper_triangle(rank)
            }
        names = dict(zip(precision_symbols(2, rank), precision_symbols(self.level + 1, rank), strict=True))
        if rank > 1:
            names |= dict(zip(inner, inverse_symbols(self.level + 1, rank), strict=True))
        found: dict[sp.Symbol, sp.Expr] = {}
        for g in groups:
            gap = self.gap(g)
            for i, j in upper_triangle(rank):
                left = own.self_overlap(1, g)[i, j] - own.self_overlap(0, g)[i, j]
                right = one.overlap_equations[left].replace(SpectrumAverage, lambda integrand, _: integrand)
                first = sp.diff(sp.expand(right).xreplace(rules), size).subs(size, 0)
                value = sp.factor_terms(sp.expand(sp.cancel(sp.expand(first)) if rank == 1 else first))
                if value.has(y) or value.free_symbols & {x.symbol for x in own.conjugates}:
                    raise DerivationError(f"a split gap depends on more than its conjugate: {value}")
                found[gap[i, j]] = spectrum_average(value.xreplace(names), law.atom_symbols)
        return found
