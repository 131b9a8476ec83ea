"""Names of symbols chosen by the user, put into every piece of mathematics of a report.

A report is written in the letters of the library's table, equations and text alike. At the end the letters that the
user wants otherwise are exchanged token by token, so that nothing can be missed: what is typed in a sentence, the hat
of a conjugate, an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.quantities import names
from replica.quantities.letters import LETTERS
from replica.reports.passages import Equation, Figure, Line, Paragraph, Passage, Table
from replica.reports.typesetting.tokens import canonical, group_end, in_mathematics, join, tokenise, unbalanced

__all__ = ["NOTATION", "TAKEN", "Naming", "token_stems"]

NOTATION = {letter.name: letter.latex for part in LETTERS.values() for letter in part if letter.name}
"""What a report names besides ``replica.quantities.names``: name -> LaTeX (of a family: without its index)."""

TAKEN = {letter.latex: letter.stands_for for part in LETTERS.values() for letter in part if letter.stands_for}
"""Letters of a page that have no name to be chosen, and what they stand for: no other symbol may be one of them."""

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
    """The user's choice of LaTeX, by name.

    Raises
    ------
    ValueError
        If a name is unknown, a piece of LaTeX is broken, or two symbols would look the same.
    """

    chosen: Mapping[str, str]

    @classmethod
    def of(cls, latex_names: Mapping[str, str] | None) -> Naming:
        """Check and complete what the user chose: names or letters, each with its LaTeX."""
        stems, letters = token_stems(), _letters()
        chosen: dict[str, str] = {}
        if not isinstance(latex_names, Mapping | None):
            raise InvalidArgument(f"latex_names must map names to LaTeX, got {quoted(latex_names)}")
        for given, latex in (latex_names or {}).items():
            name = given if given in stems else letters.get(given)
            if name is None:
                known = ", ".join(sorted({*stems}))
                raise InvalidArgument(f"latex_names: no quantity is called {given!r}; choose from {known}")
            if name in chosen:
                raise InvalidArgument(f"latex_names: {given!r} names {name} a second time, as {latex!r}")
            if not isinstance(latex, str) or not latex.strip() or "$" in latex or unbalanced(latex):
                raise InvalidArgument(
                    f"latex_names: {latex!r} for {given!r} is not LaTeX that can stand in an equation"
                )
            chosen[name] = latex.strip()
            tokens = _key(latex)
            if len(tokens) == 1 and tokens[0] in TAKEN and tokens != _key(stems[name]):
                raise InvalidArgument(
                    f"latex_names: {latex!r} for {given!r} already stands for {TAKEN[tokens[0]]} on the same page"
                )
        naming = cls(chosen)
        seen: dict[tuple[str, ...], str] = {}
        for name, latex in stems.items():
            key = _key(naming.rename(latex))
            if key in seen:
                pair = f"{seen[key]} and {name}"
                raise InvalidArgument(f"latex_names: {pair} would both be printed as {naming.rename(latex)!r}")
            seen[key] = name
        return naming

    @cached_property
    def _rules(self) -> list[tuple[tuple[str, ...], str]]:
        # All stems take part, renamed or not, longest first: h^\star is one symbol, \hat{q} another than q.
        stems = token_stems()
        rules = [(_key(stems[name]), self.chosen.get(name, "")) for name in stems]
        return sorted(rules, key=lambda rule: -len(rule[0]))

    def rename(self, latex: str) -> str:
        """Return mathematics with the user's letters."""
        if not self.chosen:
            return latex
        return join(self._renamed(canonical(tokenise(latex))))

    def _renamed(self, tokens: list[str]) -> list[str]:
        result: list[str] = []
        k = 0
        while k < len(tokens):
            if tokens[k] in _WORDS:
                end = group_end(tokens, k + 1)
                result += tokens[k:end]
                k = end
                continue
            for stem, latex in self._rules:
                if tuple(tokens[k : k + len(stem)]) != stem:
                    continue
                if latex:
                    following = tokens[k + len(stem)] if k + len(stem) < len(tokens) else ""
                    crowded = following in ("_", "^") and ("_" in latex or "^" in latex)
                    result += ["{", *tokenise(latex), "}"] if crowded else tokenise(latex)
                elif len(stem) > 1 and stem[0] == r"\hat":
                    # A conjugate without a name of its own follows the letter under its hat.
                    result += [r"\hat", "{", *self._renamed(list(stem[2:-1])), "}"]
                else:
                    result += stem
                k += len(stem)
                break
            else:
                result.append(tokens[k])
                k += 1
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
