"""Results as tables of pandas: one row per observation, columns named as in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from saddle.output.files.diagram_file import to_dataset as diagram_dataset
from saddle.output.files.lines_file import to_dataset as lines_dataset
from saddle.output.steps.point_columns import SOLUTION, SOLUTIONS
from saddle.output.steps.step_files import steps_dataset

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents
    from saddle.diagram.lines.contents import LinesContents
    from saddle.diagram.steps.step_contents import StepContents

__all__ = ["diagram_frame", "lines_frame", "steps_frame"]

ON_GRID = ("branch", "alpha")
# What stands first in a row; numbers that only repeat it in a code are left out.
FIRST, CODES = ("outcome", "merged_with"), ("merged", "outcome_code")
TRUTHS = ("stable", "replica_stable")


def diagram_frame(diagram: DiagramContents) -> pd.DataFrame:
    """Return what a diagram's branches store on the grid, one row per branch and alpha."""
    data = diagram_dataset(diagram)
    branches, alpha = data["branch"].values.astype(object), data["alpha"].values
    families = [name.split()[0] for name in branches]
    columns = {
        "branch": np.repeat(branches, alpha.size),
        "family": np.repeat(np.array(families, dtype=object), alpha.size),
        "alpha": np.tile(alpha, branches.size),
    }
    on_grid = [str(name) for name, variable in data.data_vars.items() if variable.dims == ON_GRID]
    for name in (*FIRST, *(x for x in on_grid if x not in (*FIRST, *CODES))):
        values = data[name].values.reshape(-1)
        columns[name] = values.astype(bool if name in TRUTHS else object if values.dtype.kind == "U" else values.dtype)
    return pd.DataFrame(columns)


def lines_frame(lines: LinesContents) -> pd.DataFrame:
    """Return the points of all lines, one row each."""
    data = lines_dataset(lines)
    names = [str(name) for name in data["order_parameter"].values]
    line = data["line"].values.astype(object)
    kinds = {name: one.kind for name, one in lines.lines.items()}
    columns: dict[str, object] = {
        "line": line,
        "kind": np.array([kinds[name] for name in line], dtype=object),
        "over": np.full(line.size, lines.over, dtype=object),
        **{name: data[name].values for name in ("parameter", "alpha", "error", "tangent")},
        "metastable": np.array([None if x < 0 else bool(x) for x in data["metastable"].values], dtype=object),
    }
    if lines.plane is not None:
        columns["over"] = np.full(line.size, f"{lines.over}, {lines.plane.second}", dtype=object)
        columns |= {name: data[name].values for name in ("second", "second_error")}
    for k in range(data.sizes["solution"]):
        own = data.isel(solution=k)
        columns[f"branch_{k + 1}"] = own["solution_branch"].values.astype(object)
        columns |= {f"{name}_{k + 1}": own[name].values for name in ("free_entropy", "test_error")}
        columns |= {f"{name}_{k + 1}": own["order_parameters"].values[:, i] for i, name in enumerate(names)}
    return pd.DataFrame(columns)


def steps_frame(contents: StepContents) -> pd.DataFrame:
    """Return the solutions with steps, one row per branch and alpha; what has a value per level, a column per level."""
    data = steps_dataset(contents)
    branches, alpha = data["branch"].values.astype(object), data["alpha"].values
    columns: dict[str, object] = {
        "branch": np.repeat(branches, alpha.size),
        "alpha": np.tile(alpha, branches.size),
        SOLUTION: np.array([SOLUTIONS[code] for code in data[SOLUTION].values.reshape(-1)], dtype=object),
    }
    for name, variable in data.data_vars.items():
        if variable.dims == ON_GRID and name != SOLUTION:
            columns[str(name)] = variable.values.reshape(-1)
        elif variable.dims == (*ON_GRID, "level"):
            columns |= {f"{name}_{j}": variable.values[..., j].reshape(-1) for j in range(contents.steps + 1)}
    return pd.DataFrame(columns)
