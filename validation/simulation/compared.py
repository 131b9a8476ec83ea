"""What runs and theory are compared by: names, values of a run, and how much of a magnitude is chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from replica.quantities.layout import Layout
from replica.quantities.names import ORDER_PARAMETERS, order_parameters
from replica.quantities.overlap_invariants import OVERLAP_KINDS, invariant_names, single_overlaps

if TYPE_CHECKING:
    from validation.simulation.gradient_descent import TrainingRun

__all__ = [
    "COMPARED",
    "VANISHING",
    "chance_ratio",
    "compared_names",
    "compared_values",
    "own_overlaps",
    "quantity_label",
    "signed_overlaps",
    "signless_overlaps",
]

# Below this an overlap counts as zero by symmetry: solvers leave rounding there, not finite overlaps.
VANISHING = 1e-8

LOSSES = ("train_loss", "test_error")


def compared_names(layout: Layout) -> tuple[str, ...]:
    """Return the compared quantities, in the order of every table: invariants of the overlaps, and two losses."""
    return (*invariant_names(layout), *LOSSES)


COMPARED = compared_names(Layout())
"""Names of the compared quantities of the paper's kind of model."""


def compared_values(run: TrainingRun) -> dict[str, float]:
    """Return what a run is compared by. Overlaps that are defined up to a sign keep theirs."""
    signed = signed_overlaps(run.model.structure.layout, run.overlaps)
    return {**run.invariants, **signed, **{name: getattr(run, name) for name in LOSSES}}


def signed_overlaps(layout: Layout, values: Mapping[str, float]) -> dict[str, float]:
    """Return those m and theta that are a single number, with their signs, by the names of their invariants.

    Order parameters may have other names of their own, as without encodings.
    """
    singles = single_overlaps(layout)
    found = {}
    for entry in order_parameters(layout):
        number = f"_{(entry.group or 0) + 1}" if entry.group is not None and layout.group_count > 1 else ""
        if entry.kind + number in singles:
            found[entry.kind + number] = values[entry.name]
    return found


def own_overlaps(layout: Layout, kind: str) -> tuple[str, ...]:
    """Return the names of the invariants of one kind of overlap."""
    return tuple(name for name in invariant_names(layout) if name.startswith(kind))


def signless_overlaps(layout: Layout) -> tuple[str, ...]:
    """Return the names of those invariants of m and theta that are singular values, of which runs have no sign."""
    listed = [name for kind in OVERLAP_KINDS[1:] for name in own_overlaps(layout, kind)]
    return tuple(name for name in listed if name not in single_overlaps(layout))


def chance_ratio(layout: Layout, name: str) -> float:
    r"""Return an upper estimate of mean over standard deviation of an m or theta that fluctuates about zero.

    The largest singular value of r x k independent normal entries is at most the root of their summed squares, of
    which this is the ratio: :math:`\sqrt{2/\pi}/\sqrt{1 - 2/\pi} = 1.32` for one entry, 1.91 for two. Fewer entries
    that fluctuate give less.
    """
    columns = layout.directions if name.startswith("positional") else layout.teacher_rank
    entries = layout.rank * columns
    mean = math.sqrt(2) * math.exp(math.lgamma((entries + 1) / 2) - math.lgamma(entries / 2))
    return mean / math.sqrt(entries - mean**2)


def quantity_label(name: str) -> str:
    """Return a quantity's letter, with its numbers, or its words."""
    letters = {quantity.name: quantity.letter for quantity in ORDER_PARAMETERS}
    for kind in OVERLAP_KINDS:
        if name.startswith(kind):
            return letters[kind] + name.removeprefix(kind)
    return {"train_loss": "training loss", "test_error": "test error"}.get(name, name)
