"""Whether a loss is bounded enough from below for the training loss to have a minimum.

The ridge penalty grows with the square of the weights. A loss that falls faster than that in some direction of z has no
ground state at any alpha, whatever local minima a search may find.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from replica.quantities.loss_structure import LossStructure
from saddle.averages.parameters import class_parameter_vectors
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["no_lower_bound"]

# Directions of z, samples of the outputs, and distances at which the loss is looked at.
DIRECTIONS, SAMPLES, DISTANCES = 16, 16, (1e2, 1e4, 1e6)
# By what factor a loss's ratio to the penalty must grow from one distance to the next: more than rounding, and less
# than a logarithm does.
FASTER = 1.2


def no_lower_bound(evolution: StateEvolution) -> str:
    """Return in words that the loss falls faster than any ridge penalty grows; "" if it was not seen to do so.

    Looked at are samples of the outputs and directions of z, far out, and z = 0.

    Parameters
    ----------
    evolution
        The equations of a model. Losses of attention are squares, and not looked at.
    """
    if not isinstance(evolution.model.structure, LossStructure):
        return ""
    said = (_said_of(evolution, parameters) for _, parameters in class_parameter_vectors(evolution.model))
    return next(filter(None, said), "")


def _said_of(evolution: StateEvolution, parameters: np.ndarray) -> str:
    """Return what is said of one class of samples, whose numbers are given in the kernel's order."""
    from replica.model.any_model import loss_model
    from saddle.reference.numeric_functions import array_function

    known, generator = loss_model(evolution.model), np.random.default_rng(0)
    names = (*(x.symbol for x in known.parameters), *known.target_symbols, *known.proximal_point)
    loss = array_function(names, [known.loss], "the loss")
    size = len(known.proximal_point)
    coordinates = generator.normal(size=(SAMPLES, len(known.teacher_fields) + len(known.noise_fields)))
    given = (*(x.symbol for x in known.parameters), *known.teacher_fields, *known.noise_fields)
    outputs = array_function(given, [*known.target.flat()], "the outputs")
    with np.errstate(all="ignore"):
        targets = np.repeat(outputs(*parameters, *coordinates.T).T, DIRECTIONS, axis=0)
    directions = np.concatenate([np.eye(size), -np.eye(size), generator.normal(size=(DIRECTIONS, size))])[:DIRECTIONS]
    z = np.tile(directions / np.linalg.norm(directions, axis=1, keepdims=True), (SAMPLES, 1))
    with np.errstate(all="ignore"):
        at_zero, *ratios = (
            loss(*parameters, *targets.T, *(distance * z).T)[0] / max(distance, 1.0) ** 2
            for distance in (0.0, *DISTANCES)
        )
    if np.any(at_zero == -np.inf):
        return "the loss has no lower bound at z = 0, so that no ground state exists"
    falling = ratios[0] < 0.0
    for before, after in pairwise(ratios):
        falling &= after < FASTER * before
    if not np.any(falling):
        return ""
    worst = int(np.argmax(falling))
    shown = ", ".join(f"{x:.3g}" for x in DISTANCES[0] * z[worst])
    return (
        f"the loss falls faster than the ridge penalty grows, to {ratios[0][worst] * DISTANCES[0] ** 2:.3g} at "
        f"z = ({shown}), so that no ground state exists"
    )
