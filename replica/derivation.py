"""The front door of the derivation: from a model to its equations, to print and to check."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import sympy as sp

from replica.checks.hierarchy_verification import verify_hierarchy
from replica.checks.verification import Verification, verify
from replica.common.checked_arguments import checked_integer
from replica.equations.free_entropy import FreeEntropy
from replica.equations.saddle_system import SaddleSystem
from replica.hierarchy.theory import HierarchicalTheory
from replica.model.any_model import loss_model
from replica.model.loss_model import LossModel
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure
from replica.reports.formats.choices import ReportOptions
from replica.reports.notebook import ShownFreeEntropy, ShownSystem, shown_step
from replica.reports.theory_report import write_hierarchy_report, write_theory_report
from replica.reports.typesetting.latex_names import latex_table
from replica.steps.step import DerivationStep
from replica.theory import Theory

__all__ = ["BrokenSymmetryDerivation", "Derivation", "derive", "derive_broken_symmetry"]


class Derivation(Theory):  # noqa: D101
    __doc__ = Theory.__doc__

    @cached_property
    def free_entropy(self) -> FreeEntropy:
        """Phi at zero temperature; a notebook shows it."""
        return ShownFreeEntropy.of(super().free_entropy)

    @cached_property
    def saddle_system(self) -> SaddleSystem:
        """The saddle-point equations; a notebook shows them."""
        return ShownSystem.of(super().saddle_system)

    @cached_property
    def steps(self) -> tuple[DerivationStep, ...]:
        """The steps, in order; a notebook shows each, and each of its equations."""
        return tuple(shown_step(x, self.loss_model) for x in super().steps)

    @cached_property
    def latex_names(self) -> Mapping[sp.Symbol, str]:
        """LaTeX of order parameters, parameters and fields."""
        return latex_table(self.loss_model)

    def report(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("latex", "markdown", "html"),
        latex_names: Mapping[str, str] | None = None,
        prefix: str | None = None,
        line_width: float = 31.0,
        macros: Mapping[str, str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> list[Path]:
        """Write the model's equations to a folder and return the files' paths.

        Parameters are those of :meth:`saddle.PhaseDiagram.report`; of ``parts`` there are those up to "parameters".

        Raises
        ------
        InvalidArgument
            If one of them is refused, pdflatex is missing or fails, or the folder cannot be written.
        """
        options = ReportOptions(formats, latex_names, prefix, line_width, macros, parts)
        return write_theory_report(self, folder, options)

    def verify(self, **options: Any) -> Verification:
        """Check every step by an independent route; see ``replica.checks.verification.verify``."""
        return verify(self, **options)


def derive(model: Model | ModelStructure | LossModel) -> Derivation:
    """Derive the saddle-point equations of a model.

    Parameters
    ----------
    model
        An attention model, any multi-index model, or (without numbers) a structure or loss model.

    Returns
    -------
    Derivation
        Its steps are derived when first asked for.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> equations = derive(AttentionModel(omega=0.3)).saddle_system
    >>> [str(x.symbol) for x in equations.order_parameters]
    ['q', 'm', 'V', 'theta']
    >>> q, m, V, theta = (x.symbol for x in equations.order_parameters)
    >>> equations.overlap_equations[V]
    sigma**2/(V_hat*sigma**2 + regularization)
    """
    return Derivation(model, loss_model(model))


class BrokenSymmetryDerivation(HierarchicalTheory):  # noqa: D101
    __doc__ = HierarchicalTheory.__doc__

    def report(
        self,
        folder: str | os.PathLike[str],
        formats: Sequence[str] = ("latex", "markdown", "html"),
        latex_names: Mapping[str, str] | None = None,
        prefix: str | None = None,
        line_width: float = 31.0,
        macros: Mapping[str, str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> list[Path]:
        """Write the derivation to a folder and return the files' paths.

        Parameters are those of :meth:`saddle.PhaseDiagram.report`; of ``parts`` there are "symbols" and "derivation".

        Raises
        ------
        InvalidArgument
            If one of them is refused, pdflatex is missing or fails, or the folder cannot be written.
        """
        options = ReportOptions(formats, latex_names, prefix, line_width, macros, parts)
        return write_hierarchy_report(self, folder, options)

    def verify(self, seed: int = 0, steps: Sequence[str] | None = None) -> Verification:
        """Check every step by an independent route.

        Parameters
        ----------
        seed
            Seed of the random points at which expressions are evaluated.
        steps
            Names of the steps to check; by default all.

        Raises
        ------
        InvalidArgument
            If a name is not one of a step.
        """
        return verify_hierarchy(self, seed, steps)


def derive_broken_symmetry(model: Model | ModelStructure | LossModel, steps: int = 1) -> BrokenSymmetryDerivation:
    """Derive the saddle-point equations of a model at some steps of replica-symmetry breaking, at zero temperature.

    Parameters
    ----------
    model
        An attention model, any multi-index model, or (without numbers) a structure or loss model.
    steps
        Number of steps; 0 is replica symmetry, by the same code.

    Returns
    -------
    BrokenSymmetryDerivation
        Its steps are derived when first asked for.

    Raises
    ------
    InvalidArgument
        If the model is none, or the number of steps is not a whole number from 0 on.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> derivation = derive_broken_symmetry(AttentionModel(omega=0.3), steps=1)
    >>> derivation.terms.prior.integrand
    -(log(B1) - log(B2))/(2*y1) + (m_hat**2 + q_hat0*sigma**2 + sigma**4*theta_hat**2)/(2*B1)
    >>> derivation.saddle_system.overlap_equations[derivation.quantities.order_parameters[3].symbol]
    sigma**2/B2
    """
    return BrokenSymmetryDerivation(model, loss_model(model), checked_integer("steps", steps, 0))
