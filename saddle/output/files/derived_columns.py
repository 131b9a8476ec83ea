"""What a phase diagram's file says twice, for readers who have xarray alone: codes, flags, and where branches merge.

All of it follows from the rest of the file, and is compared with it when the file is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from replica.quantities.layout import Layout
from saddle.branches.branch import Branch
from saddle.continuation.outcomes import Outcome
from saddle.output.files.diagram_columns import (
    MERGED_FLAG,
    MERGED_WITH,
    OUTCOME_CODE,
    REPLICA_STABLE,
    STABLE,
    family_column,
    known_families,
)
from saddle.output.files.file_schema import Variable, variable_of

__all__ = ["branch_variables", "merged_with"]

UNKNOWN = "unknown"


def merged_with(branches: Mapping[str, Branch], name: str, place: int) -> str:
    """Return the branch whose values another one stores at a place of the grid; "" if they are its own, or none.

    A branch may have merged into one that has merged itself: the last one is meant.
    """
    seen: list[str] = []
    while name in branches and name not in seen and branches[name].outcome[place] is Outcome.MERGED:
        seen.append(name)
        curve = branches[name].curve
        name = "" if curve is None else curve.end_towards(float(branches[name].alpha[place])).partner
    if not seen:
        return ""
    return name if name in branches and name not in seen else UNKNOWN


def branch_variables(branches: Mapping[str, Branch], size: int, layout: Layout) -> dict[str, Variable]:
    """Return what follows from branches of a layout on a grid of some size, as variables."""
    listed, shape = list(branches.values()), (len(branches), size)
    codes = {outcome: code for code, outcome in enumerate(Outcome)}
    of_grid = {
        REPLICA_STABLE: [b.replica_stable for b in listed],
        STABLE: [b.stable for b in listed],
        OUTCOME_CODE: [[codes[outcome] for outcome in b.outcome] for b in listed],
        MERGED_FLAG: [[outcome is Outcome.MERGED for outcome in b.outcome] for b in listed],
        MERGED_WITH: [[merged_with(branches, name, k) for k in range(size)] for name in branches],
    }
    variables = {column.name: variable_of(column, values, shape) for column, values in of_grid.items()}
    column, known = family_column(layout), known_families(layout)
    families = np.array([known.index(b.family) for b in listed], dtype=np.int8 if len(known) < 128 else np.int16)
    return variables | {column.name: variable_of(column, families)}
