"""Ground states as an xarray.Dataset, and as sealed results files that read back to the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr

from replica.common.by_value import shortened
from replica.common.checked_arguments import checked_instance
from replica.common.errors import UnreadableFile
from replica.model.attention_model import AttentionModel
from saddle.diagram.provenance import Provenance
from saddle.output.files.file_schema import Column, Contents, variable_of
from saddle.output.files.json_values import to_json
from saddle.output.files.metadata import description
from saddle.output.files.results_file import FileKind, read_contents, write_contents
from saddle.output.files.stored_inputs import model_from_dict
from validation.minima.ground_state import GroundState
from validation.simulation.gradient_descent import TrainingRun

__all__ = ["GROUND_STATE_FILE", "ground_state_dataset", "load_ground_state", "save_ground_state"]

GROUND_STATE_FILE = FileKind(
    "attention-phase ground state", "a saved ground state", version=1, oldest=1, sealed_since=1
)  # fmt: skip

MINIMUM = ("minimum",)
NAMES = ("metastable", "lowest")
LABEL = Column("minimum", MINIMUM, "where descent stopped, and where moves led from there", kind="text")
MOVES = (
    Column("loss", ("move",), "training loss at the first minimum and after every accepted move", "per dimension d",
           values="finite"),
    Column("wrong_wells", ("move",), "samples that are not at the global minimum of their Moreau objective",
           kind="integer"),
    Column("susceptibility", ("move",), "V = sigma^2 tr(H^-1) / d, the response of the minimum", values="finite"),
)  # fmt: skip
NUMBERS = (
    Column("train_loss", MINIMUM, "training loss", "per dimension d"),
    Column("test_error", MINIMUM, "test error on fresh samples", "per token"),
    Column("test_error_standard_error", MINIMUM, "standard error of test_error", "per token"),
    Column("gradient_norm", MINIMUM, "root mean square of the gradient's entries"),
)
"""Numbers of a run, under the names of its fields."""


@dataclass(frozen=True)
class _Run:
    """What is kept of a run besides its model, its numbers and its student."""

    dimension: int
    samples: int
    start: str
    method: str
    dtype: str
    learning_rate: float | None
    steps: int
    polished: bool
    converged: bool
    overlaps: Mapping[str, float]


def _student(width: int) -> Column:
    return Column("student", (*MINIMUM, "weight", *(("column",) if width > 1 else ())), "the student Q",
                  "of order one", values="finite")  # fmt: skip


def ground_state_dataset(found: GroundState) -> xr.Dataset:
    """Return a ground state as a Dataset: along ``minimum`` its two minima, along ``move`` the way between them.

    Parameters
    ----------
    found
        What :func:`validation.ground_state` returned.

    Returns
    -------
    xarray.Dataset
        Losses, test errors, overlaps and students of both minima; loss, samples in wrong wells and V after every
        accepted move. Attributes follow the CF conventions.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = checked_instance("found", found, GroundState, "a GroundState")
    runs = (found.metastable, found.lowest)
    columns = 1 if runs[0].student.ndim == 1 else runs[0].student.shape[1]
    variables = {
        column.name: variable_of(column, values)
        for column, values in zip(MOVES, (found.losses, found.wrong_wells, found.susceptibilities), strict=True)
    }
    variables |= {x.name: variable_of(x, [getattr(run, x.name) for run in runs]) for x in NUMBERS}
    for name in runs[0].overlaps:
        own = Column(name, MINIMUM, f"{name.replace('_', ' ')} of the student")
        variables[name] = variable_of(own, [run.overlaps[name] for run in runs])
    student = _student(columns)
    variables[student.name] = variable_of(student, [run.student for run in runs])
    kept = [_Run(**{x.name: getattr(run, x.name) for x in fields(_Run)}) for run in runs]
    attributes = {
        "format": GROUND_STATE_FILE.format,
        **description(f"Ground state of {shortened(repr(runs[0].model))}", Provenance()),
        "source": "training by gradient descent and moves of single samples, by attention-phase",
        "model": to_json(runs[0].model.to_dict()),
        "runs": to_json(kept),
        "tried": found.tried,
        "complete": int(found.complete),
        "interrupted": int(found.interrupted),
    }
    return xr.Dataset(variables, {LABEL.name: variable_of(LABEL, NAMES)}, attributes)


def save_ground_state(found: GroundState, path: str | os.PathLike[str]) -> None:
    """Write a ground state to a sealed netCDF file, whole or not at all.

    Parameters
    ----------
    found
        What :func:`validation.ground_state` returned, also an interrupted one.
    path
        Where to; folders are made.

    Raises
    ------
    ValueError
        If it is none, or the file cannot be written.
    """
    write_contents(ground_state_dataset(found), GROUND_STATE_FILE, path, _ground_state)


def load_ground_state(path: str | os.PathLike[str]) -> GroundState:
    """Read back what :func:`validation.save_ground_state` wrote.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no ground state, or was changed after it was written.
    """
    return read_contents(path, GROUND_STATE_FILE, _ground_state)


def _ground_state(contents: Contents) -> GroundState:
    model = model_from_dict(contents.json("model", Mapping[str, Any]))
    if not isinstance(model, AttentionModel):
        raise UnreadableFile(f"model must be an AttentionModel, got {model!r:.60}")
    contents.check((LABEL, *MOVES, *NUMBERS, _student(model.rank)))
    kept = contents.json("runs", tuple[_Run, ...])
    if tuple(contents.texts(LABEL.name)) != NAMES or len(kept) != len(NAMES):
        raise UnreadableFile(f"minima must be {' and '.join(NAMES)}, got {contents.texts(LABEL.name)!r:.60}")
    runs = []
    for k, one in enumerate(kept):
        student = _read_only(contents.values("student")[k])
        if student.shape != (one.dimension, *((model.rank,) if model.rank > 1 else ())):
            raise UnreadableFile(f"students must have {one.dimension} rows, got the shape {student.shape}")
        numbers: dict[str, Any] = {x.name: float(contents.values(x.name)[k]) for x in NUMBERS}
        numbers |= {x.name: getattr(one, x.name) for x in fields(_Run)}
        runs.append(TrainingRun(model=model, student=student, **numbers))
    losses, wells, response = (_read_only(contents.values(column.name)) for column in MOVES)
    if not losses.size:
        raise UnreadableFile("loss must have the first minimum's value")
    return GroundState(
        metastable=runs[0],
        lowest=runs[1],
        losses=losses,
        wrong_wells=wells.astype(np.int64),
        susceptibilities=response,
        tried=int(contents.number("tried")),
        complete=bool(contents.number("complete")),
        interrupted=bool(contents.number("interrupted")),
    )


def _read_only(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
