r"""Steps to the saddle-point equations: stationarity, all equations, families of solutions (theory notes, sec. 4)."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, integrate_by_parts, use_envelope_theorem
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.steps.step import DerivationStep, DisplayedEquation
from replica.symmetry.reduced_system import reduced_system, vanishing_order_parameters
from replica.symmetry.sectors import Sector
from replica.symmetry.symmetries import Symmetries

__all__ = ["saddle_point", "sectors", "stationarity"]


def stationarity(phi: FreeEntropy) -> DerivationStep:
    """Apply Price's theorem, Stein's lemma and the envelope theorem to the first order parameter."""
    x = phi.order_parameters[0]
    by_price = sp.diff(phi.average_envelope, x.symbol)
    assert isinstance(by_price, GaussianAverage)
    by_stein = integrate_by_parts(by_price, phi.envelope, phi.channel.fields)
    explicit = _tidy(use_envelope_theorem(by_stein, phi.envelope, phi.channel.objective, phi.channel.slope))
    derivative = rf"\partial_{{{x.latex}}} \mathbb{{E}}[\mathcal{{M}}]"
    return DerivationStep(
        "stationarity",
        "Stationarity of the channel term",
        r"Derivatives of a Gaussian average with respect to means and covariances are averages of derivatives (Price's "
        r"theorem). Second derivatives of the envelope, which has kinks, are traded for factors of the fields (Stein's "
        r"lemma), and first derivatives are partial derivatives at the proximal point (envelope theorem). For "
        rf"${x.latex}$, these three in turn:",
        (
            DisplayedEquation("price", derivative, by_price),
            DisplayedEquation("stein", derivative, _tidy(by_stein)),
            DisplayedEquation("envelope", derivative, explicit),
        ),
    )


def _tidy(average: GaussianAverage) -> GaussianAverage:
    """Bring every term of an integrand over one denominator."""
    terms = (sp.factor_terms(sp.together(term)) for term in sp.Add.make_args(average.integrand))
    return GaussianAverage(sp.Add(*terms), average.law)


def saddle_point(system: SaddleSystem) -> DerivationStep:
    """List all equations."""
    equations = [DisplayedEquation(f"where-{x}", x, value) for x, value in system.intermediates.items()]
    equations += [DisplayedEquation(f"saddle-{x}", x, value) for x, value in system.overlap_equations.items()]
    equations += [DisplayedEquation(f"saddle-{x}", x, value) for x, value in system.conjugate_equations.items()]
    return DerivationStep(
        "saddle point",
        "Saddle-point equations",
        r"Stationarity in the conjugates gives the order parameters in closed form, stationarity in the order "
        r"parameters gives the conjugates as averages over fields:",
        tuple(equations),
    )


def sectors(system: SaddleSystem, group: Symmetries, found: Sequence[Sector]) -> DerivationStep:
    """List the symmetries of the model and the reduced equations of every family of solutions."""
    names = "; ".join(x.name for x in group.generators) or "none"
    rotation = (
        r" The student's columns may also be rotated, $Q \to QR$, so that solutions come in continuous families."
        if group.rotations
        else ""
    )
    latex = {x.symbol: x.latex for x in system.order_parameters}
    equations, families = [], []
    for sector in found:
        vanishing = vanishing_order_parameters(system, sector)
        if not vanishing:
            # All equations as they are.
            families.append(f"{sector.name} (nothing vanishes)")
            continue
        families.append(f"{sector.name} ({', '.join(f'${latex[x]}$' for x in sorted(vanishing, key=str))} = 0)")
        overlaps_, conjugates_ = reduced_system(system, sector)
        equations += [
            DisplayedEquation(f"{sector.name}-{x}", x, value) for x, value in {**overlaps_, **conjugates_}.items()
        ]
    return DerivationStep(
        "sectors",
        "Symmetries and families of solutions",
        rf"Symmetries found in loss, outputs and law of the tokens: {names}.{rotation} What a subgroup of them "
        r"reverses may vanish, and the equations of what vanishes are then satisfied identically, which defines "
        rf"families of solutions with equations of their own: {'; '.join(families)}.",
        tuple(equations),
    )
