"""What the equations of a multi-index model depend on, apart from numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from replica.quantities.layout import Layout

__all__ = ["CONSTANT_STEPS", "KINK_FUNCTIONS", "STEP_FUNCTIONS", "LossStructure"]


CONSTANT_STEPS = ("sign", "Heaviside", "floor", "ceiling")
"""SymPy's names of functions that are constant but for steps."""

STEP_FUNCTIONS = (*CONSTANT_STEPS, "Mod", "frac", "Piecewise", "ITE", "arg", "atan2", "acot", "asec", "acsc")
"""SymPy's names of all functions that jump somewhere, or may."""

KINK_FUNCTIONS = ("Abs", "Max", "Min")
"""SymPy's names of functions that do not jump, but whose slopes do."""


@dataclass(frozen=True)
class LossStructure:
    """What the equations of a multi-index model depend on apart from numbers: one structure, one kernel.

    Attributes
    ----------
    layout
        Index ranges of fields and order parameters.
    loss, outputs
        SymPy's ``srepr`` of matrices of one column: the sample loss in (z, y), and the outputs y in (h*, noise).
    noise
        Number of noise variables.
    zero_moments
        Letters of those moments of encodings and teacher that vanish on every atom of the spectrum.
    parameter_names
        Names of further numeric parameters in loss and outputs.
    """

    layout: Layout
    loss: str
    outputs: str
    noise: int = 0
    zero_moments: tuple[str, ...] = ()
    parameter_names: tuple[str, ...] = ()

    @property
    def sequence_length(self) -> int:
        """Number of tokens."""
        return self.layout.sequence_length

    @property
    def rank(self) -> int:
        """Number of columns of Q."""
        return self.layout.rank

    @property
    def teacher_rank(self) -> int:
        """Number of columns of Q*."""
        return self.layout.teacher_rank

    @property
    def directions(self) -> int:
        """Dimension of the span of the positional encodings."""
        return self.layout.directions

    @property
    def groups(self) -> tuple[int, ...]:
        """For each token, the number of its group of equal covariances."""
        return self.layout.groups

    @property
    def may_jump(self) -> bool:
        """Whether outputs may jump somewhere in their fields, as a sign does, or the loss in its outputs."""
        return self._has(STEP_FUNCTIONS)

    @property
    def may_bend(self) -> bool:
        """Whether these, or their slopes, may jump."""
        return self._has(STEP_FUNCTIONS + KINK_FUNCTIONS)

    def _has(self, functions: tuple[str, ...]) -> bool:
        called = re.compile(rf"\b(?:{'|'.join(functions)})\(")
        return any(called.search(text) is not None for text in (self.outputs, self.loss))

    @property
    def isotropic(self) -> bool:
        """Whether the law of the tokens is that of attention models by default: never, a spectrum is always given."""
        return False

    @property
    def is_paper_kind(self) -> bool:
        """Whether it is that of the paper's model: never."""
        return False
