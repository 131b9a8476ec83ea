"""The symbols of a report with their meanings, and which of them a report uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from replica.equations.replica_trick import BETA, REPLICAS, SAME_REPLICA
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities import names, symbols
from replica.quantities.letters import LETTERS, STEMS, Letter
from replica.quantities.structure import ModelStructure
from replica.reports.content.sample_words import in_words_of
from replica.reports.passages import Equation, Figure, Paragraph, Passage, Table
from replica.reports.typesetting.latex_names import latex_table
from replica.reports.typesetting.parameter_letters import parameter_letters, parameter_meaning
from replica.reports.typesetting.tokens import canonical, group_end, tokenise

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


def _by_kind(quantities: Iterable[symbols.SymbolicQuantity]) -> list[list[symbols.SymbolicQuantity]]:
    """Group entries of the same matrix."""
    kinds: dict[str, list[symbols.SymbolicQuantity]] = {}
    for x in quantities:
        kinds.setdefault(x.kind, []).append(x)
    return list(kinds.values())


def _stem(entry: symbols.SymbolicQuantity) -> str:
    """Return the LaTeX of an entry's matrix, without group and indices."""
    found = {x.name: x.latex for x in (*names.ORDER_PARAMETERS, *names.CONJUGATES)}
    return found[entry.kind]


def _table_entries(model: LossModel) -> list[Definition]:
    """Return what the table of names knows: parameters, order parameters and conjugates."""
    entries = []
    letters = parameter_letters((symbols.ALPHA, *model.parameters))
    for quantity in (symbols.ALPHA, *(x for x in model.parameters if not x.name.startswith(_FAMILIES))):
        shown = letters[quantity.name]
        entries.append(Definition(shown, parameter_meaning(quantity, shown), shown, (quantity.symbol,)))
    layout = model.layout
    # Steps of the derivation are written for one token, or with a set for every token.
    layouts = (layout, layout.per_token, layout.single_token)
    whole = zip(*(_by_kind((*symbols.order_parameters(x), *symbols.conjugates(x))) for x in layouts), strict=True)
    count = len(_by_kind(symbols.order_parameters(layout)))
    families = [(own, tuple(x.symbol for kind in (own, *others) for x in kind)) for own, *others in whole]
    for (order, own), (conjugate, hats) in zip(families[:count], families[count:], strict=True):
        meaning = order[0].meaning.replace("Q_*", r"Q_{\star}").replace("q_{ab})$", "q_{ab})$ for two replicas $a, b$")
        if layout.directions > 1:
            meaning = meaning.replace(r" = c_l\, m$", r" = \sum_j c_{lj} m_j$")
        shown = _family([x.latex for x in order])
        entries.append(Definition(shown, f"order parameter: {meaning}", _stem(order[0]), own))
        shown = _family([x.latex for x in conjugate])
        entries.append(Definition(shown, f"conjugate, {conjugate[0].meaning}", _stem(conjugate[0]), hats))
    return entries


def _field_entries(model: LossModel, latex: dict[sp.Symbol, str]) -> list[Definition]:
    entries = (*model.target_symbols, sp.Symbol("T_ij"))
    own: dict[str, tuple[sp.Symbol, ...]] = {
        "w": model.fields,
        r"h^{\star}": model.teacher_fields,
        r"z^{\star}": model.proximal_point,
        **({"y": model.target_symbols} if model.structure is None else {"T": entries}),
        r"\xi": model.noise_fields,
    }
    meanings = {"y": "outputs of the teacher"} | {x.latex: x.meaning for x in LETTERS["fields"]}
    return [Definition(_family([latex[x] for x in family if x in latex]), meanings[stem], stem, family)
            for stem, family in own.items() if family]  # fmt: skip


_FAMILIES = ("positional_matrix_", "positional_encoding_", "token_trace", "teacher_variance")


def _parameter_families(model: LossModel) -> list[Definition]:
    """Return families of parameters: matrices, encodings, what the fields know of the spectrum."""
    whole = (
        ("positional_matrix_", "A", "entries of the target's positional matrix", (sp.Symbol("A_ij"),)),
        ("positional_encoding_", "c", "components of the encodings along their directions", (sp.Symbol("c_l"),)),
        ("token_trace", "R", r"mean eigenvalue $\mathrm{Tr}\,\Sigma/d$ of a token's covariance", ()),
        (
            "teacher_variance",
            r"\rho",
            r"$Q_{\star}^\top \Sigma Q_{\star}/d$, variance of a teacher's pre-activation",
            (),
        ),
    )
    entries = []
    for start, stem, meaning, more in whole:
        family = [x for x in model.parameters if x.name.startswith(start)]
        if family:
            owned = (*(x.symbol for x in family), *more)
            entries.append(Definition(_family([x.latex for x in family]), meaning, stem, owned))
    return entries


# Letters of the derivation that are SymPy symbols by themselves; entries of families own theirs by their stem.
_OWNED = {"X": (sp.Symbol("X"), sp.Symbol("Y")), "s": (REPLICAS,), r"\delta": (SAME_REPLICA,), r"\beta": (BETA,)}


def _letters(part: str, said: Mapping[str, str]) -> list[Definition]:
    """Return a part of the table of letters; ``said`` has the meanings that depend on the model."""
    letters: list[tuple[Letter, str]] = [(x, said.get(x.latex, x.meaning)) for x in LETTERS[part]]
    return [
        Definition(x.shown or x.latex, meaning, x.latex, _OWNED.get(x.latex, ())) for x, meaning in letters if meaning
    ]


def _meanings(model: LossModel) -> dict[str, str]:
    """Return, by their LaTeX, the meanings of letters that depend on the model."""
    structure, layout = model.structure, model.layout
    plain = structure is not None and structure.isotropic
    encodings = "positional encodings"
    if layout.directions == 1:
        encodings += r", with rows $p_l = c_l\, 1_d/\sqrt{d}$ along the vector of ones"
    student, teacher = (
        "of length $d$" if rank == 1 else rf"$d \times {rank}$" for rank in (layout.rank, layout.teacher_rank)
    )
    attention = r"attention: $S_{ij}(z)$, softmax over $j$ of $z_i z_j$"
    if structure is not None and (structure.attention or layout.rank > 1):
        attention = "attention, a matrix that is a function of pre-activations"
    return {
        "x": r"a sequence, $L \times d$, tokens $x_l$ in its rows; $\mu$ numbers samples",
        "p": encodings,
        "Q": rf"weights of the student, {student}",
        r"Q_{\star}": rf"weights of the teacher, {teacher}, standard normal",
        r"\Sigma": r"covariance of a token, $\sigma^2$ times the identity" if plain else "covariance of a token",
        "S": attention,
    }


class Glossary:
    """Every symbol that a report of a structure's models may use, in the order of its table.

    Parameters
    ----------
    model
        The models.
    extra
        Symbols that are not in the library's table, with their meanings.
    """

    def __init__(self, model: ModelStructure | LossModel = symbols.PAPER, extra: Sequence[Definition] = ()) -> None:
        known_model = loss_model(model)
        latex, said = latex_table(known_model), _meanings(known_model)
        listed = [
            *_letters("setting", said),
            *_table_entries(known_model),
            *_parameter_families(known_model),
            *_field_entries(known_model, latex),
            *_letters("results", said),
            *_letters("derivation", said),
        ]
        listed = [replace(entry, meaning=in_words_of(known_model, entry.meaning)) for entry in listed]
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
        stems = {entry.stem: number for number, entry in enumerate(self.entries)}
        # Abbreviations and moments have as many entries as there are tokens and columns.
        for x in (listed := tuple(used)):
            stem = STEMS.get(x.name.split("_")[0], x.name)
            if x.name not in owners and stem in stems:
                owners[x.name] = stems[stem]
        unknown = sorted(x.name for x in listed if x.name not in owners)
        if unknown:
            raise ValueError(f"no definition for the symbols {unknown}: add them to replica.quantities.letters")
        return {owners[x.name] for x in listed}

    def used(self, passages: Iterable[Passage]) -> tuple[Definition, ...]:
        """Return the definitions of every symbol that passages use, and of those that these are defined with."""
        numbers: set[int] = set()
        for passage in passages:
            match passage:
                case Paragraph(text):
                    numbers |= self.in_text(text)
                case Equation():
                    numbers |= self.of_symbols(passage.symbols)
                    numbers |= self.in_latex(" ".join([passage.left, *(line.text for line in passage.lines)]))
                case Table():
                    numbers |= self.in_text(
                        *passage.header, *(cell for row in passage.rows for cell in row), passage.caption
                    )
                case Figure():
                    numbers |= self.in_text(passage.caption)
        while True:
            further = {k for number in numbers for k in self.in_text(self.entries[number].meaning)} - numbers
            if not further:
                return tuple(entry for k, entry in enumerate(self.entries) if k in numbers)
            numbers |= further
