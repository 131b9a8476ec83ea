"""A step of the derivation: text, and equations made of SymPy objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

__all__ = ["DerivationStep", "DisplayedEquation", "matrix_symbol", "step_named"]


# Of an equation that is longer, its beginning tells which one it is.
MOST_LETTERS = 80


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."


@dataclass(frozen=True)
class DisplayedEquation:
    """An equation of a step: a label, and two sides that are SymPy objects, or LaTeX where SymPy has no such object."""

    label: str
    left: sp.Basic | str
    right: sp.Basic | str

    def __repr__(self) -> str:
        return f"DisplayedEquation({self.label!r}: {_short(f'{self.left} = {self.right}', MOST_LETTERS)})"


@dataclass(frozen=True)
class DerivationStep:
    """A named step: what is done, in words with inline mathematics, and the equations it arrives at."""

    name: str
    title: str
    text: str
    equations: tuple[DisplayedEquation, ...]

    def __repr__(self) -> str:
        count = len(self.equations)
        return f"DerivationStep({self.name!r}: {self.title}, {count} equation{'s' * (count != 1)})"

    def equation(self, label: str) -> DisplayedEquation:
        """Return an equation by its label.

        Raises
        ------
        KeyError
            If there is none of that label; the message lists them.
        """
        for x in self.equations:
            if x.label == label:
                return x
        raise KeyError(f"no equation is labelled {label!r}; there are {', '.join(x.label for x in self.equations)}")


def step_named(steps: Sequence[DerivationStep], name: str) -> DerivationStep:
    """Return a step by its name.

    Raises
    ------
    KeyError
        If there is none of that name; the message lists the names.
    """
    for x in steps:
        if x.name == name:
            return x
    raise KeyError(f"no step is called {name!r}; there are {', '.join(x.name for x in steps)}")


def matrix_symbol(latex: str, rank: int) -> sp.Basic:
    """Return a symbol of an r x r matrix by its LaTeX; a number for rank one."""
    return sp.Symbol(latex) if rank == 1 else sp.MatrixSymbol(latex, rank, rank)
