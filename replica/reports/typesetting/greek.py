"""Letters outside of ASCII as LaTeX commands: no Greek letter reaches a LaTeX file as itself."""

from __future__ import annotations

import unicodedata

from replica.reports.typesetting.tokens import join

__all__ = ["in_commands", "letter_latex", "word_latex"]

_SMALL = dict(zip(
    "αβγδεζηθικλμνξπρστυφχψω",
    r"""\alpha \beta \gamma \delta \varepsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho \sigma \tau
    \upsilon \varphi \chi \psi \omega""".split(), strict=True,
))  # fmt: skip
_CAPITAL = dict(zip(
    "ΓΔΘΛΞΠΣΥΦΨΩ", r"\Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega".split(), strict=True
))  # fmt: skip
# Shapes that Unicode has letters of their own for, as unicode-math names them.
_VARIANTS = dict(zip(
    "ϵϕϑϱϖςϰ\u00b5\u2126ℓ",
    r"\epsilon \phi \vartheta \varrho \varpi \varsigma \varkappa \mu \Omega \ell".split(), strict=True,
))  # fmt: skip
# Greek letters that look like Latin ones, for which LaTeX has no command.
_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
_COMMANDS = _SMALL | _CAPITAL | _VARIANTS | _LATIN


def letter_latex(letter: str) -> str | None:
    """Return LaTeX for a Greek letter (or one that is known by a command), or nothing."""
    return _COMMANDS.get(letter)


def in_commands(text: str) -> str:
    r"""Return LaTeX with commands in place of Greek letters; other letters stay as they are.

    Examples
    --------
    >>> in_commands("κ_0 t")
    '\\kappa_0 t'
    """
    if text.isascii():
        return text
    parts = [_COMMANDS.get(c, c) for c in text]
    for k in range(len(parts) - 1):
        # A command ends where no letter follows.
        if len(parts[k]) > 1 and parts[k + 1][0].isalpha():
            parts[k] += " "
    return "".join(parts)


def word_latex(word: str) -> str:
    """Return LaTeX for a piece of a name: Greek letters as commands, other words upright, all of it in ASCII."""
    parts: list[str] = []
    latin = ""
    for letter in f"{word}\0":
        if letter.isascii() and letter != "\0":
            latin += letter
            continue
        if latin:
            parts.append(latin if len(latin) == 1 else rf"\mathrm{{{latin}}}")
        latin = ""
        if letter != "\0":
            parts.append(_COMMANDS.get(letter) or _spelled(letter))
    return join(parts)


def _spelled(letter: str) -> str:
    """Return a letter without its accent, or, of other alphabets, by its number."""
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or rf"\mathrm{{u{ord(letter):04x}}}"
