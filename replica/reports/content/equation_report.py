"""The whole report: content in order, the definitions of what it uses, and the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.model.attention_model import AttentionModel
from replica.model.multi_index_model import MultiIndexModel
from replica.model.sample_class import names_of_classes
from replica.reports.content.class_content import class_passages, class_table
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
from replica.reports.content.sample_words import passage_in_words_of
from replica.reports.passages import Heading, Passage, Table
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming
from replica.reports.typesetting.printing import ReportPrinter
from replica.reports.typesetting.widths import typeset_width

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = ["PARTS", "EquationReport", "definition_passages", "equation_report"]


PARTS = ("model", "symbols", "derivation", "free entropy", "saddle point", "sectors", "observables", "parameters")
"""What a report of equations consists of, in order."""

# Besides the model: what goes into a paper's text.
_EQUATIONS = ("free entropy", "saddle point", "sectors", "observables")


@dataclass(frozen=True)
class EquationReport:
    """The passages of a report on a saddle-point system, in the table's letters, without the results.

    Attributes
    ----------
    sections
        Passages by the names of their parts, in order; the part "symbols" is made of what the others use.
    glossary
        The symbols that may be used.
    """

    sections: Mapping[str, tuple[Passage, ...]]
    glossary: Glossary

    @property
    def model(self) -> tuple[Passage, ...]:
        """The model, before the place of the definitions."""
        return self._of("model")

    @property
    def derivation(self) -> tuple[Passage, ...]:
        """The derivation's steps."""
        return self._of("derivation")

    @property
    def equations(self) -> tuple[Passage, ...]:
        """Free entropy, saddle-point equations and observables."""
        return self._of(*_EQUATIONS)

    @property
    def parameters(self) -> tuple[Passage, ...]:
        """The table of parameters."""
        return self._of("parameters")

    def _of(self, *parts: str) -> tuple[Passage, ...]:
        return tuple(x for part in parts for x in self.sections.get(part, ()))

    def with_results(self, results: Sequence[Passage], naming: Naming, parts: Sequence[str] = PARTS) -> list[Passage]:
        """Return some parts, by default all, and results behind them, in the user's letters.

        The part "symbols" defines what the others use; on its own, what all of them would.
        """
        others = [x for x in PARTS if x in parts and x != "symbols"]
        passages = [*self._of(*others), *results]
        start = len(self._of("model")) if "model" in parts else 0
        if "symbols" in parts:
            passages[start:start] = definition_passages(self.glossary, passages or self._of(*PARTS))
        return [naming.rename_passage(x) for x in passages]

    def fragments(self, naming: Naming, parts: Sequence[str] = PARTS) -> dict[str, list[Passage]]:
        """Return what goes into a paper, by names of files: model and equations; the derivation, for an appendix."""
        files = {"equations.tex": ("model", "symbols", *_EQUATIONS), "derivation.tex": ("derivation",)}
        found = {name: self.with_results((), naming, [x for x in own if x in parts]) for name, own in files.items()}
        return {name: passages for name, passages in found.items() if passages}


def definition_passages(glossary: Glossary, passages: Iterable[Passage]) -> list[Passage]:
    """Return the table of the symbols that passages use."""
    used: tuple[Definition, ...] = glossary.used(passages)
    rows = tuple((f"${x.shown}$", x.meaning) for x in used)
    return [Heading("Symbols"), Table(("symbol", "meaning"), rows)]


def named_width(naming: Naming) -> Callable[[str], float]:
    """Return a measure of LaTeX as it will be printed, with the user's names, with and without macros."""
    if not naming.macros:
        return lambda latex: typeset_width(naming.rename(latex))
    return lambda latex: max(typeset_width(naming.rename(latex)), typeset_width(naming.plain.rename(latex)))


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
    numbers: list[Passage] = []
    classes: list[Passage] = []
    if isinstance(derivation.model, AttentionModel | MultiIndexModel):
        classes = class_passages(derivation.model)
        numbers += parameter_passages(system, values, names_of_classes(derivation.model))
        numbers += class_table(system, derivation.model)
        numbers += atom_passages(derivation.model.atoms, printer)
    families_of = sector_passages(system, printer, derivation.sectors) if plain else family_passages(families, printer)
    sections: dict[str, tuple[Passage, ...]] = {
        "model": (*(model_passages(phi, printer) if plain else general_model_passages(phi, printer)), *classes),
        "derivation": tuple(derivation_passages(steps, printer)),
        "free entropy": tuple(
            free_entropy_passages(system, printer, field_passages if plain else general_field_passages)
        ),
        "saddle point": tuple(saddle_passages(system, printer)),
        "sectors": tuple(families_of),
        "observables": tuple(observable_passages(system, printer)),
        "parameters": tuple(numbers),
    }
    told = {part: tuple(passage_in_words_of(model, x) for x in passages) for part, passages in sections.items()}
    return EquationReport(told, Glossary(model))
