"""Replica symmetry's energy as a minimum over overlaps of a maximum over V: the form in which it is a lower bound."""

import numpy as np
import pytest

from replica import AttentionModel
from saddle import StateEvolution, find_point

MODEL = AttentionModel.paper(omega=0.3)
KINDS = ("self_overlap", "positional_overlap", "susceptibility", "semantic_overlap")


def energy(evolution: StateEvolution, alpha: float, state: np.ndarray) -> float:
    """What Gordon's comparison leaves of the loss per dimension, at given overlaps and multiplier 1/V."""
    q, m, V, theta = (float(state[evolution.space.of_kind(kind)[0]]) for kind in KINDS)
    variance = MODEL.token_variance
    rest = q - variance * m**2 - theta**2 / variance
    envelope = evolution.channel.averages(state).envelope
    return MODEL.regularization * q / (2.0 * variance) - rest / (2.0 * V) + alpha * envelope


@pytest.mark.parametrize(("family", "alpha"), [("positional", 1.5), ("semantic", 0.9)])
def test_the_energy_is_a_minimum_over_overlaps_of_a_maximum_over_the_response(family, alpha):
    point = find_point(StateEvolution(MODEL), family, alpha)
    evolution, here = point.evolution, point.evaluation.state
    own = energy(evolution, alpha, here)
    assert own == pytest.approx(-point.free_entropy, rel=1e-10)
    places = dict(zip(KINDS, (evolution.space.of_kind(kind)[0] for kind in KINDS), strict=True))
    response = places.pop("susceptibility")
    for factor in (0.9, 1.1):
        moved = here.copy()
        moved[response] *= factor
        assert energy(evolution, alpha, moved) < own
    unit = np.sqrt(here[places["self_overlap"]])
    for place in places.values():
        # Overlaps that vanish may be moved either way alike.
        for sign in (-1.0, 1.0) if here[place] else (1.0,):
            moved = here.copy()
            moved[place] += sign * 0.1 * (here[place] if here[place] else unit)
            # Any V gives no more than the best does: raised from its own, or lowered.
            several = np.stack([moved] * 3)
            several[:, response] *= (0.9, 1.0, 1.1)
            assert max(energy(evolution, alpha, x) for x in several) > own
