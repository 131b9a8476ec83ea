"""Write the equation report of a solved diagram: equations from SymPy, transitions from the solver."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from replica.equation_report import Heading, Paragraph, Table, equation_blocks, render_latex, render_markdown
from replica.free_energy import build_free_entropy
from replica.saddle_equations import derive_saddle_system
from saddle.cache_folder import write_atomically

if TYPE_CHECKING:
    from saddle.phase_diagram import PhaseDiagram

__all__ = ["prepare_folder", "transition_rows", "write_report"]

TITLE = "Replica theory of dot-product attention"


def prepare_folder(folder: str | os.PathLike[str]) -> Path:
    """Return an output folder that exists and can be written.

    Raises
    ------
    ValueError
        If it cannot be made or written.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to the folder {str(path)!r}: {error.strerror}") from None
    return path


def transition_rows(diagram: PhaseDiagram) -> tuple[tuple[str, str, str, str, str], ...]:
    """Return name, kind, alpha, error and partners of every transition, as text."""
    return tuple(
        (
            name,
            transition.kind,
            f"{transition.alpha:.5f}",
            f"{transition.error:.1e}",
            " / ".join(transition.between),
        )
        for name, transition in diagram.transitions.items()
    )


def _report_rows(diagram: PhaseDiagram) -> tuple[tuple[str, ...], ...]:
    """Return the rows with symbols in mathematics."""
    symbols = {"alpha_c": r"$\alpha_c$", "alpha_l": r"$\alpha_l$"}
    return tuple((symbols.get(row[0], row[0].replace("->", r"$\to$")), *row[1:]) for row in transition_rows(diagram))


def _reason(name: str, reason: str) -> str:
    return f"{reason.capitalize()}." if name == "interrupted" else f"No {name}: {reason}."


def write_report(diagram: PhaseDiagram, folder: str | os.PathLike[str]) -> list[Path]:
    """Write ``equations.tex`` and ``equations.md`` to a folder and return their paths.

    Raises
    ------
    ValueError
        If the folder cannot be written.
    """
    target = prepare_folder(folder)
    blocks = equation_blocks(
        derive_saddle_system(build_free_entropy(diagram.model.structure)), diagram.model.parameter_values()
    )
    low, high = diagram.alpha[0], diagram.alpha[-1]
    blocks += [
        Heading("Transitions"),
        Paragraph(
            rf"Found for ${low:g} \le \alpha \le {high:g}$, on a quadrature rule ten times finer than the "
            "branches'; errors are from embedded rules, propagated to first order. "
            f"The linear positional baseline has test error {diagram.linear_baseline.test_error:.6g} per token."
        ),
        Table(("transition", "kind", r"$\alpha$", "error", "between"), _report_rows(diagram)),
        *(Paragraph(_reason(name, reason)) for name, reason in diagram.reasons.items()),
    ]
    files = {"equations.tex": render_latex(TITLE, blocks), "equations.md": render_markdown(TITLE, blocks)}
    for name, text in files.items():
        write_atomically(target / name, text)
    return [target / name for name in files]
