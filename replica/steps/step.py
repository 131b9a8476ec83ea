"""A step of the derivation: text, and equations made of SymPy objects."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.layout import Layout

__all__ = ["DerivationStep", "DisplayedEquation", "matrix_or_entry", "single_token"]


@dataclass(frozen=True)
class DisplayedEquation:
    """An equation of a step: a label, and two sides that are SymPy objects, or LaTeX where SymPy has no such object."""

    label: str
    left: sp.Basic | str
    right: sp.Basic | str


@dataclass(frozen=True)
class DerivationStep:
    """A named step: what is done, in words with inline mathematics, and the equations it arrives at."""

    name: str
    title: str
    text: str
    equations: tuple[DisplayedEquation, ...]

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


def matrix_or_entry(matrix: sp.Matrix) -> sp.Basic:
    """Return a matrix to print, or its entry if it has but one."""
    return matrix[0, 0] if matrix.shape == (1, 1) else sp.ImmutableMatrix(matrix)


def single_token(layout: Layout) -> Layout:
    """Return the layout of one token."""
    return Layout((0,), layout.rank, layout.teacher_rank, layout.directions)
