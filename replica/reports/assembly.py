"""The whole report: content in order, the definitions of what it uses, and the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from replica.reports.blocks import Block, Heading, Table
from replica.reports.definitions import Definition, Glossary
from replica.reports.equation_content import (
    DerivationStep,
    derivation_blocks,
    free_entropy_blocks,
    observable_blocks,
    parameter_blocks,
    saddle_blocks,
    sector_blocks,
)
from replica.reports.line_breaking import LINE_WIDTH
from replica.reports.model_content import model_blocks
from replica.reports.naming import Naming
from replica.reports.printing import ReportPrinter
from replica.reports.widths import typeset_width
from replica.saddle_equations import SaddleSystem

__all__ = ["EquationReport", "definition_blocks", "equation_report"]


@dataclass(frozen=True)
class EquationReport:
    """The blocks of a report on a saddle-point system, in the table's letters, without the results.

    Attributes
    ----------
    model, equations, parameters
        Blocks before and after the place of the definitions, and the table of parameters.
    glossary
        The symbols that may be used.
    """

    model: tuple[Block, ...]
    equations: tuple[Block, ...]
    parameters: tuple[Block, ...]
    glossary: Glossary

    def with_results(self, results: Sequence[Block], naming: Naming) -> list[Block]:
        """Return the whole report: definitions of what it uses added, in the user's letters."""
        used = (*self.model, *self.equations, *self.parameters, *results)
        definitions = definition_blocks(self.glossary, used)
        return [naming.rename_block(x) for x in (*self.model, *definitions, *used[len(self.model) :])]

    def theory_only(self, naming: Naming) -> list[Block]:
        """Return model, definitions and equations, as they go into a paper."""
        definitions = definition_blocks(self.glossary, (*self.model, *self.equations))
        return [naming.rename_block(x) for x in (*self.model, *definitions, *self.equations)]


def definition_blocks(glossary: Glossary, blocks: Iterable[Block]) -> list[Block]:
    """Return the table of the symbols that blocks use."""
    used: tuple[Definition, ...] = glossary.used(blocks)
    rows = tuple((f"${x.shown}$", x.meaning) for x in used)
    return [Heading("Symbols"), Table(("symbol", "meaning"), rows)]


def named_width(naming: Naming) -> Callable[[str], float]:
    """Return a measure of LaTeX as it will be printed, with the user's names."""
    return lambda latex: typeset_width(naming.rename(latex))


def equation_report(
    system: SaddleSystem,
    parameter_values: Mapping[str, float],
    naming: Naming | None = None,
    derivation: Iterable[DerivationStep] | None = None,
    line_width: float = LINE_WIDTH,
) -> EquationReport:
    """Return the report of a saddle-point system.

    Parameters
    ----------
    system
        The equations; the same object that generates the kernel.
    parameter_values
        Values of the model's parameters by name.
    naming
        The user's names; lines are broken for them.
    derivation
        The derivation's steps, if they are to be shown.
    line_width
        What a line of an equation may take, in ems.
    """
    structure = system.free_entropy.structure
    printer = ReportPrinter(structure, measure=named_width(naming or Naming.of(None)), width=line_width)
    return EquationReport(
        model=tuple(model_blocks(system.free_entropy, printer)),
        equations=(
            *derivation_blocks(derivation or (), printer),
            *free_entropy_blocks(system, printer),
            *saddle_blocks(system, printer),
            *sector_blocks(system, printer),
            *observable_blocks(system, printer),
        ),
        parameters=tuple(parameter_blocks(system, parameter_values)),
        glossary=Glossary(structure),
    )
