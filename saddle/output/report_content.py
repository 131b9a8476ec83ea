"""Passages on results: transitions, phases, the linear baseline, figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from replica.quantities.symbols import parameter
from replica.reports.passages import Equation, Figure, Heading, Line, Paragraph, Passage, Table
from replica.symmetry.families import families_of
from saddle.averages.rules.sobol import SobolRule
from saddle.output.report_check import RULE, check_equations
from saddle.output.tables import replica_symmetry, transition_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines import Baseline
    from replica.equations.saddle_system import SaddleSystem
    from saddle.branches.branch import SolvedPoint
    from saddle.diagram.contents import DiagramContents
    from saddle.diagram.steps.step_contents import StepContents

__all__ = ["FIGURE_STEM", "baseline_passages", "check_passages", "figure_passages", "transition_passages"]

FIGURE_STEM = "phase_diagram"
STEPS_DRAWN = (
    " Diamonds: solutions with steps of replica-symmetry breaking, open where replica symmetry holds; triangles: "
    "transitions with steps."
)


def baseline_passages(diagram: DiagramContents, baselines: Sequence[Baseline]) -> list[Passage]:
    """Return what attention is compared with: the linear positional layer and its value, and a table of all."""
    baseline = diagram.linear_baseline
    if baseline is None:
        return []
    # Printed, and so to be defined.
    sigma, error = (
        frozenset({parameter("sigma")}),
        r"\frac{\sigma^{2}}{L}\, \mathbb{E}\,\mathrm{Tr}\bigl[(T - W)(T - W)^{\top}\bigr]",
    )
    meaning = ""
    if diagram.model.spectrum is not None:
        sigma, error = frozenset(), r"\frac{1}{L}\, \mathbb{E}\,\mathrm{Tr}\bigl[(T - W) R\, (T - W)^{\top}\bigr]"
        meaning = r", where $R$ is the diagonal matrix of the tokens' mean eigenvalues"
    return [
        Heading("Baselines"),
        Paragraph(
            r"The best layer $W x$ that mixes tokens by position alone has $L^2$ parameters, which $n \propto d$ "
            r"samples determine. Its test error per token does not depend on $\alpha$:"
        ),
        Equation("baseline-matrix", "W", (Line(r"= \mathbb{E}[T(h^{\star})],"),)),
        Equation(
            "baseline-error",
            r"\epsilon_{\mathrm{lin}}",
            (Line(f"= {error} ."),),
            sigma,
        ),
        Paragraph(
            rf"Here $\epsilon_{{\mathrm{{lin}}}} = {_power(f'{baseline.test_error:.8g}')}$, with a quadrature error of "
            rf"${_power(f'{baseline.error:.0e}')}${meaning}."
        ),
        _baseline_table(diagram, baselines),
    ]


def _baseline_table(diagram: DiagramContents, baselines: Sequence[Baseline]) -> Table:
    """Return test errors of baselines, and from which alpha on the global minimum beats each."""
    rows = []
    for baseline in baselines:
        ends = [_power(f"{baseline.test_error_at(float(alpha)):.6g}") for alpha in diagram.alpha[[0, -1]]]
        error = f"${ends[0]}$" if baseline.constant else f"${ends[0]}$ to ${ends[1]}$"
        crossing = diagram.crossing(baseline)
        beaten = "the lower end on" if crossing.from_start else "nowhere in this range"
        if crossing.transition is not None:
            beaten = f"${crossing.transition.alpha:.5f}$"
        rows.append((baseline.name, error, beaten))
    caption = (
        rf"What attention is compared with, for ${diagram.alpha[0]:g} \le \alpha \le {diagram.alpha[-1]:g}$; an error "
        r"that depends on $\alpha$ is given at both ends."
    )
    header = ("baseline", "test error per token", r"beaten by the global minimum from $\alpha$")
    return Table(header, tuple(rows), caption)


def _power(number: str) -> str:
    """Return a number in e-notation as LaTeX."""
    mantissa, _, exponent = number.partition("e")
    if not exponent:
        return mantissa
    factor = "" if mantissa == "1" else rf"{mantissa} \times "
    return rf"{factor}10^{{{int(exponent)}}}"


def _transition_table(diagram: DiagramContents) -> Table:
    symbols = {"alpha_c": r"$\alpha_{c}$", "alpha_l": r"$\alpha_{l}$"}
    rows = []
    for name, kind, alpha, error, between in transition_rows(diagram):
        size, _, remark = error.partition(" ")
        shown = f"${_power(size)}$ {remark}".strip()
        rows.append((symbols.get(name, name.replace("->", r"$\to$")), kind, alpha, shown, between))
    return Table(("transition", "kind", r"$\alpha$", "error", "between"), tuple(rows))


def transition_passages(diagram: DiagramContents) -> list[Passage]:
    """Return the transitions with their errors, the reasons for missing ones, and the phases."""
    low, high = diagram.alpha[0], diagram.alpha[-1]
    sampling = " on Sobol points {cite:sobol1967}" if isinstance(diagram.rule, SobolRule) else ""
    passages: list[Passage] = [
        Heading("Transitions"),
        Paragraph(
            rf"Found for ${low:g} \le \alpha \le {high:g}$, on a quadrature rule{sampling} ten times finer than the "
            "branches'; errors are from embedded rules, propagated to first order. Computed with the software "
            "{cite:attention-phase}."
        ),
    ]
    if diagram.transitions:
        passages.append(_transition_table(diagram))
    passages += [Paragraph(_reason(name, reason)) for name, reason in diagram.reasons.items()]
    phases = "; ".join(
        rf"{phase.branch or 'not known'} for ${phase.low:.5g} \le \alpha \le {phase.high:.5g}$"
        + (f" ({_with_symbols(phase.reason)})" if phase.branch is None else "")
        for phase in diagram.phases
    )
    passages.append(Paragraph(f"The global minimum of the training loss, among the branches found, is: {phases}."))
    passages.append(Paragraph(_audit_sentence(diagram)))
    rows = tuple((branch.name, _with_symbols(replica_symmetry(branch))) for branch in diagram.branches.values())
    passages.append(Table(("branch", "replica symmetry"), rows))
    return passages


def _audit_sentence(diagram: DiagramContents) -> str:
    """Say where solutions were looked for that no branch leads to."""
    audit = diagram.audit
    if audit.obstacle:
        return f"There is no ground state: {audit.obstacle}."
    if not audit.points:
        return "It was not audited."
    # Each value is a formula of its own: TeX breaks no line inside a formula after a comma.
    places = ", ".join(f"${alpha:.4g}$" for alpha in audit.alphas)
    missing = "; ".join(text for point in audit.points for text in point.missing)
    found = f"what is missing: {_with_symbols(missing)}" if missing else "no solution of larger free entropy is missing"
    unfinished = "" if audit.complete else " The search was interrupted."
    return (
        rf"Solutions that no branch leads to were looked for from {audit.starts} starts at these $\alpha$: {places}; "
        f"{found}.{unfinished}"
        + (f" {_with_symbols(audit.said_unknown).capitalize()}." if audit.unknown else "")
        + (f" {_with_symbols(audit.unseen).capitalize()}." if audit.unseen else "")
    )


def _reason(name: str, reason: str) -> str:
    if name == "interrupted":
        return f"{reason.capitalize()}."
    shown = {"alpha_c": r"$\alpha_{c}$", "alpha_l": r"$\alpha_{l}$"}.get(name, name)
    return f"There is no {shown}: {_with_symbols(reason)}."


def _with_symbols(text: str) -> str:
    """Return a sentence of the solver with its symbols as mathematics."""
    text = re.sub(r"\balpha_([cl])\b", r"$\\alpha_{\1}$", text)
    text = re.sub(r"\balpha( = [\d.]+)?", lambda found: rf"$\alpha{found[1] or ''}$", text)
    return re.sub(r"\bPhi\b", r"$\\Phi$", text)


def figure_passages(diagram: DiagramContents, steps: StepContents | None = None) -> list[Passage]:
    """Return the figure of the diagram."""
    from saddle.output.figures.diagram_figure import parameter_title

    return [
        Figure(
            FIGURE_STEM,
            r"Overlaps, training loss and test error of all branches found, against $\alpha$, at "
            rf"{parameter_title(diagram)}. Solid lines: stable under damped state evolution; dashed: unstable."
            + ("" if steps is None else STEPS_DRAWN),
        )
    ]


def _points(diagram: DiagramContents) -> list[SolvedPoint]:
    """Return a solution of every sector, at the grid point nearest to alpha_c, or to the middle of the range."""
    middle = 0.5 * float(diagram.alpha[0] + diagram.alpha[-1])
    wanted = middle if diagram.alpha_c is None else diagram.alpha_c.alpha
    points = []
    for family in families_of(diagram.model.structure.layout):
        branch = diagram.branches.get(family)
        if branch is not None and branch.distinct.any():
            grid = branch.alpha[branch.distinct]
            points.append(branch.at(float(grid[np.argmin(np.abs(grid - wanted))])))
    return points


def check_passages(diagram: DiagramContents, system: SaddleSystem) -> list[Passage]:
    """Return tables that compare the printed equations with what the kernel computes, at a solution per sector.

    For models whose order parameters are numbers and whose covariances have no spectrum; nothing for others, whose
    equations are tested, but not with every report.
    """
    structure = diagram.model.structure
    if max(structure.rank, structure.teacher_rank, structure.directions) > 1 or not structure.isotropic:
        return []
    passages: list[Passage] = [
        Heading("Check of the printed equations"),
        Paragraph(
            "Every right-hand side of a sector's equations (of the general ones in the mixed sector), evaluated "
            "with 30 "
            "digits from the expression that is printed above, next to the compiled code that the solutions come from. "
            rf"Averages are taken on the same {RULE.points * RULE.scrambles} Sobol points {{cite:sobol1967}} in "
            rf"both; the "
            "last column is the relative difference between this small rule and the solution's own."
        ),
    ]
    for point in _points(diagram):
        rows = tuple(
            (
                f"${check.name}$",
                f"${_power(f'{check.kernel:.10g}')}$",
                f"${_power(f'{max(check.difference, 1e-16):.0e}')}$",
                "" if check.quadrature is None else f"${_power(f'{check.quadrature:.0e}')}$",
            )
            for check in check_equations(system, point)
        )
        caption = rf"{point.sector.name.capitalize()} solution at $\alpha = {point.alpha:.6g}$:"
        passages.append(
            Table(("right-hand side of", "compiled code", "relative difference", "quadrature"), rows, caption)
        )
    return passages
