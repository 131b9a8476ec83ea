"""The symbols of a report with their meanings, and which of them a report uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica import symbols
from replica.model import ModelStructure
from replica.reports.blocks import Block, Equation, Figure, Paragraph, Table
from replica.reports.tokens import canonical, group_end, tokenise

__all__ = ["Definition", "Glossary"]

_MATHEMATICS = re.compile(r"\$([^$]*)\$")
_WORDS = {r"\mathrm", r"\operatorname", r"\operatorname*", r"\text"}


@dataclass(frozen=True)
class Definition:
    """A symbol or a family of them, told apart by indices.

    Attributes
    ----------
    shown
        LaTeX in the table of definitions.
    meaning
        Text with inline mathematics.
    stem
        LaTeX by which it is recognised in text: of a family, without the index.
    symbols
        The SymPy symbols that belong to it.
    """

    shown: str
    meaning: str
    stem: str
    symbols: tuple[sp.Symbol, ...] = ()


def _family(latex: Sequence[str]) -> str:
    """Return all members of a small family, or the first and the last of a large one."""
    if len(latex) <= 4:
        return ", ".join(latex)
    return rf"{latex[0]}, \dots, {latex[-1]}"


def _table_entries(structure: ModelStructure) -> list[Definition]:
    """Return what the table of names knows."""
    entries = []
    for quantity in (symbols.ALPHA, *symbols.model_parameters(structure)[:3]):
        entries.append(Definition(quantity.latex, quantity.meaning, quantity.latex, (quantity.symbol,)))
    for order, conjugate in zip(symbols.ORDER_PARAMETERS, symbols.CONJUGATES, strict=True):
        meaning = order.meaning.replace("Q_*", r"Q_{\star}").replace("q_{ab})$", "q_{ab})$ for two replicas $a, b$")
        entries.append(Definition(order.latex, f"order parameter: {meaning}", order.latex, (order.symbol,)))
        entries.append(
            Definition(conjugate.latex, f"conjugate, {conjugate.meaning}", conjugate.latex, (conjugate.symbol,))
        )
    return entries


def _field_entries(structure: ModelStructure, latex: dict[sp.Symbol, str]) -> list[Definition]:
    length, rank = structure.sequence_length, structure.rank
    families = (
        (
            "w",
            symbols.local_fields(length, rank),
            "local field of a token: the pre-activation of a student that was not trained on the sample",
        ),
        (
            r"h^{\star}",
            symbols.teacher_fields(length),
            r"pre-activation of the teacher, $x_l \cdot Q_{\star}/\sqrt{d}$",
        ),
        (r"z^{\star}", symbols.proximal_points(length, rank), r"proximal point: the global minimiser in $\mathcal{M}$"),
        ("T", (*symbols.target_entries(length), sp.Symbol("T_ij")), r"entries of the target's matrix $T(h^{\star})$"),
    )
    return [Definition(_family([latex[x] for x in family if x in latex]), meaning, stem, tuple(family))
            for stem, family, meaning in families]  # fmt: skip


def _parameter_families(structure: ModelStructure) -> list[Definition]:
    length = structure.sequence_length
    matrix, encoding = tuple(symbols.positional_matrix(length)), symbols.positional_encoding(length)
    latex = symbols.latex_names(structure)
    return [
        Definition(_family([latex[x] for x in matrix]), "entries of the target's positional matrix", "A",
                   (*matrix, sp.Symbol("A_ij"))),
        Definition(_family([latex[x] for x in encoding]), r"coefficients of the encodings", "c",
                   (*encoding, sp.Symbol("c_l"))),
    ]  # fmt: skip


def _notation() -> list[Definition]:
    listed = (
        ("L", "number of tokens"),
        ("d", "dimension of a token"),
        ("n", "number of samples"),
        ("x", r"a sequence, $L \times d$, tokens $x_l$ in its rows; $\mu$ numbers samples"),
        ("p", r"positional encodings, with rows $p_l = c_l\, 1_d/\sqrt{d}$ along the vector of ones"),
        ("y", "output of the target"),
        (r"f_{Q}", "output of the student"),
        ("Q", r"weights of the student, of length $d$"),
        (r"Q_{\star}", r"weights of the teacher, of length $d$, standard normal"),
        (r"\Sigma", r"covariance of a token, $\sigma^2$ times the identity"),
        ("z", "pre-activation of the student; in $\\mathcal{M}$ what is minimised over"),
        ("S", r"attention: $S_{ij}(z)$, softmax over $j$ of $z_i z_j$"),
        (r"\ell", r"loss of one sample, in terms of pre-activations"),
        (r"\Phi", "free entropy per dimension, replica-symmetric, at zero temperature"),
        (r"\beta", "inverse temperature, taken to infinity"),
        (r"\mathcal{M}", r"Moreau envelope of $\ell$"),
        (r"\mathbb{E}", r"average over $w$ and $h^{\star}$"),
        (r"\epsilon_{t}", "training loss per dimension"),
        (r"\epsilon_{g}", "test error per token"),
        (r"\epsilon_{\mathrm{lin}}", "test error per token of the best linear positional layer"),
        ("W", r"matrix of the best linear positional layer"),
        (r"\alpha_{c}", r"where the best positional and the best semantic solution have equal $\Phi$"),
        (r"\alpha_{l}", r"where $\epsilon_{g}$ of the global minimum falls below $\epsilon_{\mathrm{lin}}$"),
    )
    return [Definition(latex, meaning, latex) for latex, meaning in listed]


class Glossary:
    """Every symbol that a report of a structure's models may use, in the order of its table.

    Parameters
    ----------
    structure
        The models.
    extra
        Symbols that are not in the library's table, with their meanings.
    """

    def __init__(self, structure: ModelStructure = symbols.PAPER, extra: Sequence[Definition] = ()) -> None:
        latex = symbols.latex_names(structure)
        notation = _notation()
        listed = [*notation[:10], *_table_entries(structure), *_parameter_families(structure),
                  *_field_entries(structure, latex), *notation[10:]]  # fmt: skip
        known = {x for entry in listed for x in entry.symbols}
        self.entries = (*listed, *(x for x in extra if not known.intersection(x.symbols) or not x.symbols))

    @cached_property
    def _stems(self) -> list[tuple[tuple[str, ...], int]]:
        stems = [(tuple(canonical(tokenise(entry.stem))), k) for k, entry in enumerate(self.entries)]
        return sorted(stems, key=lambda stem: -len(stem[0]))

    def in_latex(self, latex: str) -> set[int]:
        """Return the numbers of the entries whose letters occur in mathematics."""
        tokens = canonical(tokenise(latex))
        found: set[int] = set()
        k = 0
        while k < len(tokens):
            if tokens[k] in _WORDS:
                k = group_end(tokens, k + 1)
                continue
            for stem, number in self._stems:
                if tuple(tokens[k : k + len(stem)]) == stem:
                    found.add(number)
                    k += len(stem)
                    break
            else:
                # A letter on its own is one that a sentence binds itself, like an index.
                k += 1
        return found

    def in_text(self, *texts: str) -> set[int]:
        """Return the numbers of the entries that occur in the mathematics of texts."""
        return {number for text in texts for latex in _MATHEMATICS.findall(text) for number in self.in_latex(latex)}

    def of_symbols(self, used: Iterable[sp.Symbol]) -> set[int]:
        """Return the numbers of the entries that symbols belong to.

        Raises
        ------
        ValueError
            If a symbol has no definition.
        """
        owners = {x.name: number for number, entry in enumerate(self.entries) for x in entry.symbols}
        unknown = sorted(x.name for x in used if x.name not in owners)
        if unknown:
            raise ValueError(f"no definition for the symbols {unknown}: add them to replica.reports.definitions")
        return {owners[x.name] for x in used}

    def used(self, blocks: Iterable[Block]) -> tuple[Definition, ...]:
        """Return the definitions of every symbol that blocks use, and of those that these are defined with."""
        numbers: set[int] = set()
        for block in blocks:
            match block:
                case Paragraph(text):
                    numbers |= self.in_text(text)
                case Equation():
                    numbers |= self.of_symbols(block.symbols)
                    numbers |= self.in_latex(" ".join([block.left, *(line.text for line in block.lines)]))
                case Table():
                    numbers |= self.in_text(*block.header, *(cell for row in block.rows for cell in row), block.caption)
                case Figure():
                    numbers |= self.in_text(block.caption)
        while True:
            further = {k for number in numbers for k in self.in_text(self.entries[number].meaning)} - numbers
            if not further:
                return tuple(entry for k, entry in enumerate(self.entries) if k in numbers)
            numbers |= further
