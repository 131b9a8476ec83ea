"""States to start from that have large overlaps of a family's kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from replica.quantities.solvable_model import Model
from replica.symmetry.families import AGNOSTIC, knows_position, knows_teacher
from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["informed_states", "knows_several_columns", "seeds_of_family"]

# Signs of tokens' pre-activations that are tried.
MOST_PATTERNS = 4
# By what overlaps with several columns are shortened, and how often at most, until weights can have them.
SHORTER, SHORTENINGS = 0.8, 12
# Of several columns' first starts, the least penalty that their V is taken for.
MODERATE = 0.5
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
    several = knows_several_columns(space)
    if several:
        # Where columns find their teachers one by one there may be nothing in between: starts next to all of them.
        sizes = ((0.4, 0.5, max(model.regularization, MODERATE)), *sizes)
    for (size, field, penalty), pattern in itertools.product(sizes, patterns):
        state = np.zeros(space.size)
        informed = {space.quantities[i].indices[0] for i in space.of_kind("semantic_overlap") if i in broken}
        informed = informed if knows_teacher(family) else set()
        for index, x in enumerate(space.quantities):
            if x.kind == "self_overlap" and x.positive:
                # A column that knows nothing of the teacher is smaller than one that does; informed columns differ.
                column = x.indices[0]
                unlike = 1.0 if family == AGNOSTIC else 0.8**column
                large = column in informed or several
                state[index] = size * variances[x.group].mean() * (2.0 if large else unlike)
            elif x.kind == "susceptibility" and x.positive:
                state[index] = 0.5 * variances[x.group].mean() / penalty
            elif x.kind == "positional_overlap" and index in broken:
                state[index] = field * pattern[x.indices[1]]
        known = [i for i in space.of_kind("semantic_overlap") if i in broken and knows_teacher(family)]
        for chosen in _ways_to_know(space, known):
            informed_state = state.copy()
            for index in chosen:
                x = space.quantities[index]
                row, column = x.indices
                variance = space.matrices(state, "self_overlap")[x.group, row, row]
                shared = 1 if several else variances.shape[1]
                informed_state[index] = 0.8 * np.sqrt(variance * variances[x.group, column] / shared)
            yield _inside(evolution, informed_state, chosen)


def knows_several_columns(space: StateSpace) -> bool:
    """Return whether there are several columns of student or teacher, and no encodings."""
    layout = space.layout
    return not layout.directions and max(layout.rank, layout.teacher_rank) > 1


def _ways_to_know(space: StateSpace, known: list[int]) -> list[list[int]]:
    """Return which overlaps with the teacher are large at first: all, and without encodings also one for each column.

    A student may know every column of the teacher by each of its own, or each by one.
    """
    if not knows_several_columns(space):
        return [known]
    pairs = [space.quantities[i].indices for i in known]
    matched: list[tuple[int, ...]] = []
    for row, column in sorted(pairs, key=lambda pair: ((pair[1] - pair[0]) % space.layout.teacher_rank, pair)):
        if all(row != a and column != b for a, b in matched):
            matched.append((row, column))
    alone = [i for i in known if space.quantities[i].indices in matched]
    return [known] if alone == known else [known, alone]


def _inside(evolution: StateEvolution, state: np.ndarray, known: list[int]) -> np.ndarray:
    """Return a state whose overlaps with the teacher are no more than weights can have, shortened if they were."""
    space = evolution.space
    for _ in range(SHORTENINGS if knows_several_columns(space) else 0):
        if space.inside(state, evolution.channel.variances):
            break
        state[known] *= SHORTER
    return state


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
