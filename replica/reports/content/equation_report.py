"""The whole report: content in order, the definitions of what it uses, and the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from replica.reports.content.definitions import Definition, Glossary
from replica.reports.content.equation_content import (
    derivation_passages,
    family_passages,
    free_entropy_passages,
    observable_passages,
    parameter_passages,
    saddle_passages,
    sector_passages,
)
from replica.reports.content.general_model_content import atom_passages, general_field_passages, general_model_passages
from replica.reports.content.model_content import field_passages, model_passages
from replica.reports.passages import Heading, Passage, Table
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming
from replica.reports.typesetting.printing import ReportPrinter
from replica.reports.typesetting.widths import typeset_width

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["EquationReport", "definition_passages", "equation_report"]


@dataclass(frozen=True)
class EquationReport:
    """The passages of a report on a saddle-point system, in the table's letters, without the results.

    Attributes
    ----------
    model, derivation, equations, parameters
        Passages before the place of the definitions; the derivation's steps; free entropy, saddle-point equations and
        observables; the table of parameters.
    glossary
        The symbols that may be used.
    """

    model: tuple[Passage, ...]
    derivation: tuple[Passage, ...]
    equations: tuple[Passage, ...]
    parameters: tuple[Passage, ...]
    glossary: Glossary

    def with_results(self, results: Sequence[Passage], naming: Naming) -> list[Passage]:
        """Return the whole report: definitions of what it uses added, in the user's letters."""
        used = (*self.model, *self.derivation, *self.equations, *self.parameters, *results)
        definitions = definition_passages(self.glossary, used)
        return [naming.rename_passage(x) for x in (*self.model, *definitions, *used[len(self.model) :])]

    def fragments(self, naming: Naming) -> dict[str, list[Passage]]:
        """Return what goes into a paper, by names of files: model and equations; the derivation, for an appendix."""
        definitions = definition_passages(self.glossary, (*self.model, *self.equations))
        parts = {"equations.tex": (*self.model, *definitions, *self.equations), "derivation.tex": self.derivation}
        return {name: [naming.rename_passage(x) for x in part] for name, part in parts.items()}


def definition_passages(glossary: Glossary, passages: Iterable[Passage]) -> list[Passage]:
    """Return the table of the symbols that passages use."""
    used: tuple[Definition, ...] = glossary.used(passages)
    rows = tuple((f"${x.shown}$", x.meaning) for x in used)
    return [Heading("Symbols"), Table(("symbol", "meaning"), rows)]


def named_width(naming: Naming) -> Callable[[str], float]:
    """Return a measure of LaTeX as it will be printed, with the user's names."""
    return lambda latex: typeset_width(naming.rename(latex))


def equation_report(derivation: Theory, naming: Naming | None = None, line_width: float = LINE_WIDTH) -> EquationReport:
    """Return the report of a derivation.

    Parameters
    ----------
    derivation
        Its saddle-point system is the object that generates the kernel.
    naming
        The user's names; lines are broken for them.
    line_width
        What a line of an equation may take, in ems.
    """
    system, model = derivation.saddle_system, derivation.loss_model
    phi = derivation.free_entropy
    printer = ReportPrinter(model, measure=named_width(naming or Naming.of(None)), width=line_width)
    plain = model.structure is not None and model.structure.is_paper_kind
    # The last two steps are sections of their own.
    *steps, _, families = derivation.steps
    values = derivation.parameter_values
    numbers = [*parameter_passages(system, values)] if values else []
    if isinstance(derivation.model, AttentionModel | MultiIndexModel):
        numbers += atom_passages(derivation.model.atoms, printer)
    return EquationReport(
        model=tuple(model_passages(phi, printer) if plain else general_model_passages(phi, printer)),
        derivation=tuple(derivation_passages(steps, printer)),
        equations=(
            *free_entropy_passages(system, printer, field_passages if plain else general_field_passages),
            *saddle_passages(system, printer),
            *(sector_passages(system, printer, derivation.sectors) if plain else family_passages(families, printer)),
            *observable_passages(system, printer),
        ),
        parameters=tuple(numbers),
        glossary=Glossary(model),
    )
