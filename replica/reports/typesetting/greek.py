"""Letters outside of ASCII as LaTeX commands: no Greek letter reaches a LaTeX file as itself."""

from __future__ import annotations

import unicodedata

from replica.reports.typesetting.tokens import join

__all__ = ["in_commands", "word_latex"]

_SMALL = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_CAPITAL = {
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon",
    "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
# Shapes that Unicode has letters of their own for, as unicode-math names them; the signs micro and ohm.
_VARIANTS = {
    "ϵ": "epsilon", "ϕ": "phi", "ϑ": "vartheta", "ϱ": "varrho", "ϖ": "varpi", "ς": "varsigma", "ϰ": "varkappa",
    "\u00b5": "mu", "\u2126": "Omega", "ℓ": "ell",
}  # fmt: skip
# Greek letters that look like Latin ones, for which LaTeX has no command.
_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
_COMMANDS = {letter: f"\\{name}" for letter, name in (_SMALL | _CAPITAL | _VARIANTS).items()} | _LATIN


def _command(letter: str) -> str | None:
    """Return LaTeX for a Greek letter, with or without an accent, or nothing."""
    return _COMMANDS.get(letter) or _COMMANDS.get(unicodedata.normalize("NFD", letter)[0])


def in_commands(text: str) -> str:
    r"""Return LaTeX with commands in place of Greek letters; other letters stay as they are.

    Examples
    --------
    >>> in_commands("κ_0 t")
    '\\kappa_0 t'
    """
    if text.isascii():
        return text
    parts = [_command(c) or c for c in text]
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
            parts.append(_command(letter) or _spelled(letter))
    return join(parts)


def _spelled(letter: str) -> str:
    """Return a letter without its accent, or, of other alphabets, by its number."""
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or rf"\mathrm{{u{ord(letter):04x}}}"
