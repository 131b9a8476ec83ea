"""The saddle-point equations that are left in a sector, and that those of what vanishes there hold identically."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import SpectrumAverage, spectrum_average
from replica.equations.saddle_system import SaddleSystem
from replica.symmetry.finding import transformed_fields
from replica.symmetry.sectors import Sector
from replica.symmetry.signs import Signs, product
from replica.symmetry.symmetries import Symmetries, Symmetry

__all__ = ["reduced_system", "vanishing_conjugates", "vanishing_is_consistent", "vanishing_order_parameters"]


def vanishing_order_parameters(system: SaddleSystem, sector: Sector) -> tuple[sp.Symbol, ...]:
    """Return the order parameters that vanish in a sector."""
    return tuple(x.symbol for k, x in enumerate(system.order_parameters) if k not in sector.free)


def vanishing_conjugates(system: SaddleSystem, sector: Sector) -> tuple[sp.Symbol, ...]:
    """Return the conjugates at the same places: they vanish, too."""
    return tuple(x.symbol for k, x in enumerate(system.conjugates) if k not in sector.free)


def _zeros(system: SaddleSystem, sector: Sector) -> dict[sp.Symbol, sp.Expr]:
    vanishing = (*vanishing_order_parameters(system, sector), *vanishing_conjugates(system, sector))
    return dict.fromkeys(vanishing, sp.S.Zero)


def reduced_system(system: SaddleSystem, sector: Sector) -> tuple[dict[sp.Symbol, sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Return the equations of order parameters and of conjugates that do not vanish in a sector."""
    zeros = _zeros(system, sector)
    overlaps = {x: _at_zeros(value, zeros) for x, value in system.overlap_equations.items() if x not in zeros}
    conjugates = {x: _at_zeros(value, zeros) for x, value in system.conjugate_equations.items() if x not in zeros}
    return overlaps, conjugates


def _at_zeros(expression: sp.Expr, zeros: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    substituted = expression.xreplace(zeros)
    rules = {}
    for average in substituted.atoms(GaussianAverage):
        integrand = sp.Add(*(sp.factor_terms(x) for x in sp.Add.make_args(average.integrand)))
        rules[average] = GaussianAverage(integrand, average.law)
    rules |= {
        x: spectrum_average(sp.factor_terms(x.integrand), x.atom_symbols) for x in substituted.atoms(SpectrumAverage)
    }
    return substituted.xreplace(rules) if rules else sp.factor_terms(substituted)


def _kept(symmetries: Symmetries, sector: Sector) -> Iterator[tuple[Signs, tuple[Symmetry, ...]]]:
    """Yield the products of symmetries that leave all solutions of a sector where they are, with their signs."""
    generators = [x for x in symmetries.generators if x.signs]
    for count in range(1, len(generators) + 1):
        for chosen in itertools.combinations(generators, count):
            signs = product([x.signs for x in chosen])
            if all(signs[k] > 0 for k in sector.free):
                yield signs, chosen


def vanishing_is_consistent(
    system: SaddleSystem,
    sector: Sector,
    symmetries: Symmetries,
    values: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> bool:
    """Return whether the equations of what vanishes hold identically in a sector.

    Overlaps: their right sides vanish with the conjugates. Conjugates: each integrand is odd under one of the
    transformations of the fields that the sector's solutions keep, under which their law is even, so that its average
    vanishes. Renamings of tokens are symmetries at the encodings' values only, which are therefore to be given,
    exactly, where there are renamings.
    """
    zeros, known = _zeros(system, sector), dict(values or {})
    # Entries of inverses that couple what vanishes to what does not: written out, they vanish.
    for x in vanishing_order_parameters(system, sector):
        value = system.written_out(system.overlap_equations[x]).xreplace(zeros).xreplace(known)
        if sp.simplify(value.integrand if isinstance(value, SpectrumAverage) else value) != 0:
            return False
    kept = list(_kept(symmetries, sector))
    for k, hat in enumerate(system.conjugates):
        if k in sector.free:
            continue
        integrand = system.written_out(system.conjugate_integrand(hat.symbol)).xreplace(zeros).xreplace(known)
        # Those that leave it where it is cannot make it odd.
        reversing = (chosen for signs, chosen in kept if signs[k] < 0)
        if not any(_is_odd(system, integrand, chosen) for chosen in reversing):
            return False
    return True


def _is_odd(system: SaddleSystem, integrand: sp.Expr, chosen: Sequence[Symmetry]) -> bool:
    transformed = integrand
    for symmetry in chosen:
        transformed = transformed.subs(transformed_fields(system.free_entropy, symmetry), simultaneous=True)
    return sp.simplify(transformed + integrand) == 0
