"""Checks of alpha, rules, tolerances, threads and states, before any work."""

from __future__ import annotations

from typing import Any

import numpy as np

from replica.common.checked_arguments import checked_integer, checked_items, checked_number, positive_number, quoted
from replica.common.errors import InvalidArgument
from replica.model.attention_model import AttentionModel
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model, outer_directions
from saddle.averages.rules.body_centred import BodyCentredRule
from saddle.averages.rules.lattice import MOST_DIRECTIONS, LineRule
from saddle.averages.rules.outer import OuterRule
from saddle.averages.rules.sobol import SobolRule
from saddle.averages.state_space import StateSpace

__all__ = [
    "checked_alpha", "checked_rule", "checked_state", "checked_threads", "checked_tolerance", "fits_body_centred",
    "fits_lattice", "fitting_rule", "is_lattice",
]  # fmt: skip

# Far beyond anything of use on either side, and what squares and logarithms can bear.
ALPHA_RANGE = (1e-12, 1e12)


MOST_THREADS = 4096


FINEST, COARSEST_TOLERANCE = 1e-6, 0.3


RULE_PARTS = ("line", "noise", "refined", "coarsened", "sibling", "outer")


def checked_alpha(value: Any, name: str = "alpha") -> float:
    """Return a sample complexity as a float: a number, positive and finite, also a fraction or NumPy's."""
    positive_number(name, value)
    return checked_number(name, value, *ALPHA_RANGE)


def checked_tolerance(tolerance: Any) -> float | None:
    """Return a relative accuracy of averages, or None for the default one."""
    return None if tolerance is None else checked_number("tolerance", tolerance, FINEST, COARSEST_TOLERANCE)


def checked_threads(threads: Any) -> int:
    """Return a number of threads; 0 stands for one per core."""
    return checked_integer("threads", threads, 0, MOST_THREADS)


def fits_lattice(model: Model) -> bool:
    """Whether a model has no more outer directions than a lattice, and averages that are smooth in them.

    Where outputs jump or bend with the fields, as a sign and an absolute value do, or the loss with the outputs, an
    average over a lattice converges slowly, and embedded rules err alike; in one field, too.
    """
    return sum(outer_directions(model)) <= MOST_DIRECTIONS and not _bends(model)


def fits_body_centred(model: Model) -> bool:
    """Whether a body-centred lattice was measured to win over scattered points: attention of three tokens, rank one.

    Of several columns it does not serve diagrams: proximal points of columns that can be rotated into each other form
    rings about w = 0, through which some of its lines pass, so that pitchforks of the agnostic branch are torn.
    """
    attentive = isinstance(model, AttentionModel)
    return attentive and (model.sequence_length, model.rank, model.teacher_rank) == (3, 1, 1)


def is_lattice(rule: OuterRule) -> bool:
    """Whether a rule's nodes are those of a lattice: averages respect reversals, and errors are no scatter."""
    return isinstance(rule, (LineRule, BodyCentredRule))


def _bends(model: Model) -> bool:
    return isinstance(model.structure, LossStructure) and model.structure.may_bend


def checked_rule(rule: Any) -> OuterRule:
    """Return a quadrature rule; raises InvalidArgument if it is none."""
    if isinstance(rule, type) or not all(hasattr(rule, part) for part in RULE_PARTS):
        raise InvalidArgument(f"rule must be a LineRule, a BodyCentredRule, a SobolRule or None, got {quoted(rule)}")
    return rule


def fitting_rule(model: Model, rule: Any = None) -> OuterRule:
    """Return a quadrature rule if it fits a model; without one, the default rule of the kind that does.

    Raises
    ------
    InvalidArgument
        If it is no quadrature rule, or a lattice for a model of more directions than it has.
    """
    if rule is None:
        return LineRule() if fits_lattice(model) else SobolRule()
    rule = checked_rule(rule)
    if is_lattice(rule) and _bends(model):
        raise InvalidArgument(
            "rule must be a SobolRule for outputs or a loss that jump or bend: any other is a lattice, whose error "
            f"estimate does not see where, got {rule!r}"
        )
    if isinstance(rule, LineRule) and not fits_lattice(model):
        raise InvalidArgument(
            f"rule must be a SobolRule or a BodyCentredRule for {model.sequence_length} tokens, a student of rank "
            f"{model.rank} and a teacher of rank {model.teacher_rank}: a LineRule is a lattice for two tokens and rank "
            f"one, got {rule!r}"
        )
    return rule


def checked_state(state: Any, space: StateSpace) -> np.ndarray:
    """Return order parameters as a new array of floats, (n,); they need not lie in the equations' domain.

    Raises
    ------
    InvalidArgument
        If it is no sequence of as many real numbers as there are order parameters.
    """
    if isinstance(state, np.ndarray) and state.dtype == np.float64 and state.shape == (space.size,):
        return state.copy()
    names = ", ".join(quantity.name for quantity in space.quantities)
    what = f"a sequence of {space.size} numbers ({names})"
    listed = checked_items("state", state, what)
    if len(listed) != space.size:
        raise InvalidArgument(f"state must be {what}, got {quoted(state)}")
    try:
        # What is not finite is outside the domain, and said to be so.
        found = np.array(listed)
        if found.shape != (space.size,) or found.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise InvalidArgument(f"state must be {what}, got {quoted(state)}") from None
    return found.astype(float)
