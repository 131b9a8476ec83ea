"""LaTeX of the parameters that a user's functions bring along, unlike every other letter of the page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Protocol

from replica.quantities import names
from replica.quantities.letters import LETTERS
from replica.reports.typesetting.greek import word_latex
from replica.reports.typesetting.tokens import canonical, tokenise

__all__ = ["own_parameters", "parameter_letters", "parameter_meaning"]


class Named(Protocol):
    """An entry of a table of names, with or without its SymPy symbol."""

    @property
    def name(self) -> str: ...
    @property
    def latex(self) -> str: ...
    @property
    def meaning(self) -> str: ...


def _key(latex: str) -> str:
    return "".join(canonical(tokenise(latex)))


@cache
def _taken() -> frozenset[str]:
    """Return whatever else may stand on a page."""
    table = (*names.ORDER_PARAMETERS, *names.CONJUGATES, names.ALPHA)
    own = (x for x in names.MODEL_PARAMETERS if not names.is_parameter_name(x.name))
    letters = (x for part in LETTERS.values() for x in part)
    return frozenset(_key(x.latex) for x in (*table, *own, *letters))


def _latex(name: str) -> str:
    if name.isascii():
        return names.parameter_latex(name)
    stem, _, index = name.partition("_")
    indices = ",".join(map(word_latex, index.split("_")))
    return word_latex(stem) + (f"_{{{indices}}}" if index else "")


def own_parameters(parameters: Iterable[Named]) -> list[Named]:
    """Return those of a model's parameters that its user named."""
    return [x for x in parameters if names.is_parameter_name(x.name)]


def parameter_letters(parameters: Iterable[Named]) -> dict[str, str]:
    r"""Return the LaTeX of a model's parameters by their names.

    A parameter whose letter stands for something else, or for another parameter, gets a tilde: ``lambda_`` is
    ``\tilde{\lambda}``, for the ridge penalty is ``\lambda``.
    """
    given = list(parameters)
    own = {x.name for x in own_parameters(given)}
    found = {x.name: x.latex for x in given if x.name not in own}
    taken = {_key(x) for x in found.values()} | _taken()
    for x in given:
        if x.name not in own:
            continue
        latex = plain = _latex(x.name)
        for mark in (r"\tilde", r"\bar", r"\vec"):
            if _key(latex) not in taken:
                break
            latex = _marked(plain, mark)
        taken.add(_key(latex))
        found[x.name] = latex
    return {x.name: found[x.name] for x in given}


def parameter_meaning(parameter: Named, latex: str) -> str:
    """Return what a parameter is, with its name where its letter does not tell it."""
    own = names.is_parameter_name(parameter.name) and parameter.name.isascii()
    called = own and latex != names.parameter_latex(parameter.name)
    return f"{parameter.meaning}, called {parameter.name}" if called else parameter.meaning


def _marked(latex: str, mark: str) -> str:
    """Return LaTeX with an accent on what its index belongs to."""
    stem, separator, index = latex.partition("_")
    return f"{mark}{{{stem}}}{separator}{index}"
