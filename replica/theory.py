"""The derivation of the saddle-point equations, from the model up, as named steps that can be printed and checked.

Each step holds the SymPy objects that the next one starts from; the last ones are those that the compiled code and the
reports are generated from (``saddle_system``), so that nothing is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import sympy as sp

from replica.common.checked_arguments import quoted
from replica.equations.free_entropy import FreeEntropy, build_free_entropy
from replica.equations.saddle_system import SaddleSystem, derive_saddle_system
from replica.model.attention_model import AttentionModel
from replica.model.loss_model import LossModel
from replica.model.multi_index_model import MultiIndexModel
from replica.quantities.solvable_model import Model
from replica.quantities.structure import ModelStructure
from replica.steps import free_entropy, limits, replicas, saddle_point
from replica.steps.step import DerivationStep, step_named
from replica.symmetry.finding import find_symmetries
from replica.symmetry.reduced_system import vanishing_order_parameters
from replica.symmetry.renamings import with_renamings
from replica.symmetry.sectors import Sector, find_sectors
from replica.symmetry.symmetries import Symmetries

__all__ = ["Theory"]


@dataclass(frozen=True)
class Theory:
    """From a model to its saddle-point equations.

    Attributes
    ----------
    model
        What was asked for: a model with numbers, or a structure or loss model without.
    loss_model
        Fields, loss, outputs and law of the tokens.
    """

    model: Model | ModelStructure | LossModel
    loss_model: LossModel

    def __repr__(self) -> str:
        return f"{type(self).__name__}({quoted(self.model)})"

    def __getstate__(self) -> dict[str, object]:
        """Return the fields: averages that were derived would not be built again, and need not be."""
        return {x.name: getattr(self, x.name) for x in fields(self)}

    @cached_property
    def free_entropy(self) -> FreeEntropy:
        """Phi at zero temperature."""
        return build_free_entropy(self.loss_model)

    @cached_property
    def saddle_system(self) -> SaddleSystem:
        """The saddle-point equations."""
        return derive_saddle_system(self.free_entropy)

    @property
    def parameter_values(self) -> dict[str, float]:
        """Values of the model's parameters by name; empty if it was given without numbers."""
        return self.model.parameter_values() if isinstance(self.model, AttentionModel | MultiIndexModel) else {}

    @cached_property
    def symmetries(self) -> Symmetries:
        """The model's symmetries; renamings of tokens only where numbers are known, on which they depend."""
        found = find_symmetries(self.free_entropy)
        return with_renamings(found, self.model) if isinstance(self.model, AttentionModel | MultiIndexModel) else found

    @cached_property
    def sectors(self) -> tuple[Sector, ...]:
        """The families of solutions that the symmetries define: those that the solver looks for solutions in."""
        found = self.symmetries
        return find_sectors(self.loss_model.layout, found.signs, columns_alike=found.rotations)

    def vanishing(self, sector: Sector) -> tuple[sp.Symbol, ...]:
        """Return the order parameters that vanish in a sector."""
        return vanishing_order_parameters(self.saddle_system, sector)

    @cached_property
    def steps(self) -> tuple[DerivationStep, ...]:
        """The steps, in order."""
        model, phi, system = self.loss_model, self.free_entropy, self.saddle_system
        return (
            replicas.replicated_action(model),
            replicas.overlaps(model),
            replicas.replica_symmetric_ansatz(model),
            limits.determinants(model),
            limits.no_replicas(model),
            limits.zero_temperature_limit(model),
            free_entropy.moreau_envelope(phi),
            free_entropy.per_token_free_entropy(model),
            free_entropy.shared_order_parameters(phi),
            saddle_point.stationarity(phi),
            saddle_point.saddle_point(system),
            saddle_point.sectors(system, self.symmetries, self.sectors),
        )

    def step(self, name: str) -> DerivationStep:
        """Return a step by its name.

        Raises
        ------
        KeyError
            If there is none of that name; the message lists the names.
        """
        return step_named(self.steps, name)
