"""What a user may choose of a report, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.common.checked_arguments import checked_items, checked_number, quoted
from replica.common.errors import InvalidArgument
from replica.reports.formats.label_prefix import label_prefix
from replica.reports.formats.pdf import require_pdflatex
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming
from replica.reports.typesetting.parameter_letters import own_parameters, parameter_letters

if TYPE_CHECKING:
    from replica.hierarchy.theory import HierarchicalTheory
    from replica.theory import Theory

__all__ = ["DEFAULT_FORMATS", "FORMATS", "ReportChoices", "ReportOptions"]

FORMATS = ("latex", "markdown", "html", "pdf")
DEFAULT_FORMATS = ("latex", "markdown", "html")
# The widest part that cannot be broken has to fit: one fraction of a channel equation.
LEAST_WIDTH = 20.0


@dataclass(frozen=True)
class ReportChoices:
    """Checked options: formats, names, how labels begin, width of a line in ems, parts in their order."""

    formats: tuple[str, ...]
    naming: Naming
    prefix: str
    line_width: float
    parts: tuple[str, ...]


@dataclass(frozen=True)
class ReportOptions:
    """What a user chooses; see :meth:`saddle.PhaseDiagram.report`."""

    formats: Sequence[str] = DEFAULT_FORMATS
    latex_names: Mapping[str, str] | None = None
    prefix: str | None = None
    line_width: float = LINE_WIDTH
    macros: Mapping[str, str] | None = None
    parts: Sequence[str] | None = None

    def checked(self, theory: Theory | HierarchicalTheory, parts: Sequence[str]) -> ReportChoices:
        """Return the choices if they can be met for a model's report, which has some parts.

        Raises
        ------
        InvalidArgument
            If not; the message quotes what is refused.
        """
        formats = _several("formats", self.formats, FORMATS)
        prefix = label_prefix(theory) if self.prefix is None else self.prefix
        if (
            not isinstance(prefix, str)
            or not prefix
            or not all(c.isascii() and (c.isalnum() or c in "-:.") for c in prefix)
        ):
            raise InvalidArgument(f"prefix must consist of letters, digits, '-', ':' and '.', got {quoted(prefix)}")
        width = checked_number("line_width", self.line_width)
        if not LEAST_WIDTH <= width <= LINE_WIDTH:
            raise InvalidArgument(f"line_width must lie between {LEAST_WIDTH:g} and {LINE_WIDTH:g} ems, got {width!r}")
        chosen = parts if self.parts is None else _several("parts", self.parts, parts)
        if "pdf" in formats:
            require_pdflatex()
        letters = parameter_letters(theory.loss_model.parameters)
        own = {x.name: letters[x.name] for x in own_parameters(theory.loss_model.parameters)}
        naming = Naming.of(self.latex_names, self.macros, own)
        return ReportChoices(formats, naming, prefix, width, tuple(x for x in parts if x in chosen))


def _several(argument: str, given: object, choices: Sequence[str]) -> tuple[str, ...]:
    """Return names from a list of choices, at least one."""
    listed = ", ".join(choices)
    chosen = (given,) if isinstance(given, str) else tuple(checked_items(argument, given, f"a sequence of {listed}"))
    for name in chosen:
        if not isinstance(name, str) or name not in choices:
            raise InvalidArgument(f"{argument}: there is no {quoted(name)} of a report; choose from {listed}")
    if not chosen:
        raise InvalidArgument(f"{argument} must name at least one of {listed}, got {given!r}")
    return chosen
