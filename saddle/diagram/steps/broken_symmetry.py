"""Steps of replica-symmetry breaking by the name of a model and a family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from replica.common.errors import InvalidArgument
from replica.common.progress import progress_bar
from replica.quantities.solvable_model import Model
from saddle.branches.branch import SolvedPoint, find_point
from saddle.branches.steps.from_symmetric import break_symmetry
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepRule

__all__ = ["point_of", "solve_broken_symmetry"]


def solve_broken_symmetry(
    model: Model | SolvedPoint,
    family: str = "",
    alpha: float | None = None,
    steps: int = 1,
    *,
    parisi_parameters: Sequence[float] | np.ndarray | None = None,
    rule: StepRule | None = None,
    progress: bool | None = None,
) -> BrokenSymmetryPoint:
    r"""Solve for the ground state of a family with k steps of replica-symmetry breaking, at zero temperature.

    Parameters
    ----------
    model
        A model with a student of rank one, together with family and alpha; or a replica-symmetric solution.
    family
        Name of a sector, such as "positional".
    alpha
        Sample complexity n/d.
    steps
        Number k of steps.
    parisi_parameters
        Parisi's parameters y, increasing, one per step, to look at the minima that they select: for one step, those
        of energy :attr:`BrokenSymmetryPoint.energy`, of which there are exp(d complexity). By default those of the
        ground state, at which :math:`\Phi_k` is stationary.
    rule
        How what steps add is averaged: a :class:`saddle.JumpLineRule`, a :class:`saddle.GridRule`, or None for the
        default of so many steps.
    progress
        Whether to show a bar; None for where stderr is a terminal.

    Returns
    -------
    BrokenSymmetryPoint

    Raises
    ------
    ValueError
        If an argument is none of its kind, or the student has several columns.
    SolverError
        If there is no replica-symmetric solution of this family, no gap above 1e-6 of the fields' variance (2e-3 on
        grids), or the solution was not found.

    Notes
    -----
    Theory notes, section 10, and `the derivation <derivation.md>`_. The functional of k steps is exact only as k grows;
    the errors of a result are those of its own k.
    """
    point = point_of(model, family, alpha)
    with progress_bar(60 * steps, progress, f"{steps} step(s)", "evaluation") as bar:
        return break_symmetry(
            point.evolution, point.sector, point.evaluation, steps, rule, parisi_parameters, bar.update
        )


def point_of(model: Model | SolvedPoint, family: str, alpha: float | None) -> SolvedPoint:
    """Return a replica-symmetric solution: the one given, or that of a model's family.

    Raises
    ------
    ValueError
        If alpha is missing, or an argument is none of its kind.
    SolverError
        If there is none.
    """
    if isinstance(model, SolvedPoint):
        return model
    if alpha is None:
        raise InvalidArgument("alpha must be given with a model, got None")
    return find_point(StateEvolution(model), family, alpha)
