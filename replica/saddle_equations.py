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

import sympy as sp

from replica import symbols
from replica.free_energy import FreeEntropy, build_free_entropy
from replica.gaussian_average import GaussianAverage, integrate_by_parts, use_envelope_theorem

__all__ = ["SaddleSystem", "derive_saddle_system"]


@dataclass(frozen=True)
class SaddleSystem:
    """The saddle-point equations of a free entropy.

    Attributes
    ----------
    free_entropy
        What they were derived from.
    overlap_equations
        Order parameter -> its value as an explicit function of the conjugates.
    conjugate_equations
        Conjugate -> alpha times a :class:`GaussianAverage` of a function of the proximal point.
    """

    free_entropy: FreeEntropy
    overlap_equations: dict[sp.Symbol, sp.Expr]
    conjugate_equations: dict[sp.Symbol, sp.Expr]

    def conjugate_integrand(self, conjugate: sp.Symbol) -> sp.Expr:
        """Return f such that the conjugate equals alpha E[f]."""
        (average,) = self.conjugate_equations[conjugate].atoms(GaussianAverage)
        factor = sp.simplify(self.conjugate_equations[conjugate] / average / symbols.ALPHA.symbol)
        return factor * average.integrand

    @property
    def training_loss(self) -> sp.Expr:
        r"""Training loss without the envelope: :math:`\alpha\mathbb{E}[\ell(z^\star)] + \frac{\lambda}{2}|Q|^2/d`.

        The ridge term needs the mean square of Q's entries, which is the derivative of the prior term with
        respect to the ridge penalty, up to sign: section 5 of the theory notes.
        """
        ridge = symbols.parameter("regularization")
        norm = -2 * sp.diff(self.free_entropy.prior_term, ridge)
        average_loss = GaussianAverage(self.free_entropy.loss, self.free_entropy.law)
        return symbols.ALPHA.symbol * average_loss + ridge / 2 * norm

    @property
    def test_error(self) -> sp.Expr:
        r"""Test error per token, :math:`\frac{2}{L}\mathbb{E}[\ell(w, h^\star)]`: section 5 of the theory notes.

        The sample loss carries a factor 1/2 that the test error does not.
        """
        phi = self.free_entropy
        at_fields = phi.loss.xreplace(dict(zip(phi.points, phi.fields, strict=True)))
        return sp.Rational(2, phi.structure.sequence_length) * GaussianAverage(at_fields, phi.law)


def _solve_linear(equation: sp.Expr, unknown: sp.Symbol) -> sp.Expr:
    """Solve an equation that must be linear in one unknown."""
    slope = sp.diff(equation, unknown)
    if slope == 0 or slope.has(unknown):
        raise ValueError(f"expected an equation linear in {unknown}, got {equation}")
    return sp.simplify(-equation.xreplace({unknown: sp.S.Zero}) / slope)


def _explicit(expression: sp.Expr, free_entropy: FreeEntropy) -> sp.Expr:
    """Apply Stein's lemma and the envelope theorem to every average of an expression."""
    rules = {}
    for average in expression.atoms(GaussianAverage):
        lowered = integrate_by_parts(average, free_entropy.envelope, free_entropy.fields)
        rules[average] = use_envelope_theorem(lowered, free_entropy.envelope, free_entropy.objective)
    return expression.xreplace(rules)


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
    explicit_part = phi.trace_term + phi.prior_term
    conjugates = [quantity.symbol for quantity in symbols.CONJUGATES]
    # d Phi / d(conjugate) is linear in exactly one overlap: the trace term pairs them off.
    overlaps: dict[sp.Symbol, sp.Expr] = {}
    for conjugate in conjugates:
        equation = sp.diff(explicit_part, conjugate)
        (partner,) = [quantity.symbol for quantity in symbols.ORDER_PARAMETERS if equation.has(quantity.symbol)]
        overlaps[partner] = _solve_linear(equation, partner)
    equations: dict[sp.Symbol, sp.Expr] = {}
    for quantity in symbols.ORDER_PARAMETERS:
        gradient = sp.diff(phi.expression, quantity.symbol)
        (conjugate,) = [c for c in conjugates if sp.diff(phi.trace_term, quantity.symbol).has(c)]
        equations[conjugate] = _conjugate_equation(gradient, conjugate, phi)
    return SaddleSystem(
        free_entropy=phi,
        overlap_equations={x.symbol: overlaps[x.symbol] for x in symbols.ORDER_PARAMETERS},
        conjugate_equations={c: equations[c] for c in conjugates},
    )
