"""Lines of transitions as an xarray.Dataset, and as a results file that reads back to the same lines."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from replica.common.by_value import shortened
from replica.common.errors import UnreadableFile
from replica.quantities.names import order_parameters
from replica.quantities.solvable_model import Model
from saddle.branches.line_parameters import line_parameters
from saddle.diagram.lines.columns import PhaseColumn
from saddle.diagram.lines.contents import LinesContents
from saddle.diagram.lines.ends import LineEnd
from saddle.diagram.lines.line import TransitionLine, empty_line
from saddle.diagram.lines.plane import ParameterPlane
from saddle.diagram.provenance import Provenance
from saddle.output.files.file_schema import Attribute, Contents, attributes_to_json, variable_of
from saddle.output.files.json_values import to_json
from saddle.output.files.line_columns import (
    LABELS,
    LINE_LABEL,
    PLANE_COLUMNS,
    POINT_COLUMNS,
    SOLUTION_COLUMNS,
    SOLUTIONS,
    line_variables,
)
from saddle.output.files.metadata import description, with_own_normalisation
from saddle.output.files.results_file import FileKind, read_contents, write_contents
from saddle.output.files.stored_inputs import model_from_dict, rule_from_dict, rule_to_dict

__all__ = ["LINES_FILE", "load", "save", "to_dataset"]

LINES_FILE = FileKind("attention-phase lines", "saved lines of transitions", version=4, oldest=1, sealed_since=2)

KEPT = (
    Attribute("provenance", Provenance, since=3, default=Provenance()),
    Attribute("plane", ParameterPlane | None, since=4),
)


@dataclass(frozen=True)
class _Facts:
    """What is kept of a line besides its points."""

    kind: str
    between: tuple[str, str]
    endings: tuple[str, str]
    ends: tuple[LineEnd | None, LineEnd | None]
    solutions: int
    rule: Mapping[str, Any] | None
    complete: bool
    metastable: tuple[bool, ...] | None
    # Lines without points have one, and are not listed in the first version of the format.
    reason: str = ""
    # A line may have been asked for by another name than its own.
    name: str = ""


def _facts(line: TransitionLine) -> _Facts:
    return _Facts(
        kind=line.kind,
        between=line.between,
        endings=line.endings,
        ends=line.ends,
        solutions=line.free_entropy.shape[1],
        rule=None if line.rule is None else rule_to_dict(line.rule),
        complete=line.complete,
        metastable=None if line.metastable is None else tuple(line.metastable.tolist()),
        reason=line.reason,
        name=line.name,
    )


def to_dataset(lines: LinesContents) -> xr.Dataset:
    """Return points as a Dataset with dimensions (point, solution, order_parameter), and lines along (transition,)."""
    listed = list(lines.lines.values())
    names = [quantity.name for quantity in order_parameters(lines.model.structure.layout)]

    def padded(name: str) -> np.ndarray:
        tail = (len(names),) if name == "order_parameters" else ()
        rows = [np.full((0, SOLUTIONS, *tail), np.nan)]
        for line in listed:
            values = getattr(line, name)
            wide = np.full((len(line), SOLUTIONS, *tail), np.nan)
            wide[:, : values.shape[1]] = values
            rows.append(wide)
        return np.concatenate(rows)

    variables: dict[str, Any] = {
        column.name: variable_of(column, [x for line in listed for x in getattr(line, column.name)])
        for column in (POINT_COLUMNS if lines.plane is None else PLANE_COLUMNS)
    }
    variables["parameter"][-1]["long_name"] = f"{lines.over}, the parameter that lines are continued in"
    over = lines.over
    if lines.plane is not None:
        over = f"{lines.over} and {lines.plane.second} at alpha = {lines.plane.alpha:g}"
        for name, what in (("parameter", lines.over), ("second", lines.plane.second)):
            variables[name][-1]["long_name"] = f"{what}, a parameter of the plane that lines run through"
    variables |= {column.name: variable_of(column, padded(column.name)) for column in SOLUTION_COLUMNS}
    labels = {"line": [key for key, line in lines.lines.items() for _ in range(len(line))], "order_parameter": names}
    attributes = {
        "format": LINES_FILE.format,
        **description(
            f"Lines of transitions of {shortened(repr(lines.model))} over {over}",
            lines.provenance,
            lines.model.structure,
        ),
        "model": to_json(lines.model.to_dict()),
        "over": lines.over,
        "between": to_json(lines.between),
        "lines": to_json({key: _facts(line) for key, line in lines.lines.items()}),
        "columns": to_json(lines.columns),
        **attributes_to_json(KEPT, lines),
        "complete": int(lines.complete),
    }
    coordinates = {column.name: variable_of(column, labels[column.name]) for column in LABELS}
    derived = line_variables(lines.lines, lines.plane is not None)
    coordinates[LINE_LABEL.name] = derived.pop(LINE_LABEL.name)
    variables = with_own_normalisation(variables | derived, lines.model.structure)
    return xr.Dataset(variables, coordinates, attributes)


def save(lines: LinesContents, path: str | os.PathLike[str]) -> None:
    """Write lines to a sealed netCDF file, whole or not at all; raises ValueError if the file cannot be written."""
    write_contents(to_dataset(lines), LINES_FILE, path, _lines)


def load(path: str | os.PathLike[str]) -> LinesContents:
    """Read lines back.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no saved lines, or was changed after it was written.
    """
    return read_contents(path, LINES_FILE, _lines)


def _lines(contents: Contents) -> LinesContents:
    model = model_from_dict(contents.json("model", Mapping[str, Any]))
    over = contents.data.attrs.get("over")
    if not isinstance(over, str) or over not in line_parameters(model):
        raise UnreadableFile(f"over must be a parameter of the model, got {over!r:.40}")
    kept = contents.read(KEPT)
    plane = _plane(kept["plane"], model, over)
    contents.check((*LABELS, *(POINT_COLUMNS if plane is None else PLANE_COLUMNS), *SOLUTION_COLUMNS))
    if contents.data.sizes["solution"] != SOLUTIONS:
        raise UnreadableFile(f"there must be {SOLUTIONS} solutions, got {contents.data.sizes['solution']}")
    for name, alpha in zip(contents.texts("line"), contents.values("alpha").tolist(), strict=True):
        if not alpha > 0.0:
            raise UnreadableFile(f"alpha must be positive, got {alpha!r} on the line {name!r:.40}")
    names = [quantity.name for quantity in order_parameters(model.structure.layout)]
    if contents.texts("order_parameter") != names:
        raise UnreadableFile(f"order parameters must be the model's, got {contents.texts('order_parameter')!r:.80}")
    lines = {}
    if contents.version < 2:
        for name, reason in contents.json("reasons", Mapping[str, str]).items():
            lines[name] = empty_line(name, model, over, reason)
    facts = contents.json("lines", Mapping[str, _Facts])
    points = contents.texts("line")
    if not set(points) <= set(facts):
        raise UnreadableFile("it has points on lines that are not listed")
    for name, own in facts.items():
        place = np.flatnonzero(np.array(points, dtype=str) == name)
        held = Contents(contents.data.isel(point=place), contents.version)
        lines[name] = _line(name, own, (model, over, plane), held)
    columns = contents.json("columns", tuple[PhaseColumn, ...]) if contents.version > 1 else ()
    contents.check_derived(line_variables(lines, plane is not None), since=3)
    complete = bool(contents.number("complete"))
    return LinesContents(model, over, _between(contents), lines, complete, columns, **kept)


def _plane(plane: ParameterPlane | None, model: Model, over: str) -> ParameterPlane | None:
    """Return the plane of a file, if it is one of the model's."""
    if plane is None:
        return None
    if plane.second not in line_parameters(model) or plane.second == over:
        raise UnreadableFile(f"plane must have another parameter of the model, got {plane.second!r:.40}")
    if not np.all(np.isfinite(plane.between)) or not 0.0 < plane.alpha < np.inf:
        raise UnreadableFile(f"plane must have the ends of a range and a positive alpha, got {plane!r:.80}")
    return plane


def _between(contents: Contents) -> tuple[float, float]:
    if contents.version < 2:
        found = tuple(np.atleast_1d(contents.data.attrs.get("between", ())).tolist())
    else:
        found = contents.json("between", tuple[float, float])
    if len(found) != 2 or not np.all(np.isfinite(found)):
        raise UnreadableFile(f"between must be the ends of a range, got {found!r:.60}")
    return float(found[0]), float(found[1])


def _line(
    name: str, facts: _Facts, asked: tuple[Model, str, ParameterPlane | None], points: Contents
) -> TransitionLine:
    model, over, plane = asked
    count = points.data.sizes["point"]
    if not 1 <= facts.solutions <= SOLUTIONS:
        raise UnreadableFile(f"the line {name!r:.40} must have 1 or {SOLUTIONS} solutions, got {facts.solutions}")
    if facts.metastable is not None and len(facts.metastable) != count:
        raise UnreadableFile(f"the line {name!r:.40} must say of {count} points whether they are metastable")
    own = {
        column.name: points.values(column.name)
        for column in (*(POINT_COLUMNS if plane is None else PLANE_COLUMNS), *SOLUTION_COLUMNS)
    }
    if plane is not None and np.any(own["alpha"] != plane.alpha):
        raise UnreadableFile(f"alpha must be the plane's, {plane.alpha!r}, on the line {name!r:.40}")
    for column in SOLUTION_COLUMNS:
        solved, rest = np.split(own[column.name], [facts.solutions], axis=1)
        if not (np.all(np.isfinite(solved)) and np.all(np.isnan(rest))):
            raise UnreadableFile(f"{column.name} must be finite for the {facts.solutions} solutions of {name!r:.40}")
        own[column.name] = solved
    return TransitionLine(
        name=facts.name or name,
        kind=facts.kind,
        between=facts.between,
        model=model,
        over=over,
        endings=facts.endings,
        rule=None if facts.rule is None else rule_from_dict(facts.rule),
        reason=facts.reason,
        complete=facts.complete,
        ends=facts.ends,
        metastable=None if facts.metastable is None else np.array(facts.metastable, dtype=bool),
        plane=plane,
        **own,
    )
