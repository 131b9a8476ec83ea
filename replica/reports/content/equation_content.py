"""Passages on the equations: derivation, free entropy, saddle-point equations of every sector, observables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.spectrum_average import spectrum_average
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.quantities import symbols
from replica.reports.passages import Equation, Heading, Paragraph, Passage, Table
from replica.reports.typesetting.parameter_letters import parameter_letters, parameter_meaning
from replica.reports.typesetting.printing import ReportPrinter
from replica.steps.step import DerivationStep
from replica.symmetry.reduced_system import reduced_system, vanishing_conjugates, vanishing_order_parameters
from replica.symmetry.sectors import Sector

__all__ = [
    "derivation_passages",
    "family_passages",
    "free_entropy_equation",
    "free_entropy_passages",
    "observable_passages",
    "parameter_passages",
    "saddle_passages",
    "sector_equations",
    "sector_passages",
]


def derivation_passages(steps: Iterable[DerivationStep], printer: ReportPrinter) -> list[Passage]:
    """Return the steps of a derivation."""
    found: list[Passage] = []
    for step in steps:
        found += [Heading(step.title, 2), Paragraph(_with_citations(step.text))]
        found += _step_equations(step, printer)
    return [Heading("Derivation"), *found] if found else []


def _with_citations(text: str) -> str:
    """Return a step's text with references to what it uses."""
    return text.replace("(Price's theorem)", "(Price's theorem {cite:price1958})")


def _step_equations(step: DerivationStep, printer: ReportPrinter) -> list[Equation]:
    return [printer.equation(_slug(f"{step.name}-{x.label}"), x.left, x.right) for x in step.equations]


def family_passages(step: DerivationStep, printer: ReportPrinter) -> list[Passage]:
    """Return the symmetries of a model and the equations of every family of solutions."""
    return [Heading("Symmetries and families of solutions"), Paragraph(step.text), *_step_equations(step, printer)]


def free_entropy_passages(
    system: SaddleSystem, printer: ReportPrinter, fields: Callable[[FreeEntropy, ReportPrinter], list[Passage]]
) -> list[Passage]:
    """Return Phi, the envelope and the law of the fields."""
    phi = system.free_entropy
    running = _running(printer, system)
    quadratic = phi.channel.objective - phi.channel.loss
    envelope = running.equation(
        "moreau",
        r"\mathcal{M}(w, V, h^{\star})",
        rf"\min_{{z}} \left\{{ {running.doprint(quadratic)} + \ell(z, h^{{\star}}) \right\}}",
    )
    return [
        Heading("Free entropy"),
        Paragraph(
            r"Order parameters are shared by tokens of equal covariance; conjugates are summed over them, that of $m$ "
            r"with weights $c_l$. To be made stationary in all of them:"
        ),
        free_entropy_equation(phi, printer),
        Paragraph(
            r"Here $\mathcal{M}$ is the Moreau envelope of the loss, attained at the proximal point $z^{\star}$,"
        ),
        replace(envelope, symbols=frozenset(quadratic.free_symbols - set(phi.channel.proximal_point))),
        *_intermediates(system, printer, "where"),
        *fields(phi, printer),
    ]


def free_entropy_equation(phi: FreeEntropy, printer: ReportPrinter) -> Equation:
    """Return Phi as the sum of its three terms."""
    # For ranks above one in terms of the abbreviations that follow.
    prior = spectrum_average(phi.prior.integrand, phi.model.token_law.atom_symbols)
    channel = -symbols.ALPHA.symbol * phi.average_envelope
    return printer.equation("free-entropy", r"\Phi", (phi.trace_term, prior, channel))


def _running(printer: ReportPrinter, system: SaddleSystem) -> ReportPrinter:
    """Return a printer for which z is an argument that is minimised over, without its star."""
    plain = {z: f"z_{{{z.name.removeprefix('z_')}}}" for z in system.free_entropy.channel.proximal_point}
    return printer.with_names(plain)


def _intermediates(system: SaddleSystem, printer: ReportPrinter, prefix: str) -> list[Passage]:
    """Return what equations are abbreviated with, if anything."""
    known = system.intermediates
    equations = [printer.equation(f"{prefix}-{_slug(x)}", x, value) for x, value in known.items()]
    return [Paragraph("With the abbreviations"), *equations] if equations else []


def _slug(name: sp.Symbol | str) -> str:
    return str(name).replace("_", "-").replace(" ", "-")


def saddle_passages(system: SaddleSystem, printer: ReportPrinter) -> list[Passage]:
    """Return the saddle-point equations in general."""
    return [
        Heading("Saddle-point equations"),
        Paragraph("Stationarity in the conjugates gives the order parameters,"),
        *(printer.equation(f"saddle-{_slug(x)}", x, value) for x, value in system.overlap_equations.items()),
        Paragraph(
            "and stationarity in the order parameters (Price's theorem, integration by parts, envelope theorem) gives "
            "the conjugates,"
        ),
        *(printer.equation(f"saddle-{_slug(x)}", x, value) for x, value in system.conjugate_equations.items()),
    ]


def sector_equations(
    system: SaddleSystem, sector: Sector
) -> tuple[tuple[sp.Symbol, ...], dict[sp.Symbol, sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Return what vanishes in a sector, and the equations left of order parameters and of conjugates."""
    vanishing = (*vanishing_order_parameters(system, sector), *vanishing_conjugates(system, sector))
    return vanishing, *reduced_system(system, sector)


def sector_passages(system: SaddleSystem, printer: ReportPrinter, sectors: Sequence[Sector]) -> list[Passage]:
    """Return the equations of every sector in which something vanishes."""
    passages: list[Passage] = [
        Heading("Sectors"),
        Paragraph(
            "Reversing the student's weights and reversing the teacher's are symmetries. Solutions that they "
            "leave alone "
            "lie in sectors, where the equations below are left; those of the mixed sector are the general ones."
        ),
    ]
    for sector in sectors:
        zero, overlaps, conjugates = sector_equations(system, sector)
        if not zero:
            continue
        listed = " = ".join(printer.doprint(x) for x in zero)
        passages += [
            Heading(f"{sector.name.capitalize()} sector", 2),
            Paragraph(
                f"Here ${listed} = 0$, which solves the equations of these by symmetry: both sides are odd. The "
                f"others are"
            ),
        ]
        for x, value in (*overlaps.items(), *conjugates.items()):
            passages.append(printer.equation(f"{sector.name}-{_slug(x)}", x, value))
    return passages


def observable_passages(system: SaddleSystem, printer: ReportPrinter) -> list[Passage]:
    """Return training loss and test error."""
    phi = system.free_entropy
    (loss_average,) = system.training_loss.atoms(GaussianAverage)
    (test_average,) = system.test_error.atoms(GaussianAverage)
    stands_for = {"training": sp.Symbol("average_loss_at_z"), "test": sp.Symbol("average_loss_at_w")}
    own = printer.with_names(
        {stands_for["training"]: r"\mathbb{E}[\ell(z^{\star}, h^{\star})]",
         stands_for["test"]: r"\mathbb{E}[\ell(w, h^{\star})]"}
    )  # fmt: skip
    placeholders = set(stands_for.values())
    ridge = sp.simplify(system.training_loss - symbols.ALPHA.symbol * loss_average)
    training = own.equation("training-loss", r"\epsilon_{t}", (symbols.ALPHA.symbol * stands_for["training"], ridge))
    at_fields = phi.channel.loss.xreplace(dict(zip(phi.channel.proximal_point, phi.channel.fields, strict=True)))
    test = printer.equation("test-error", r"\epsilon_{g}", system.test_error)
    if sp.expand(test_average.integrand - at_fields) == 0:
        test = own.equation(
            "test-error", r"\epsilon_{g}", system.test_error.xreplace({test_average: stands_for["test"]})
        )
    return [
        Heading("Observables"),
        Paragraph(
            r"The training loss per dimension tends to $\epsilon_{t} = -\Phi$ of the solution. By a second route, "
            r"which "
            r"agrees with the first at every solution,"
        ),
        Equation(training.label, training.left, training.lines, training.symbols - placeholders),
        Paragraph(r"The test error per token, of a sample that was not trained on, is"),
        Equation(test.label, test.left, test.lines, test.symbols - placeholders),
    ]


def parameter_passages(
    system: SaddleSystem, values: Mapping[str, float], left_out: Collection[str] = ()
) -> list[Passage]:
    """Return the table of the model's parameters, without some of them."""
    parameters = [x for x in system.free_entropy.parameters if x.name not in left_out]
    letters = parameter_letters(system.free_entropy.parameters)
    rows = tuple(
        (parameter_meaning(x, letters[x.name]), f"${letters[x.name]}$", f"{values[x.name]:g}") for x in parameters
    )
    return [Heading("Parameters"), Table(("parameter", "symbol", "value"), rows)]
