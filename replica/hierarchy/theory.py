"""k steps of replica-symmetry breaking of one model, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.hierarchy.equations.eliminated import EliminatedTerms, eliminated_terms
from replica.hierarchy.equations.splitting import Splitting
from replica.hierarchy.equations.stationarity import HierarchicalSystem
from replica.hierarchy.explicit_terms import ExplicitTerms, explicit_terms
from replica.hierarchy.functional import HierarchicalFreeEntropy, hierarchical_free_entropy
from replica.hierarchy.quantities import HierarchyQuantities
from replica.hierarchy.steps import hierarchy_steps
from replica.model.loss_model import LossModel
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure
from replica.steps.step import DerivationStep, step_named

__all__ = ["HierarchicalTheory"]


@dataclass(frozen=True)
class HierarchicalTheory:
    """From a model to its saddle-point equations at k steps of replica-symmetry breaking.

    Attributes
    ----------
    model
        What was asked for: a model with numbers, or a structure or loss model without.
    loss_model
        Fields, loss, outputs and law of the tokens.
    breaking_steps
        Number k of steps; 0 is replica symmetry.
    """

    model: Model | ModelStructure | LossModel
    loss_model: LossModel
    breaking_steps: int

    def __repr__(self) -> str:
        return f"{type(self).__name__}({quoted(self.model)}, {self.breaking_steps})"

    def __getstate__(self) -> dict[str, object]:
        """Return the fields: averages that were derived would not be built again, and need not be."""
        return {x.name: getattr(self, x.name) for x in fields(self)}

    @property
    def quantities(self) -> HierarchyQuantities:
        """The unknowns, by level."""
        return self.terms.quantities

    @cached_property
    def terms(self) -> ExplicitTerms:
        """Trace and prior term, and what computes their numbers."""
        return explicit_terms(self.loss_model, self.breaking_steps)

    @cached_property
    def free_entropy(self) -> HierarchicalFreeEntropy:
        """Phi_k at zero temperature."""
        return hierarchical_free_entropy(self.loss_model, self.breaking_steps)

    @cached_property
    def saddle_system(self) -> HierarchicalSystem:
        """Its stationarity."""
        return HierarchicalSystem(self.free_entropy)

    @cached_property
    def eliminated(self) -> EliminatedTerms | None:
        """Trace and prior term without conjugates, where that has a closed form."""
        try:
            return eliminated_terms(self.loss_model, self.breaking_steps)
        except InvalidArgument:
            return None

    @cached_property
    def splittings(self) -> tuple[Splitting, ...]:
        """What a gap that is split off each level, 0 to k, makes of itself."""
        return tuple(Splitting(self.free_entropy, level) for level in self.quantities.levels)

    @cached_property
    def steps(self) -> tuple[DerivationStep, ...]:
        """The steps of the derivation, in order."""
        return hierarchy_steps(self.saddle_system, self.eliminated, self.splittings)

    def step(self, name: str) -> DerivationStep:
        """Return a step by its name.

        Raises
        ------
        KeyError
            If there is none of that name; the message lists the names.
        """
        return step_named(self.steps, name)
