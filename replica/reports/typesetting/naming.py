"""Names of symbols chosen by the user, put into every piece of mathematics of a report.

A report is written in the letters of the library's table, equations and text alike. At the end the letters that the
user wants otherwise are exchanged token by token, so that nothing can be missed: what is typed in a sentence, the hat
of a conjugate, an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from replica.common.errors import InvalidArgument
from replica.quantities import names
from replica.quantities.letters import LETTERS
from replica.reports.passages import Equation, Figure, Line, Paragraph, Passage, Table
from replica.reports.typesetting.chosen_names import checked_names, used_macros
from replica.reports.typesetting.macros import Macro, checked_macros, macro_alone, written_out
from replica.reports.typesetting.tokens import canonical, group_end, in_mathematics, join, tokenise

__all__ = ["NOTATION", "TAKEN", "Naming", "token_stems"]

NOTATION = {letter.name: letter.latex for part in LETTERS.values() for letter in part if letter.name}
"""What a report names besides ``replica.quantities.names``: name -> LaTeX (of a family: without its index)."""

TAKEN = {letter.latex: letter.stands_for for part in LETTERS.values() for letter in part if letter.stands_for}
"""Letters of a page that have no name to be chosen, and what they stand for: no other symbol may be one of them."""

# Alphabets of packages that a paper may load, and what comes nearest without them.
PACKAGES = {r"\bm": r"\boldsymbol{#1}", r"\mathscr": r"\mathcal{#1}", r"\mathds": r"\mathbb{#1}",
            r"\mathbbm": r"\mathbb{#1}"}  # fmt: skip

# Their arguments are words, not symbols.
_WORDS = {r"\mathrm", r"\operatorname", r"\operatorname*", r"\text", r"\label", r"\mathbb"}


def token_stems() -> dict[str, str]:
    """Return the LaTeX of everything that may be renamed, by name."""
    table = (*names.ORDER_PARAMETERS, *names.CONJUGATES, names.ALPHA, *names.MODEL_PARAMETERS)
    entries = {x.name: x.latex for x in table if not x.name.startswith(("positional_matrix_", "positional_encoding_"))}
    return entries | NOTATION


def _letters() -> dict[str, str]:
    """Return names by the letters that stand for them."""
    table = (*names.ORDER_PARAMETERS, *names.CONJUGATES, names.ALPHA, *names.MODEL_PARAMETERS)
    short = {x.letter: x.name for x in table if x.name in token_stems()}
    return {"lambda": "regularization", "Phi": "free_entropy", "A": "positional_matrix", "c": "positional_encoding",
            "w": "local_field", "h": "teacher_field", "z": "preactivation", "T": "target"} | short  # fmt: skip


def _key(latex: str) -> tuple[str, ...]:
    return tuple(canonical(tokenise(latex)))


@dataclass(frozen=True)
class Naming:
    r"""The user's choice of LaTeX, by name.

    Attributes
    ----------
    chosen
        LaTeX by name, as it was given: for LaTeX, whose reader knows the macros.
    parameters
        The library's LaTeX of the parameters that the model brings along, by name.
    macros
        The macros in what was chosen, by command.
    plain
        The same without macros, for formats that know none: they are written out as was said, or the symbol is the
        library's.

    Raises
    ------
    ValueError
        If a name is unknown, a piece of LaTeX is broken, or two symbols would look the same.

    Examples
    --------
    >>> naming = Naming.of({"self_overlap": r"\Qself"}, {r"\Qself": r"Q_{\mathrm{s}}"})
    >>> naming.rename("q^2 V"), naming.plain.rename("q^2 V")
    ('{\\Qself}^{2}V', '{Q_{\\mathrm{s}}}^{2}V')
    """

    chosen: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    macros: Mapping[str, Macro] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        latex_names: Mapping[str, str] | None,
        macros: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Naming:
        r"""Check and complete what the user chose.

        Parameters
        ----------
        latex_names
            LaTeX by names or letters; macros of the user's own are allowed.
        macros
            What such macros look like, for formats other than LaTeX: ``{r"\Qself": r"Q_{\mathrm{s}}"}``.
        parameters
            LaTeX of the parameters that the model brings along, by their names, which may be chosen otherwise, too.
        """
        own = dict(parameters or {})
        chosen = checked_names(latex_names, own, token_stems(), _letters())
        known = checked_macros(macros)
        stems = token_stems() | own
        for name, latex in chosen.items():
            for shown in {latex, written_out(latex, known)}:
                tokens = _key(shown)
                if len(tokens) == 1 and tokens[0] in TAKEN and tokens != _key(stems[name]):
                    raise InvalidArgument(
                        f"latex_names: {shown!r} for {name!r} already stands for {TAKEN[tokens[0]]} on the same page"
                    )
        naming = cls(chosen, own)
        naming.require_distinct()
        used = used_macros(chosen, known)
        kept = {name: written_out(latex, known) for name, latex in chosen.items() if name not in used.alone}
        plain = cls(kept, own)
        if used.commands:
            plain.require_distinct("where macros are written out or not known, ")
        fallbacks = {x: Macro(x, plain.rename(stems[name]), count, given=False)
                     for name, (x, count) in used.alone.items()}  # fmt: skip
        return cls(chosen, own, {x: fallbacks.get(x) or known[x] for x in used.commands})

    def require_distinct(self, where: str = "") -> None:
        """Refuse names by which two symbols would look the same."""
        seen: dict[tuple[str, ...], str] = {}
        for name, latex in self._stems.items():
            key = _key(self.rename(latex))
            if key in seen:
                pair = f"{where}{seen[key]} and {name}"
                raise InvalidArgument(f"latex_names: {pair} would both be printed as {self.rename(latex)!r}")
            seen[key] = name

    @cached_property
    def plain(self) -> Naming:  # noqa: D102
        kept = {}
        for name, latex in self.chosen.items():
            alone = macro_alone(latex)
            if alone is None or self.macros[alone[0]].given:
                kept[name] = written_out(latex, self.macros)
        return Naming(kept, self.parameters)

    @property
    def definitions(self) -> tuple[str, ...]:
        """Lines of a preamble by which a document that stands alone knows every command that was chosen."""
        used = {token for latex in self.chosen.values() for token in tokenise(latex)}
        packages = [rf"\providecommand{{{x}}}[1]{{{y}}}" for x, y in PACKAGES.items() if x in used]
        return (*packages, *(x.definition for x in self.macros.values()))

    @cached_property
    def _stems(self) -> dict[str, str]:
        return token_stems() | dict(self.parameters)

    @cached_property
    def _rules(self) -> list[tuple[tuple[str, ...], str]]:
        # All stems take part, renamed or not, longest first: h^\star is one symbol, \hat{q} another than q.
        rules = [(_key(stem), self.chosen.get(name, "")) for name, stem in self._stems.items()]
        return sorted(rules, key=lambda rule: -len(rule[0]))

    def _scripted(self, latex: str) -> bool:
        """Return whether chosen LaTeX has scripts of its own, or may have: what a macro hides is not always known."""
        hidden = [macro for command, macro in self.macros.items() if command in tokenise(latex)]
        return any(x in part for part in (latex, *(m.body for m in hidden)) for x in "_^") or any(
            not macro.given for macro in hidden
        )

    def rename(self, latex: str) -> str:
        """Return mathematics with the user's letters."""
        if not self.chosen:
            return latex
        return join(self._renamed(canonical(tokenise(latex))))

    def _renamed(self, tokens: list[str]) -> list[str]:
        result: list[str] = []
        k = 0
        while k < len(tokens):
            for stem, latex in self._rules:
                if tuple(tokens[k : k + len(stem)]) != stem:
                    continue
                if latex:
                    following = tokens[k + len(stem)] if k + len(stem) < len(tokens) else ""
                    crowded = following in ("_", "^") and self._scripted(latex)
                    result += ["{", *tokenise(latex), "}"] if crowded else tokenise(latex)
                elif len(stem) > 1 and stem[0] == r"\hat":
                    # A conjugate without a name of its own follows the letter under its hat.
                    result += [r"\hat", "{", *self._renamed(list(stem[2:-1])), "}"]
                else:
                    result += stem
                k += len(stem)
                break
            else:
                end = group_end(tokens, k + 1) if tokens[k] in _WORDS else k + 1
                result += tokens[k:end]
                k = end
        return result

    def rename_text(self, text: str) -> str:
        """Return text with the user's letters in its mathematics."""
        return in_mathematics(text, self.rename)

    def rename_passage(self, passage: Passage) -> Passage:
        """Return a passage with the user's letters."""
        match passage:
            case Paragraph():
                return Paragraph(self.rename_text(passage.text))
            case Equation():
                lines = tuple(Line(self.rename(line.text), line.indent) for line in passage.lines)
                return replace(passage, left=self.rename(passage.left), lines=lines)
            case Table():
                header = tuple(map(self.rename_text, passage.header))
                rows = tuple(tuple(map(self.rename_text, row)) for row in passage.rows)
                return Table(header, rows, self.rename_text(passage.caption))
            case Figure():
                return Figure(passage.stem, self.rename_text(passage.caption))
        return passage
