"""Passages of a report on steps of replica-symmetry breaking: transitions, solutions, what their errors cover."""

from __future__ import annotations

import numpy as np

from replica.reports.passages import Heading, Paragraph, Passage, Table
from saddle.branches.branch import SolvedPoint
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.diagram.steps.step_contents import StepContents

__all__ = ["step_passages"]

SYMBOLS = {"alpha_c": r"$\alpha_{c}$", "alpha_l": r"$\alpha_{l}$"}


def step_passages(contents: StepContents, diagram_parts: bool = True) -> list[Passage]:
    """Return what is known with steps, beside what replica symmetry says.

    Parameters
    ----------
    diagram_parts
        Whether the report has the replica-symmetric transitions, too.
    """
    count = f"{contents.steps} step{'s' * (contents.steps > 1)}"
    passages: list[Passage] = [
        Heading("Beyond replica symmetry"),
        Paragraph(
            f"The same with {count} of replica-symmetry breaking at zero temperature, at the ground state. Errors are "
            "changes to other rules for averages over local fields, added up, and what was left of the equations. "
            f"They are errors of {count}: what more steps would change they do not cover."
            + (" The transitions above have errors of the quadrature of replica symmetry alone." * diagram_parts)
        ),
    ]
    if contents.transitions:
        rows = tuple(
            (
                SYMBOLS.get(name, name.replace("->", r"$\to$")),
                f"${one.alpha:.6f}$",
                f"${_power(one.error)}$",
                f"${one.symmetric.alpha:.6f}$",
                f"${_power(one.shift)}$" if one.shift else "none",
            )
            for name, one in contents.transitions.items()
        )
        header = ("transition", rf"$\alpha$ with {count}", "error", r"$\alpha$ of replica symmetry", "shift")
        passages.append(Table(header, rows, "A shift is what replica symmetry is wrong by, as far as these steps say."))
    rows = _solutions(contents)
    if rows:
        header = (
            "branch", r"$\alpha$", "$q$ by level, outermost first", r"change of $\Phi$", "change of the test error",
            "one step more",
        )  # fmt: skip
        caption = (
            "Solutions with a gap between overlaps; changes are relative to replica symmetry. The last column is the "
            "replicon eigenvalue of every level, outermost first: where one is negative, that level splits on."
        )
        passages.append(Table(header, tuple(rows), caption))
    symmetric = [
        rf"{name} at $\alpha = {point.alpha:.4g}$"
        for name, points in contents.branches.items()
        for point in points
        if isinstance(point, SolvedPoint)
    ]
    if symmetric:
        passages.append(
            Paragraph(
                r"No gap above $10^{-6}$ of the fields' variance ($2 \times 10^{-3}$ on grids), so that replica "
                f"symmetry holds or is broken too weakly to matter: {'; '.join(symmetric)}."
            )
        )
    passages += [
        Paragraph(f"Not found, {_plain(name)}: {_plain(reason)}.") for name, reason in contents.reasons.items()
    ]
    if not contents.complete:
        passages.append(Paragraph("The computation was interrupted."))
    return passages


def _solutions(contents: StepContents) -> list[tuple[str, ...]]:
    rows = []
    for name, points in contents.branches.items():
        for point in points:
            if not isinstance(point, BrokenSymmetryPoint):
                continue
            symmetric = point.symmetric
            overlaps = ", ".join(f"${x:.5f}$" for x in np.mean(point.state.levels, axis=1))
            phi, test = (getattr(point, x) / getattr(symmetric, x) - 1.0 for x in ("free_entropy", "test_error"))
            phi_error = point.free_entropy_error / abs(symmetric.free_entropy)
            values = ", ".join(r"$-\infty$" if x == -np.inf else f"${x:.3f}$" for x in point.stability.eigenvalues)
            values = values or "not known"
            rows.append(
                (
                    name,
                    f"${point.alpha:.4g}$",
                    overlaps,
                    rf"${_power(phi)} \pm {_power(phi_error)}$",
                    f"${_power(test)}$",
                    values,
                )
            )
    return rows


def _power(number: float) -> str:
    """Return a number of two digits as LaTeX."""
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def _plain(text: str) -> str:
    """Return a sentence of the solver without what formats would read as markup."""
    return text.replace("alpha_c", SYMBOLS["alpha_c"]).replace("alpha_l", SYMBOLS["alpha_l"]).replace("%", "per cent")
