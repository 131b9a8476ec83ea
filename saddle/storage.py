"""A phase diagram as an xarray.Dataset, and as a netCDF file that reads back to the same diagram."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from baselines import linear_positional
from replica.checked_arguments import checked_path
from replica.errors import InvalidArgument, UnreadableFile, UnwritableFile
from replica.model import AttentionModel
from saddle.branch import Branch
from saddle.outcomes import Outcome
from saddle.quadrature import LineOrders, LineRule, OuterRule, SobolRule
from saddle.state_evolution import StateEvolution
from saddle.transitions import Transition, TransitionPoint

if TYPE_CHECKING:
    from saddle.phase_diagram import PhaseDiagram

__all__ = [
    "load",
    "prepare_output",
    "read_dataset",
    "rule_from_dict",
    "rule_to_dict",
    "save",
    "to_dataset",
    "write_dataset",
]

FORMAT = "attention-phase diagram 4"
RULES = {rule.__name__: rule for rule in (LineRule, SobolRule)}
SCALARS = (
    "free_entropy",
    "free_entropy_error",
    "train_loss",
    "test_error",
    "test_error_error",
    "average_envelope",
    "residual_norm",
    "replicon_regular",
    "replicon_regular_error",
    "jump_strength",
    "jump_strength_error",
)


def prepare_output(path: str | os.PathLike[str]) -> Path:
    """Return a file path whose folder exists and can be written.

    Raises
    ------
    ValueError
        If the folder cannot be made or written, the path is a folder, or it is no path.
    """
    target = checked_path("path", path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UnwritableFile(f"cannot write to the folder {str(target.parent)!r}: {error.strerror}") from None
    if target.is_dir():
        raise UnwritableFile(f"{str(target)!r} is a folder, but a file is to be written there")
    return target


def to_dataset(diagram: PhaseDiagram) -> xr.Dataset:
    """Return a diagram as a Dataset with dimensions (branch, alpha[, order_parameter, eigenvalue]).

    Variables are named after ``replica.names``; ``outcome`` holds the outcomes' names. Model, transitions,
    rule and reasons are JSON attributes.
    """
    branches = list(diagram.branches.values())
    space = branches[0].evolution.space
    names = [quantity.name for quantity in space.quantities]
    n = diagram.alpha.size

    def stacked(values: list[np.ndarray], *tail: int) -> np.ndarray:
        return np.array(values) if values else np.empty((0, n, *tail))

    variables: dict[str, Any] = {}
    for k, quantity in enumerate(space.quantities):
        attributes = {"symbol": quantity.latex, "long_name": quantity.meaning}
        variables[quantity.name] = (
            ("branch", "alpha"), stacked([b.states[:, k] for b in branches]), attributes,
        )  # fmt: skip
        variables[f"{quantity.name}_error"] = (
            ("branch", "alpha"),
            stacked([b.errors[:, k] for b in branches]),
        )
    for k, quantity in enumerate(space.conjugates):
        attributes = {"symbol": quantity.latex, "long_name": quantity.meaning}
        values = stacked([b.conjugate_states[:, k] for b in branches])
        variables[quantity.name] = (("branch", "alpha"), values, attributes)
    for name in SCALARS:
        variables[name] = (("branch", "alpha"), stacked([getattr(b, name) for b in branches]))
    stable = stacked([b.replica_stable for b in branches]).astype(np.int8)
    variables["replica_stable"] = (("branch", "alpha"), stable)
    variables["stable"] = (("branch", "alpha"), stacked([b.stable for b in branches]).astype(np.int8))
    outcomes = np.array([[outcome.name for outcome in b.outcome] for b in branches], dtype="U12")
    variables["outcome"] = (("branch", "alpha"), outcomes.reshape(len(branches), n))
    for part in ("real", "imag"):
        values = stacked([getattr(b.eigenvalues, part) for b in branches], space.size)
        variables[f"eigenvalue_{part}"] = (("branch", "alpha", "eigenvalue"), values)
    variables["jacobian_diagonal"] = (
        ("branch", "alpha", "order_parameter"),
        stacked([b.jacobian_diagonal for b in branches], space.size),
    )
    signs = stacked([b.jacobian_signs for b in branches], 1 + len(space.odd))
    variables["jacobian_signs"] = (("branch", "alpha", "block"), signs)
    variables["sector"] = (("branch",), np.array([b.sector.value for b in branches], dtype="U12"))
    attributes = {
        "format": FORMAT,
        "model": json.dumps(diagram.model.to_dict()),
        "rule": json.dumps(rule_to_dict(diagram.rule)),
        "alpha_c": json.dumps(None if diagram.alpha_c is None else asdict(diagram.alpha_c)),
        "alpha_l": json.dumps(None if diagram.alpha_l is None else asdict(diagram.alpha_l)),
        "bifurcations": json.dumps([asdict(transition) for transition in diagram.bifurcations]),
        "first_order": json.dumps([asdict(transition) for transition in diagram.first_order]),
        "reasons": json.dumps(dict(diagram.reasons)),
        "complete": int(diagram.complete),
        "linear_baseline_test_error": diagram.linear_baseline.test_error,
    }
    coordinates = {
        "branch": [branch.name for branch in branches],
        "alpha": ("alpha", diagram.alpha, {"long_name": "sample complexity n/d"}),
        "order_parameter": names,
        "block": ["own", *(names[i] for i in space.odd)],
    }
    return xr.Dataset(variables, coordinates, attributes)


def save(diagram: PhaseDiagram, path: str | os.PathLike[str]) -> None:
    """Write a diagram to netCDF by a temporary file, so that nothing half-written is left behind.

    Raises
    ------
    ValueError
        If the folder cannot be written.
    """
    write_dataset(to_dataset(diagram), path)


def write_dataset(data: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a Dataset to netCDF, whole or not at all; raises ValueError if the folder cannot be written."""
    target = prepare_output(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".tmp")
    os.close(handle)
    try:
        data.to_netcdf(temporary, engine="scipy")
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_dataset(path: str | os.PathLike[str], wanted: str, what: str) -> xr.Dataset:
    """Read a Dataset of a wanted format, described by ``what``; raises ValueError if the file holds none."""
    path = checked_path("path", path)
    try:
        with xr.open_dataset(path, engine="scipy") as opened:
            data = opened.load()
    except (OSError, TypeError, ValueError) as error:
        raise UnreadableFile(f"cannot read {str(path)!r} as {what}: {error}") from None
    if data.attrs.get("format") != wanted:
        raise UnreadableFile(f"{str(path)!r} is not {what}: format {data.attrs.get('format')!r}")
    return data


def rule_to_dict(rule: OuterRule) -> dict[str, Any]:
    """Return a rule as plain values, for JSON; raises ValueError for a rule of another kind."""
    if not isinstance(rule, tuple(RULES.values())):
        raise InvalidArgument(f"only diagrams on a LineRule or a SobolRule can be stored, got {rule!r}")
    return {"kind": type(rule).__name__, **asdict(rule)}


def rule_from_dict(values: dict[str, Any]) -> OuterRule:
    """Return the rule that :func:`rule_to_dict` wrote."""
    others = {name: value for name, value in values.items() if name not in ("kind", "line")}
    return RULES[values["kind"]](**others, line=LineOrders(**values["line"]))


def _transition(value: dict[str, Any]) -> Transition:
    points = [
        TransitionPoint(**{**point, "order_parameters": tuple(point["order_parameters"])}) for point in value["points"]
    ]
    bracket = value["bracket"]
    changed = {
        "between": tuple(value["between"]),
        "points": tuple(points),
        "bracket": None if bracket is None else tuple(bracket),
    }
    return Transition(**{**value, **changed})


def _optional(value: dict[str, Any] | None) -> Transition | None:
    return None if value is None else _transition(value)


def load(path: str | os.PathLike[str]) -> PhaseDiagram:
    """Read a diagram back.

    Raises
    ------
    ValueError
        If the file cannot be read or is not a saved diagram.
    """
    from saddle.phase_diagram import PhaseDiagram

    data = read_dataset(path, FORMAT, "a saved phase diagram")
    attributes = {
        name: json.loads(data.attrs[name])
        for name in ("model", "rule", "alpha_c", "alpha_l", "bifurcations", "first_order", "reasons")
    }
    try:
        model, rule = AttentionModel(**attributes["model"]), rule_from_dict(attributes["rule"])
    except (KeyError, TypeError) as error:
        raise UnreadableFile(f"{str(path)!r} was saved by another version of attention-phase: {error}") from None
    evolution = StateEvolution(model, rule)
    space = evolution.space
    names, hats = ([x.name for x in quantities] for quantities in (space.quantities, space.conjugates))
    alpha = np.array(data["alpha"].values)
    alpha.setflags(write=False)
    branches = {}
    for name in map(str, data["branch"].values):
        chosen = data.sel(branch=name)
        branches[name] = Branch(
            sector=space.sector_named(str(chosen["sector"].values)),
            label=name,
            evolution=evolution,
            alpha=alpha,
            outcome=tuple(Outcome[str(outcome)] for outcome in chosen["outcome"].values),
            states=np.stack([chosen[x].values for x in names], axis=-1),
            conjugate_states=np.stack([chosen[x].values for x in hats], axis=-1),
            errors=np.stack([chosen[f"{x}_error"].values for x in names], axis=-1),
            eigenvalues=chosen["eigenvalue_real"].values + 1j * chosen["eigenvalue_imag"].values,
            jacobian_diagonal=np.array(chosen["jacobian_diagonal"].values),
            jacobian_signs=np.array(chosen["jacobian_signs"].values),
            **{name: np.array(chosen[name].values) for name in SCALARS},
        )
    return PhaseDiagram(
        model=model,
        alpha=alpha,
        branches=branches,
        alpha_c=_optional(attributes["alpha_c"]),
        alpha_l=_optional(attributes["alpha_l"]),
        bifurcations=tuple(map(_transition, attributes["bifurcations"])),
        first_order=tuple(map(_transition, attributes["first_order"])),
        linear_baseline=linear_positional(model),
        reasons=attributes["reasons"],
        rule=rule,
        complete=bool(data.attrs["complete"]),
    )
