"""A phase diagram as an xarray.Dataset, and as a results file that reads back to the same diagram."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from baselines import LinearPositional, linear_positional
from replica.common.errors import UnreadableFile
from replica.quantities.names import order_parameters
from replica.symmetry.sectors import FAMILIES, Sector
from saddle.averages.state_space import StateSpace
from saddle.branches.branch import Branch
from saddle.branches.null.solution import NULL_FAMILY, null_sector
from saddle.continuation.outcomes import Outcome
from saddle.diagram.audit import Audit
from saddle.diagram.provenance import Provenance
from saddle.output.files.curve_columns import check_curves, curve_of, curve_variables, curves_to_json
from saddle.output.files.diagram_columns import (
    ALPHA_COLUMN,
    BRANCH_COLUMNS,
    FREE,
    LABELS,
    NUMBER_COLUMNS,
    quantity_columns,
)
from saddle.output.files.file_schema import Attribute, Contents, attributes_to_json, variable_of
from saddle.output.files.results_file import FileKind, read_contents, write_contents
from saddle.output.files.stored_inputs import model_from_dict, rule_from_dict, rule_to_dict
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.transition import Transition

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["DIAGRAM_FILE", "load", "save", "to_dataset"]

DIAGRAM_FILE = FileKind(
    "attention-phase diagram", "a saved phase diagram", version=6, oldest=4, sealed_since=5
)  # fmt: skip

ATTRIBUTES = (
    Attribute("alpha_c", Transition | None),
    Attribute("alpha_l", Transition | None),
    Attribute("bifurcations", tuple[Transition, ...]),
    Attribute("first_order", tuple[Transition, ...]),
    Attribute("reasons", Mapping[str, str]),
    Attribute("everywhere", tuple[Transition, ...], since=5, default=()),
    Attribute("audit", Audit, since=5, default=Audit()),
    Attribute("searched", tuple[float, float], since=5, default=(0.0, 0.0)),
    Attribute("provenance", Provenance, since=6, default=Provenance()),
)
"""Fields of a diagram that its file keeps as JSON."""

KNOWN = (NULL_FAMILY, *FAMILIES)
STORED = {Outcome.CONVERGED.name, Outcome.MERGED.name}
# Of the baseline's test error, which is computed again from the model.
BASELINE_ROUNDING = 1e-6


def to_dataset(diagram: DiagramContents) -> xr.Dataset:
    """Return a diagram as a Dataset with dimensions (branch, alpha[, order_parameter, eigenvalue]).

    Variables are named after ``replica.quantities.names``; ``outcome`` holds the outcomes' names. Model, transitions,
    rule and reasons are JSON attributes.
    """
    branches = list(diagram.branches.values())
    space = branches[0].evolution.space
    names = [quantity.name for quantity in space.quantities]
    variables: dict[str, Any] = {}
    for k, (own, error, conjugate) in enumerate(quantity_columns(space.layout)):
        variables[own.name] = variable_of(own, [b.states[:, k] for b in branches])
        variables[error.name] = variable_of(error, [b.errors[:, k] for b in branches])
        variables[conjugate.name] = variable_of(conjugate, [b.conjugate_states[:, k] for b in branches])
    for column in NUMBER_COLUMNS:
        variables[column.name] = variable_of(column, [getattr(b, column.name) for b in branches])
    others = {
        "replica_stable": [b.replica_stable.astype(np.int8) for b in branches],
        "stable": [b.stable.astype(np.int8) for b in branches],
        "outcome": [[outcome.name for outcome in b.outcome] for b in branches],
        "eigenvalue_real": [np.real(b.eigenvalues) for b in branches],
        "eigenvalue_imag": [np.imag(b.eigenvalues) for b in branches],
        "jacobian_diagonal": [b.jacobian_diagonal for b in branches],
        "jacobian_signs": [np.asarray(b.jacobian_signs, dtype=np.int8) for b in branches],
        "sector": [b.sector.name for b in branches],
        FREE: [np.isin(np.arange(space.size), b.sector.free).astype(np.int8) for b in branches],
    }
    variables |= {column.name: variable_of(column, others[column.name]) for column in BRANCH_COLUMNS}
    variables |= curve_variables(branches)
    attributes = {
        "format": DIAGRAM_FILE.format,
        "model": json.dumps(diagram.model.to_dict()),
        "rule": json.dumps(rule_to_dict(diagram.rule)),
        **attributes_to_json(ATTRIBUTES, diagram),
        "curves": curves_to_json(branches),
        "complete": int(diagram.complete),
        "linear_baseline_test_error": diagram.linear_baseline.test_error,
    }
    labels = {
        "branch": [branch.name for branch in branches],
        "order_parameter": names,
        "block": ["own", *(names[i] for i in space.odd)],
    }
    coordinates: dict[str, Any] = {column.name: variable_of(column, labels[column.name]) for column in LABELS}
    coordinates["alpha"] = variable_of(ALPHA_COLUMN, diagram.alpha)
    return xr.Dataset(variables, coordinates, attributes)


def save(diagram: DiagramContents, path: str | os.PathLike[str]) -> None:
    """Write a diagram to a sealed netCDF file, whole or not at all.

    Raises
    ------
    ValueError
        If the file cannot be written.
    """
    write_contents(to_dataset(diagram), DIAGRAM_FILE, path, _check)


def load(path: str | os.PathLike[str]) -> DiagramContents:
    """Read a diagram back.

    Raises
    ------
    ValueError
        If the file cannot be read, is not a saved diagram, or was changed after it was written.
    """
    return read_contents(path, DIAGRAM_FILE, _diagram)


def _check(contents: Contents) -> dict[str, Any]:
    """Compare a file with what it must hold, and return the arguments of a diagram that need no equations."""
    model = model_from_dict(contents.json("model", Mapping[str, Any]))
    layout = model.structure.layout
    contents.check((*LABELS, ALPHA_COLUMN))
    alpha = contents.values("alpha")
    if not (np.all(np.isfinite(alpha)) and alpha.size and alpha[0] > 0.0 and np.all(np.diff(alpha) > 0.0)):
        raise UnreadableFile(f"alpha must be positive, finite and increasing, got {alpha.tolist()!r:.80}")
    names = contents.texts("branch")
    if len(set(names)) != len(names) or any((name.split() or [""])[0] not in KNOWN for name in names):
        raise UnreadableFile(f"branches must have the names of families, each its own, got {names!r:.80}")
    if contents.texts("order_parameter") != [quantity.name for quantity in order_parameters(layout)]:
        raise UnreadableFile(f"order parameters must be the model's, got {contents.texts('order_parameter')!r:.80}")
    contents.check(column for column in BRANCH_COLUMNS if column.name == "outcome")
    outcomes = contents.values("outcome")
    unknown = sorted(set(outcomes.ravel().tolist()) - set(Outcome.__members__))
    if unknown:
        raise UnreadableFile(f"there is no outcome {unknown[0]!r:.40}")
    stored = np.isin(outcomes, sorted(STORED))
    contents.check(BRANCH_COLUMNS, stored)
    contents.check(NUMBER_COLUMNS, stored)
    contents.check((column for columns in quantity_columns(layout) for column in columns), stored)
    attributes = contents.read(ATTRIBUTES)
    if contents.version < 5:
        attributes["searched"] = (float(alpha[0]), float(alpha[-1]))
        attributes["everywhere"] = (*attributes["first_order"], *attributes["bifurcations"])
    found = [attributes["alpha_c"], attributes["alpha_l"], *attributes["everywhere"]]
    found += [*attributes["bifurcations"], *attributes["first_order"]]
    check_curves(contents, len(names))
    for transition in found:
        _check_transition(transition, len(order_parameters(layout)))
    return {
        "model": model,
        "rule": rule_from_dict(contents.json("rule", Mapping[str, Any])),
        "alpha": alpha,
        "complete": bool(contents.number("complete")),
        **attributes,
    }


def _check_transition(transition: Transition | None, unknowns: int) -> None:
    if transition is None:
        return
    if not (np.isfinite(transition.alpha) and transition.alpha > 0.0 and not transition.error < 0.0):
        raise UnreadableFile(f"transitions must be at positive alpha, with an error, got {transition}")
    if any(len(point.order_parameters) != unknowns for point in transition.points):
        raise UnreadableFile(f"points of transitions must have {unknowns} order parameters: {transition}")


def _check_baseline(contents: Contents, baseline: LinearPositional) -> None:
    """Refuse an unsealed file if its model is not the one that was solved, whose baseline was stored."""
    then = contents.number("linear_baseline_test_error")
    near = abs(then - baseline.test_error) <= BASELINE_ROUNDING * abs(then) + 10.0 * baseline.error
    if contents.version < DIAGRAM_FILE.sealed_since and not near:
        raise UnreadableFile(
            f"its model is not the one that was solved, whose linear baseline has a test error of {then!r}, "
            f"not {baseline.test_error!r}"
        )


def _diagram(contents: Contents) -> DiagramContents:
    from saddle.diagram.contents import DiagramContents

    arguments = _check(contents)
    alpha = arguments["alpha"]
    alpha.setflags(write=False)
    baseline = linear_positional(arguments["model"])
    _check_baseline(contents, baseline)
    evolution = StateEvolution(arguments["model"], arguments["rule"])
    branches = {}
    for k, name in enumerate(contents.texts("branch")):
        own = Contents(contents.data.isel(branch=k), contents.version)
        columns = quantity_columns(evolution.space.layout)
        states, errors, conjugates = (np.stack([own.values(x[i].name) for x in columns], axis=-1) for i in range(3))
        outcomes = tuple(Outcome[str(outcome)] for outcome in own.values("outcome"))
        numbers = {column.name: own.values(column.name) for column in NUMBER_COLUMNS}
        curve, attracting = curve_of(contents, k, alpha, outcomes, states, numbers)
        branches[name] = Branch(
            curve=curve,
            attracting=attracting,
            sector=_sector(own, name, evolution.space),
            name=name,
            evolution=evolution,
            alpha=alpha,
            outcome=outcomes,
            states=states,
            errors=errors,
            conjugate_states=conjugates,
            eigenvalues=own.values("eigenvalue_real") + 1j * own.values("eigenvalue_imag"),
            jacobian_diagonal=own.values("jacobian_diagonal"),
            jacobian_signs=own.values("jacobian_signs"),
            **numbers,
        )
    return DiagramContents(branches=branches, linear_baseline=baseline, **arguments)


def _sector(branch: Contents, name: str, space: StateSpace) -> Sector:
    """Return a branch's sector, by its free unknowns: its name may be one that the space does not know."""
    if name.split()[0] == NULL_FAMILY:
        return null_sector(space)
    if branch.version < 5:
        name = str(branch.data["sector"].values)
        try:
            return space.sector_named(name)
        except KeyError:
            raise UnreadableFile(f"there is no sector {name!r:.40}") from None
    return space.sector_of({int(i) for i in np.flatnonzero(branch.values(FREE))})
