"""Stationarity of Phi: from the free entropy to the saddle-point equations, by rule and not by hand.

Stages, each with its input and output:

1. differentiate Phi with respect to the conjugates -> the overlaps as functions of the conjugates;
2. differentiate Phi with respect to the overlaps -> averages of derivatives of the Moreau envelope (Price);
3. integrate by parts until only first derivatives are left (Stein);
4. envelope theorem -> averages of explicit functions of the proximal point;
5. solve each linear equation for its conjugate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, integrate_by_parts, use_envelope_theorem
from replica.algebra.inverse_matrices import differentiate
from replica.algebra.spectrum_average import SpectrumAverage, spectrum_average
from replica.equations.free_entropy import FreeEntropy, build_free_entropy
from replica.quantities import symbols

__all__ = ["SaddleSystem", "derive_saddle_system"]


@dataclass(frozen=True)
class SaddleSystem:
    """The saddle-point equations of a free entropy.

    Attributes
    ----------
    free_entropy
        What they were derived from.
    overlap_equations
        Order parameter -> its value as an explicit function of the conjugates, possibly an average over the spectrum
        (:class:`SpectrumAverage`), and for ranks above one of ``prior_definitions``.
    conjugate_equations
        Conjugate -> alpha times a :class:`GaussianAverage` of a function of the proximal point, for ranks above one
        also of ``channel_definitions``.
    """

    free_entropy: FreeEntropy
    overlap_equations: dict[sp.Symbol, sp.Expr]
    conjugate_equations: dict[sp.Symbol, sp.Expr]

    @property
    def order_parameters(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Order parameters, in the order of every state vector."""
        return self.free_entropy.order_parameters

    @property
    def conjugates(self) -> tuple[symbols.SymbolicQuantity, ...]:
        """Their conjugates, in the same order."""
        return self.free_entropy.conjugates

    @cached_property
    def prior_definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbols in the overlap equations that stand for entries of K = B^{-1} and U, and their values, in order."""
        return self.free_entropy.prior.definitions

    @cached_property
    def channel_definitions(self) -> dict[sp.Symbol, sp.Expr]:
        """Symbols in the conjugate equations that stand for entries of inverses and for forces g, in order."""
        phi = self.free_entropy
        inverses = (*phi.channel.inverse_susceptibilities, *phi.covariance_inverses)
        return {x: value for inverse in inverses for x, value in inverse.definitions.items()} | dict(phi.channel.forces)

    @property
    def intermediates(self) -> dict[sp.Symbol, sp.Expr]:
        """Every symbol that stands for an expression in the equations, in order of computation."""
        return {**self.prior_definitions, **self.channel_definitions}

    def written_out(self, expression: sp.Expr) -> sp.Expr:
        """Replace every symbol that stands for an expression."""
        written: Any = expression
        for symbol, value in reversed(self.intermediates.items()):
            written = written.xreplace({symbol: value})
        return written

    def conjugate_integrand(self, conjugate: sp.Symbol) -> sp.Expr:
        """Return f such that the conjugate equals alpha E[f]."""
        (average,) = self.conjugate_equations[conjugate].atoms(GaussianAverage)
        factor = sp.simplify(self.conjugate_equations[conjugate] / average / symbols.ALPHA.symbol)
        return factor * average.integrand

    @property
    def weight_norm(self) -> sp.Expr:
        r"""Mean square of the weights' entries, :math:`|Q|^2/d`.

        It is the derivative of the prior term with respect to the ridge penalty, up to sign and a factor 2: section 5
        of the theory notes.
        """
        prior = self.free_entropy.prior
        norm = -2 * differentiate(prior.integrand, self.free_entropy.model.ridge, prior.inverses)
        atom_symbols = prior.token_law.atom_symbols
        if not prior.moments:
            return spectrum_average(norm, atom_symbols)
        # Symbols of inverse and moments hide those of the atom, which must be averaged over all the same.
        return SpectrumAverage(sp.expand(norm), atom_symbols) if atom_symbols else sp.expand(norm)

    @property
    def training_loss(self) -> sp.Expr:
        r"""Training loss without the envelope: :math:`\alpha\mathbb{E}[\ell(z^\star)] + \frac{\lambda}{2}|Q|^2/d`."""
        average_loss = GaussianAverage(self.free_entropy.channel.loss, self.free_entropy.law)
        return symbols.ALPHA.symbol * average_loss + self.free_entropy.model.ridge / 2 * self.weight_norm

    @property
    def test_error(self) -> sp.Expr:
        r"""Test error per token, :math:`\frac{2}{L}\mathbb{E}[\ell(w, h^\star)]`: section 5 of the theory notes.

        The sample loss of attention carries a factor 1/2 that the test error does not. The same expression is used for
        any loss: twice the mean loss of a new sample, noise of its outputs included.
        """
        phi = self.free_entropy
        at_fields = phi.channel.loss.xreplace(dict(zip(phi.channel.proximal_point, phi.channel.fields, strict=True)))
        return sp.Rational(2, phi.layout.sequence_length) * GaussianAverage(at_fields, phi.law)


def _solve_linear(equation: sp.Expr, unknown: sp.Symbol, simplify: bool = True) -> sp.Expr:
    """Solve an equation that must be linear in one unknown."""
    slope = sp.diff(equation, unknown)
    if slope == 0 or slope.has(unknown):
        raise ValueError(f"expected an equation linear in {unknown}, got {equation}")
    solution = -equation.xreplace({unknown: sp.S.Zero}) / slope
    return sp.simplify(solution) if simplify else sp.factor_terms(sp.expand(solution))


def _explicit(expression: sp.Expr, free_entropy: FreeEntropy) -> sp.Expr:
    """Apply Stein's lemma and the envelope theorem to every average of an expression."""
    rules = {}
    envelope, channel = free_entropy.envelope, free_entropy.channel
    for average in expression.atoms(GaussianAverage):
        lowered = integrate_by_parts(average, envelope, channel.fields)
        rules[average] = use_envelope_theorem(lowered, envelope, channel.objective, channel.slope)
    return expression.xreplace(rules)


def _overlap_equation(free_entropy: FreeEntropy, conjugate: sp.Symbol) -> tuple[sp.Symbol, sp.Expr]:
    """Solve the stationarity condition in one conjugate for the overlap that the trace term pairs it with."""
    prior = free_entropy.prior
    # The trace term is linear in every overlap and pairs each with one conjugate.
    pairing = sp.diff(free_entropy.trace_term, conjugate)
    (partner,) = [x.symbol for x in free_entropy.order_parameters if pairing.has(x.symbol)]
    slope = sp.diff(pairing, partner)
    if prior.moments:
        change = differentiate(prior.integrand, conjugate, prior.inverses, prior.moments)
        value = sp.factor_terms(sp.expand(-change / slope))
    else:
        value = sp.simplify(-sp.diff(prior.integrand, conjugate) / slope)
    return partner, spectrum_average(value, prior.token_law.atom_symbols)


def _conjugate_equation(gradient: sp.Expr, conjugate: sp.Symbol, free_entropy: FreeEntropy) -> sp.Expr:
    """Solve one stationarity condition for its conjugate, keeping the average in one piece."""
    explicit = _explicit(gradient, free_entropy)
    (average,) = explicit.atoms(GaussianAverage)
    placeholder = sp.Dummy("average")
    solution = _solve_linear(explicit.xreplace({average: placeholder}), conjugate)
    prefactor = sp.diff(solution, placeholder) / symbols.ALPHA.symbol
    if prefactor.free_symbols or solution.xreplace({placeholder: sp.S.Zero}) != 0:
        raise ValueError(f"{conjugate} is not alpha times a single average: {solution}")
    integrand = sp.Add(*(sp.factor_terms(prefactor * term) for term in sp.Add.make_args(average.integrand)))
    return symbols.ALPHA.symbol * GaussianAverage(integrand, average.law)


def derive_saddle_system(free_entropy: FreeEntropy | None = None) -> SaddleSystem:
    """Derive the saddle-point equations by making the free entropy stationary.

    Parameters
    ----------
    free_entropy
        Phi; by default that of the paper's model.

    Returns
    -------
    SaddleSystem
        Equations (13) to (20) of the theory notes in docs/, for the default.

    Raises
    ------
    ValueError
        If a stationarity condition is not linear in the quantity it determines.
    """
    phi = free_entropy or build_free_entropy()
    conjugates = [x.symbol for x in phi.conjugates]
    overlaps = dict(_overlap_equation(phi, conjugate) for conjugate in conjugates)
    channel = symbols.ALPHA.symbol * phi.average_envelope
    equations: dict[sp.Symbol, sp.Expr] = {}
    for quantity in phi.order_parameters:
        pairing = sp.diff(phi.trace_term, quantity.symbol)
        (conjugate,) = [c for c in conjugates if pairing.has(c)]
        equations[conjugate] = _conjugate_equation(pairing - sp.diff(channel, quantity.symbol), conjugate, phi)
    return SaddleSystem(
        free_entropy=phi,
        overlap_equations={x.symbol: overlaps[x.symbol] for x in phi.order_parameters},
        conjugate_equations={c: equations[c] for c in conjugates},
    )
