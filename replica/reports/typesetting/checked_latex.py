"""A user's LaTeX for a symbol, checked before anything is written: TeX finds what is broken far from its cause."""

from __future__ import annotations

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.reports.typesetting.greek import in_commands
from replica.reports.typesetting.mathml import unreadable
from replica.reports.typesetting.tokens import group_end, tokenise, unbalanced

__all__ = ["checked_latex"]

_BREAKING = {
    "$": "ends the formula",
    r"\$": "is no symbol",
    "%": r"comments out the rest of its line; a sign is \%",
    "#": "belongs in a macro's definition",
    "&": "begins a column",
    r"\\": "begins a line",
    r"\(": "begins a formula",
    r"\)": "ends the formula",
    r"\[": "begins a formula",
    r"\]": "ends the formula",
}
_NO_SYMBOLS = r"""
    \begin \end \input \include \def \edef \gdef \xdef \let \newcommand \renewcommand \providecommand
    \label \tag \ref \eqref \cite \par \item \section \paragraph \footnote \csname \endcsname \catcode \expandafter
    \write \verb \hline \cr \newline \linebreak \usepackage \documentclass \limits \nolimits"""
_TAKES_TWO = {r"\frac", r"\dfrac", r"\tfrac", r"\binom", r"\overset", r"\underset", r"\stackrel"}
# Commands of one character that are spaces or signs.
_SIGNS = frozenset({r"\,", r"\;", r"\:", r"\!", r"\>", r"\ ", r"\{", r"\}", r"\|", r"\%", r"\#", r"\&", r"\_"})
NO_SYMBOLS = frozenset(_NO_SYMBOLS.split())


def checked_latex(argument: str, latex: object, name: object) -> str:
    """Return LaTeX that can stand in an equation, with Greek letters as commands.

    Raises
    ------
    InvalidArgument
        Naming the argument and quoting the LaTeX, with the reason.
    """

    def refused(reason: str) -> InvalidArgument:
        return InvalidArgument(
            f"{argument}: {quoted(latex)} for {quoted(name)} is not LaTeX that can stand in an equation: {reason}"
        )

    if not isinstance(latex, str) or not latex.strip():
        raise refused("it must be a text that is not empty")
    plain = in_commands(" ".join(latex.split()))
    foreign = [c for c in plain if not c.isascii() or not c.isprintable()]
    if foreign:
        raise refused(f"{foreign[0]!r} has no command; write it as one")
    tokens = tokenise(plain)
    for token in tokens:
        if token in _BREAKING:
            raise refused(f"{token!r} {_BREAKING[token]}")
        if token.rstrip("*") in NO_SYMBOLS:
            raise refused(f"{token!r} is no symbol")
        if token.startswith("\\") and not token[1].isalpha() and token not in _SIGNS:
            raise refused(f"{token!r} is no command")
    if unbalanced(plain):
        raise refused(r"a brace, a script, \left or \right lacks its counterpart, or a backslash ends it")
    for k, token in enumerate(tokens):
        first = group_end(tokens, k + 1)
        if token in _TAKES_TWO and group_end(tokens, first) == first:
            raise refused(f"{token!r} lacks an argument")
    if "^^" in plain:
        raise refused("'^^' is no script")
    reason = unreadable(plain)
    if reason:
        raise refused(reason)
    return plain
