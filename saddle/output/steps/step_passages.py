"""Passages of a report on steps of replica-symmetry breaking: transitions, solutions, what their errors cover."""

from __future__ import annotations

from replica.reports.passages import Heading, Paragraph, Passage, Table
from saddle.branches.branch import SolvedPoint
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.diagram.steps.step_contents import StepContents
from saddle.output.steps.measured_number import measured

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
                measured(one.alpha, one.error),
                measured(one.symmetric.alpha, one.symmetric.error),
                measured(one.shift, one.shift_error) if one.shift else "none",
            )
            for name, one in contents.transitions.items()
        )
        header = ("transition", rf"$\alpha$ with {count}", r"$\alpha$ of replica symmetry", "shift")
        caption = (
            "A shift is what replica symmetry is wrong by, as far as these steps say; its error is those of both added "
            "up. Errors of the last digits are in brackets."
        )
        passages.append(Table(header, rows, caption))
    rows = _solutions(contents)
    if rows:
        header = (
            "branch", r"$\alpha$", "$q$ by level, outermost first", r"change of $\Phi$", "change of the test error",
            "one step more",
        )  # fmt: skip
        caption = (
            "Solutions with a gap between overlaps; changes are relative to replica symmetry, with errors of the "
            "solution with steps. The last column is the replicon eigenvalue of every level, outermost first: where "
            "one is negative, that level splits on, and where it is zero within its error that is not known."
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
            levels, errors = point.state.levels, point.state_errors
            errors = errors[: levels.size].reshape(levels.shape)
            overlaps = ", ".join(measured(*both) for both in zip(levels.mean(axis=1), errors.mean(axis=1), strict=True))
            known = zip(point.stability.eigenvalues, point.stability.errors, strict=True)
            values = ", ".join(measured(*both) for both in known) or "not known"
            changes = (_change(point, x) for x in ("free_entropy", "test_error"))
            rows.append((name, f"${point.alpha:.4g}$", overlaps, *changes, values))
    return rows


def _change(point: BrokenSymmetryPoint, name: str) -> str:
    """Return by how much of itself steps change a number, with the error that it has with steps."""
    symmetric = float(getattr(point.symmetric, name))
    return measured(getattr(point, name) / symmetric - 1.0, point.error[name] / abs(symmetric))


def _plain(text: str) -> str:
    """Return a sentence of the solver without what formats would read as markup."""
    return text.replace("alpha_c", SYMBOLS["alpha_c"]).replace("alpha_l", SYMBOLS["alpha_l"]).replace("%", "per cent")
