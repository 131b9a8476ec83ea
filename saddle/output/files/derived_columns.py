"""What a phase diagram's file says twice, for readers who have xarray alone: codes, flags, and where branches merge.

All of it follows from the rest of the file, and is compared with it when the file is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from saddle.branches.branch import Branch
from saddle.continuation.outcomes import Outcome
from saddle.output.files.diagram_columns import (
    FAMILY,
    KNOWN,
    MERGED_FLAG,
    MERGED_WITH,
    OUTCOME_CODE,
    REPLICA_STABLE,
    STABLE,
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


def branch_variables(branches: Mapping[str, Branch], size: int) -> dict[str, Variable]:
    """Return what follows from branches on a grid of some size, as variables."""
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
    families = [KNOWN.index(b.family) for b in listed]
    return variables | {FAMILY.name: variable_of(FAMILY, np.array(families, dtype=np.int8))}
