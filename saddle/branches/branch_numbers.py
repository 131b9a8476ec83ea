"""The numbers of a branch at every point of its grid: one table of what they are and how a solution has them.

Branches are filled from it, and files store, describe and check what it lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.replicon import Replicon
from saddle.state_evolution.evaluation import StateEvaluation

__all__ = ["BRANCH_NUMBERS", "BranchNumber", "SolvedState"]


@dataclass(frozen=True)
class SolvedState:
    """What a branch keeps of one solution.

    Attributes
    ----------
    sector
        The invariant subspace it was solved in.
    evaluation
        The equations there.
    residual_norm
        Largest residual in natural units.
    replicon
        The replicon's eigenvalue.
    """

    sector: Sector
    evaluation: StateEvaluation
    residual_norm: float
    replicon: Replicon

    @property
    def test_error_error(self) -> float:
        """Error of the test error; nan at a singular Jacobian, where it is not known."""
        try:
            return self.evaluation.solution_test_error_error(self.sector.free)
        except np.linalg.LinAlgError:
            return np.nan


@dataclass(frozen=True)
class BranchNumber:
    """A field of :class:`saddle.Branch` with one number per point of its grid.

    Attributes
    ----------
    name
        The field.
    meaning, normalisation
        What it is, and what it is divided by.
    of
        The number of one solution.
    values
        What it must be: "stored", finite wherever a solution is; "known", finite where it could be computed; "error",
        that and not negative.
    """

    name: str
    meaning: str
    normalisation: str
    of: Callable[[SolvedState], float]
    values: Literal["stored", "known", "error"] = "stored"


BRANCH_NUMBERS = (
    BranchNumber("free_entropy", "free entropy Phi, minus the training loss", "per dimension d",
                 lambda x: x.evaluation.free_entropy),
    BranchNumber("free_entropy_error", "error of the free entropy", "per dimension d",
                 lambda x: x.evaluation.free_entropy_error, "error"),
    BranchNumber("train_loss", "training loss, by a route of its own", "per dimension d",
                 lambda x: x.evaluation.train_loss),
    BranchNumber("test_error", "test error", "per token and dimension, (1/(dL)) E|y - yhat|^2",
                 lambda x: x.evaluation.test_error),
    BranchNumber("test_error_error", "error of the test error", "as the test error",
                 lambda x: x.test_error_error, "error"),
    BranchNumber("average_envelope", "average E[M] of the Moreau envelope, -dPhi/dalpha", "per sample",
                 lambda x: x.evaluation.averages.envelope),
    BranchNumber("residual_norm", "largest residual of the saddle-point equations", "in the unknowns' natural units",
                 lambda x: x.residual_norm, "error"),
    BranchNumber("replicon_regular", "regular part of the replicon eigenvalue", "",
                 lambda x: x.replicon.regular, "known"),
    BranchNumber("replicon_regular_error", "error of the regular part of the replicon eigenvalue", "",
                 lambda x: x.replicon.regular_error, "error"),
    BranchNumber("jump_strength", "strength C of the proximal point's jumps, -C/T in the replicon eigenvalue", "",
                 lambda x: x.replicon.jump_strength, "known"),
    BranchNumber("jump_strength_error", "error of the strength of jumps", "",
                 lambda x: x.replicon.jump_strength_error, "error"),
)  # fmt: skip
"""In the order in which files list them."""
