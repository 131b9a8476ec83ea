"""Equations as notebooks show them: the objects of a derivation, printed as reports print them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from replica.common.checked_arguments import quoted
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.model.loss_model import LossModel
from replica.reports.content.equation_content import free_entropy_equation
from replica.reports.passages import Equation
from replica.reports.typesetting.printing import ReportPrinter
from replica.steps.step import DerivationStep, DisplayedEquation

__all__ = ["ShownEquation", "ShownFreeEntropy", "ShownStep", "ShownSystem", "shown_step"]


def _displayed(equations: Iterable[Equation]) -> str:
    """Return equations as MathJax and nbconvert take them, one display each."""
    found = []
    for x in equations:
        body = " \\\\\n&".join(r"\quad " * line.indent + line.text for line in x.lines)
        found.append(f"$$\\begin{{aligned}}\n{x.left} &{body}\n\\end{{aligned}}$$")
    return "\n\n".join(found)


def _values(of: object, kind: type) -> dict[str, Any]:
    return {x.name: getattr(of, x.name) for x in fields(kind)}


def _letters(symbols: Iterable[object]) -> str:
    return quoted([str(x) for x in symbols]).replace("'", "").strip("[]")


@dataclass(frozen=True, repr=False)
class ShownEquation(DisplayedEquation):
    """An equation that a notebook shows."""

    model: LossModel = field(kw_only=True, compare=False)

    def _repr_latex_(self) -> str:
        return _displayed([ReportPrinter(self.model).equation(self.label, self.left, self.right)])


@dataclass(frozen=True, repr=False)
class ShownStep(DerivationStep):
    """A step that a notebook shows, its words and its equations."""

    def _repr_latex_(self) -> str:
        equations = (x._repr_latex_() for x in self.equations if isinstance(x, ShownEquation))
        return "\n\n".join([f"{self.title}. {self.text}", *equations])


def shown_step(step: DerivationStep, model: LossModel) -> ShownStep:
    """Return a step of a model's derivation as one that a notebook shows."""
    equations = tuple(ShownEquation(x.label, x.left, x.right, model=model) for x in step.equations)
    return ShownStep(step.name, step.title, step.text, equations)


class ShownFreeEntropy(FreeEntropy):
    """A free entropy that a notebook shows."""

    @classmethod
    def of(cls, phi: FreeEntropy) -> ShownFreeEntropy:
        """Return a free entropy as one that a notebook shows."""
        return cls(**_values(phi, FreeEntropy))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeEntropy) and _values(self, FreeEntropy) == _values(other, FreeEntropy)

    __hash__ = FreeEntropy.__hash__

    def __repr__(self) -> str:
        return f"FreeEntropy(Phi of {_letters(x.symbol for x in (*self.order_parameters, *self.conjugates))})"

    def _repr_latex_(self) -> str:
        return _displayed([free_entropy_equation(self, ReportPrinter(self.model))])


class ShownSystem(SaddleSystem):
    """Saddle-point equations that a notebook shows."""

    @classmethod
    def of(cls, system: SaddleSystem) -> ShownSystem:
        """Return equations as ones that a notebook shows."""
        return cls(**_values(system, SaddleSystem))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SaddleSystem) and _values(self, SaddleSystem) == _values(other, SaddleSystem)

    __hash__ = SaddleSystem.__hash__

    def __repr__(self) -> str:
        return f"SaddleSystem(equations of {_letters((*self.overlap_equations, *self.conjugate_equations))})"

    def _repr_latex_(self) -> str:
        printer = ReportPrinter(self.free_entropy.model)
        equations = {**self.intermediates, **self.overlap_equations, **self.conjugate_equations}
        return _displayed(printer.equation(str(x), x, value) for x, value in equations.items())
