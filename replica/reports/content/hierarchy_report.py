"""The report of k steps of replica-symmetry breaking: the derivation, and the symbols that it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from replica.hierarchy.theory import HierarchicalTheory
from replica.reports.content.definitions import Definition, Glossary
from replica.reports.content.equation_content import derivation_passages
from replica.reports.content.equation_report import definition_passages, named_width
from replica.reports.passages import Equation, Passage
from replica.reports.typesetting.hierarchy_printing import LEVEL_LETTERS, HierarchyPrinter, hierarchy_names
from replica.reports.typesetting.line_breaking import LINE_WIDTH
from replica.reports.typesetting.naming import Naming

__all__ = ["HIERARCHY_PARTS", "HierarchyGlossary", "hierarchy_passages"]

HIERARCHY_PARTS = ("symbols", "derivation")
"""What such a report consists of, in order."""

_WORDS = {
    r"\varphi": "phi", r"\Delta": "Delta", r"\chi": "chi", r"\delta": "delta", r"\hat{\delta}": "delta_hat",
}  # fmt: skip
_MEANINGS = {
    "q": ("q_{j}", r"order parameter: $Q_a^\top \Sigma Q_b/d$ of replicas $a, b$ with a smallest block of level $j$"),
    r"\hat{q}": (r"\hat{q}_{j}", "its conjugate"),
    "V": ("V", r"order parameter: $\lim \beta\,(q_{aa} - q_{ab})$ for two replicas $a, b$ of one innermost block"),
    r"\hat{V}": (r"\hat{V}", r"conjugate, pairs with $q_{j}$ of the innermost level in $\Phi$"),
    "w": ("w", "local field of a token; where it is averaged over, what all replicas share"),
    r"\Phi": (r"\Phi", "free entropy per dimension at the given number of steps, at zero temperature"),
    "s": ("s", "number of replicas, taken to zero; $s_{j}$ of those in a block of level $j$"),
    "B": ("B_{j}", "precision of the weights along an eigenvector at a level"),
}  # fmt: skip


class HierarchyGlossary(Glossary):
    """The symbols of k steps: the library's, with those of levels in place of what else has their letters."""

    def __init__(self, theory: HierarchicalTheory, used: Iterable[sp.Symbol]) -> None:
        super().__init__(theory.loss_model)
        levels: dict[str, list[sp.Symbol]] = {}
        for x in used:
            found = re.fullmatch(r"([A-Za-z]+(?:_hat)?)(\d+)(?:_\d+)*", x.name)
            if found:
                levels.setdefault(found[1], []).append(x)
        own = [
            Definition(shown, meaning, stem, tuple(levels.get(_WORDS.get(stem, stem), ())))
            for stem, (shown, meaning) in LEVEL_LETTERS.items()
        ]
        entries = []
        for entry in self.entries:
            if entry.stem in LEVEL_LETTERS:
                continue
            shown, meaning = _MEANINGS.get(entry.stem, (entry.shown, entry.meaning))
            name = {r"\hat{q}": "q_hat"}.get(entry.stem, entry.stem)
            further = tuple(levels.get(name, ())) if name in ("q", "q_hat", "s", "B", "K", "N") else ()
            entries.append(replace(entry, shown=shown, meaning=meaning, symbols=(*entry.symbols, *further)))
        stems = {entry.stem for entry in entries}
        self.entries = (*entries, *(x for x in own if x.stem not in stems))


def hierarchy_passages(
    theory: HierarchicalTheory,
    naming: Naming | None = None,
    line_width: float = LINE_WIDTH,
    parts: Iterable[str] = HIERARCHY_PARTS,
) -> list[Passage]:
    """Return the passages of a report on k steps, in the table's letters."""
    model = theory.loss_model
    printer = HierarchyPrinter(
        model, hierarchy_names(theory.quantities), named_width(naming or Naming.of(None)), line_width
    )
    passages = derivation_passages(theory.steps, printer)
    used = {x for passage in passages if isinstance(passage, Equation) for x in passage.symbols}
    glossary = HierarchyGlossary(theory, sorted(used, key=str))
    chosen = tuple(parts)
    symbols = definition_passages(glossary, passages) if "symbols" in chosen else []
    return [*symbols, *(passages if "derivation" in chosen else [])]
