"""States to start from that have large overlaps of a family's kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from replica.quantities.solvable_model import Model
from replica.symmetry.families import AGNOSTIC, knows_position, knows_teacher
from replica.symmetry.sectors import Sector
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["informed_states", "seeds_of_family"]

# Signs of tokens' pre-activations that are tried.
MOST_PATTERNS = 4
# With weaker penalties V is of the order of 1/lambda only up to some alpha, beyond which state evolution would take
# very long to come down from there: further starts have a V as if the penalty were this.
WEAK = 0.01


def informed_states(evolution: StateEvolution, sector: Sector) -> Iterator[np.ndarray]:
    """Yield states with large overlaps in the sector's directions, in units that the model sets."""
    return seeds_of_family(evolution, sector.family, sector.broken)


def seeds_of_family(evolution: StateEvolution, family: str, broken: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield states with large overlaps of a family's kind, among those that may differ from zero."""
    space, model = evolution.space, evolution.model
    variances = np.diagonal(evolution.channel.variances, axis1=1, axis2=2)
    informed_of_position = knows_position(family) and any(i in broken for i in space.of_kind("positional_overlap"))
    patterns = _positional_patterns(model) if informed_of_position else [np.zeros(model.structure.directions)]
    # Pre-activations of order 0.3 are where softmax attention starts to discriminate, whatever sigma.
    sizes = (
        (0.2, 0.3, model.regularization),
        (0.1, 0.2, model.regularization),
        (0.4, 0.5, max(model.regularization, WEAK)),
    )
    for (size, field, penalty), pattern in itertools.product(sizes, patterns):
        state = np.zeros(space.size)
        informed = {space.quantities[i].indices[0] for i in space.of_kind("semantic_overlap") if i in broken}
        informed = informed if knows_teacher(family) else set()
        for index, x in enumerate(space.quantities):
            if x.kind == "self_overlap" and x.positive:
                # A column that knows nothing of the teacher is smaller than one that does; informed columns differ.
                column = x.indices[0]
                unlike = 1.0 if family == AGNOSTIC else 0.8**column
                state[index] = size * variances[x.group].mean() * (2.0 if column in informed else unlike)
            elif x.kind == "susceptibility" and x.positive:
                state[index] = 0.5 * variances[x.group].mean() / penalty
            elif x.kind == "positional_overlap" and index in broken:
                state[index] = field * pattern[x.indices[1]]
        for index, x in enumerate(space.quantities):
            if x.kind == "semantic_overlap" and index in broken and knows_teacher(family):
                row, column = x.indices
                variance = space.matrices(state, "self_overlap")[x.group, row, row]
                state[index] = 0.8 * np.sqrt(variance * variances[x.group, column] / variances.shape[1])
        yield state


def _positional_patterns(model: Model) -> list[np.ndarray]:
    """Return overlaps with the encodings' directions, (k,), that tell tokens apart, at pre-activations of order one.

    Along one direction there is but one way; along several, tokens may have any signs but the same.
    """
    if model.classes:
        return _directions_alone(model.structure.directions)
    encoding = model.encoding_matrix
    if encoding.shape[1] == 1:
        return [np.ones(1) / np.sqrt(np.mean(encoding**2))]
    signs = [s for s in itertools.product((1.0, -1.0), repeat=len(encoding)) if s[0] > 0 and len(set(s)) > 1]
    return [np.linalg.pinv(encoding) @ np.array(s) for s in signs[:MOST_PATTERNS]]


def _directions_alone(directions: int) -> list[np.ndarray]:
    """Return overlaps with some of several directions of classes' means, (k,): with all alike, and with each alone."""
    every = [np.ones(directions)]
    return every + [row for row in np.eye(directions) if directions > 1][: MOST_PATTERNS - 1]
