"""A phase diagram's transitions as variables along a dimension, for readers who have xarray alone.

What is read back are the transitions that the file's attributes hold; the variables are compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from saddle.output.files.diagram_columns import YES_OR_NO
from saddle.output.files.file_schema import Column, Variable, variable_of
from saddle.transitions.transition import Transition

__all__ = ["LABEL", "transition_variables"]

ALONG = ("transition",)
# At most so many solutions meet at a transition.
SOLUTIONS = 2

LABEL = Column("transition", ALONG, "transition, by its name", kind="text")

COLUMNS: tuple[tuple[Column, Callable[[Transition], Any]], ...] = (
    (Column("transition_alpha", ALONG, "sample complexity of the transition", "number of samples n over dimension d",
            r"\alpha", values="finite", ancillary=("transition_alpha_error", "transition_resolved")),
     lambda one: one.alpha),
    (Column("transition_alpha_error", ALONG, "error of the sample complexity of the transition",
            "number of samples n over dimension d"),
     lambda one: one.error),
    (Column("transition_kind", ALONG, "kind of the transition", kind="text"),
     lambda one: one.kind),
    (Column("transition_between", (*ALONG, "side"), "branches, or branch and baseline, that the transition is between",
            kind="text"),
     lambda one: one.between),
    (Column("transition_bracket", (*ALONG, "bound"), "values of alpha on both sides, between which it was found",
            "number of samples n over dimension d", comment="nan where there are none"),
     lambda one: (np.nan, np.nan) if one.bracket is None else one.bracket),
    (Column("transition_resolved", ALONG, "whether the equations of the transition were solved", kind="integer",
            comment="where they were not, alpha is a guess", flags=YES_OR_NO),
     lambda one: one.resolved),
    (Column("transition_criticality", ALONG, "of a pitchfork, whether it is supercritical or subcritical", kind="text",
            comment="empty for other kinds"),
     lambda one: one.criticality),
    (Column("transition_unstable_to", ALONG, "of a pitchfork, the order parameter that becomes critical", kind="text",
            comment="empty for other kinds"),
     lambda one: one.unstable_to),
)  # fmt: skip
"""What there is of every transition, and how it is read off one."""

AT_TRANSITION = (*ALONG, "solution")
FEWER = "nan where there are fewer solutions; the first one is on the first branch that the transition is between"
POINT_COLUMNS = (
    Column("transition_order_parameters", (*AT_TRANSITION, "order_parameter"),
           "order parameters of the solutions at the transition",
           "as the order parameter's meaning says, for weights Q of order one", comment=FEWER),
    Column("transition_free_entropy", AT_TRANSITION, "free entropy Phi of the solutions at the transition",
           "per dimension d", comment=FEWER),
    Column("transition_test_error", AT_TRANSITION, "test error of the solutions at the transition",
           "per token and dimension, (1/(dL)) E|y - yhat|^2", comment=FEWER),
)  # fmt: skip
"""What there is of the solutions there: fields of a TransitionPoint, after the prefix."""
SIDES = {"side": 2, "bound": 2}


def transition_variables(transitions: Mapping[str, Transition], unknowns: int) -> dict[str, Variable]:
    """Return transitions by name as variables, and their names as one; there may be none.

    Parameters
    ----------
    transitions
        By name.
    unknowns
        Number of order parameters.
    """
    listed = list(transitions.values())
    found = {LABEL.name: variable_of(LABEL, list(transitions))}
    for column, value in COLUMNS:
        shape = (len(listed), *(SIDES[name] for name in column.dims[1:]))
        found[column.name] = variable_of(column, [value(one) for one in listed], shape)
    for column in POINT_COLUMNS:
        tail = (unknowns,) if len(column.dims) == 3 else ()
        values = np.full((len(listed), SOLUTIONS, *tail), np.nan)
        for place, one in enumerate(listed):
            for k, point in enumerate(one.points):
                values[place, k] = getattr(point, column.name.removeprefix("transition_"))
        found[column.name] = variable_of(column, values)
    return found
