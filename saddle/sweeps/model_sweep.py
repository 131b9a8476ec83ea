"""What became of many models: a diagram of each, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from replica.common.by_value import shortened
from replica.common.html_table import html_table
from replica.quantities.solvable_model import Model
from saddle.phase_diagram import PhaseDiagram
from saddle.transitions.transition import Transition

__all__ = ["INTERRUPTED", "ModelSweep", "SweptModel"]

INTERRUPTED = "interrupted before it was solved"
# Members that a notebook shows.
MOST_SHOWN = 10
# Transitions of one model that are named in a line, and those that every model of attention is asked for.
MOST_TRANSITIONS, SPECIAL = 4, ("alpha_c", "alpha_l")


def _said(name: str, transition: Transition | None) -> str:
    """Return a transition in words, or that there is none."""
    if transition is None:
        return f"no {name}"
    apart = ": alpha" if " " in name else ""
    return f"{name}{apart} = {transition.alpha:.5f} +- {transition.error:.1e}"


@dataclass(frozen=True, repr=False)
class SweptModel:
    """One model of many.

    Attributes
    ----------
    model
        The model.
    diagram
        Its phase diagram, which after an interruption may be incomplete; None if there is none.
    failure
        In words, why there is none; empty if there is one.
    """

    model: Model
    diagram: PhaseDiagram | None = field(repr=False)
    failure: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shortened(repr(self.model))}: {', '.join(self.found)})"

    def _repr_html_(self) -> str:
        return html_table(
            type(self).__name__, [("model", shortened(repr(self.model))), ("found", ", ".join(self.found))]
        )

    @property
    def found(self) -> tuple[str, ...]:
        """In words, what became of it: its transitions with their errors, or why there is no diagram."""
        if self.diagram is None:
            return (shortened(self.failure, 300),)
        found, special = self.diagram.transitions, self.diagram.special_names
        # Attention has transitions that are asked of every model; of other losses all that there are, the first ones.
        names = special if special == SPECIAL else list(dict.fromkeys((*special, *found)))[:MOST_TRANSITIONS]
        texts = [_said(name, found.get(name)) for name in names] or ["no transitions"]
        texts += [f"and {len(found) - len(names)} more"] if special != SPECIAL and len(found) > len(names) else []
        return (*texts, *(() if self.diagram.complete else ("interrupted",)))


@dataclass(frozen=True, repr=False)
class ModelSweep(Sequence[SweptModel]):
    """Many models, in the order in which they were given.

    Attributes
    ----------
    members
        A :class:`SweptModel` for every model.
    """

    members: tuple[SweptModel, ...]

    @overload
    def __getitem__(self, place: int) -> SweptModel: ...

    @overload
    def __getitem__(self, place: slice) -> ModelSweep: ...

    def __getitem__(self, place: int | slice) -> SweptModel | ModelSweep:
        """Return one, or a part of the sweep."""
        return ModelSweep(self.members[place]) if isinstance(place, slice) else self.members[place]

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[SweptModel]:
        return iter(self.members)

    @property
    def complete(self) -> bool:
        """Whether every model has a diagram, and every diagram is complete."""
        return all(one.diagram is not None and one.diagram.complete for one in self.members)

    @property
    def diagrams(self) -> tuple[PhaseDiagram, ...]:
        """The diagrams that there are."""
        return tuple(one.diagram for one in self.members if one.diagram is not None)

    @property
    def failures(self) -> dict[int, str]:
        """Why there is no diagram, by the model's place."""
        return {place: one.failure for place, one in enumerate(self.members) if one.failure}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.diagrams)} of {len(self)} models solved>"

    def _repr_html_(self) -> str:
        rows = [(f"model {place}", ", ".join(one.found)) for place, one in enumerate(self.members[:MOST_SHOWN])]
        rest = len(self) - len(rows)
        return html_table(repr(self).strip("<>"), [*rows, *([("", f"and {rest} more")] if rest else [])])

    def __str__(self) -> str:
        heading = f"{len(self.diagrams)} of {len(self)} models solved"
        return "\n".join([heading, *(f"model {place}: {why}" for place, why in self.failures.items())])
