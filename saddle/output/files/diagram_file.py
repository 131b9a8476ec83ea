"""A phase diagram as an xarray.Dataset, and as a results file that reads back to the same diagram."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from baselines import LinearPositional, linear_positional
from replica.common.by_value import shortened
from replica.common.errors import UnreadableFile
from replica.quantities.loss_structure import LossStructure
from replica.quantities.names import order_parameters
from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.branches.branch import Branch
from saddle.branches.null.solution import NULL_FAMILY, null_sector
from saddle.continuation.outcomes import Outcome
from saddle.diagram.audit import Audit
from saddle.diagram.provenance import Provenance
from saddle.output.files.curve_columns import check_curves, curve_of, curve_variables, curves_to_json
from saddle.output.files.derived_columns import branch_variables
from saddle.output.files.diagram_columns import (
    ALPHA_COLUMN,
    BRANCH_COLUMNS,
    FREE,
    LABELS,
    NUMBER_COLUMNS,
    known_families,
    quantity_columns,
)
from saddle.output.files.file_schema import Attribute, Column, Contents, Variable, attributes_to_json, variable_of
from saddle.output.files.json_values import to_json
from saddle.output.files.metadata import description, with_own_normalisation
from saddle.output.files.results_file import FileKind, read_contents, write_contents
from saddle.output.files.stored_inputs import model_from_dict, rule_from_dict, rule_to_dict
from saddle.output.files.transition_columns import LABEL as TRANSITION, transition_variables
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.transitions.transition import Transition

if TYPE_CHECKING:
    from saddle.diagram.contents import DiagramContents

__all__ = ["DIAGRAM_FILE", "diagram_of", "load", "save", "to_dataset"]

DIAGRAM_FILE = FileKind(
    "attention-phase diagram", "a saved phase diagram", version=7, oldest=4, sealed_since=5
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

STORED = {Outcome.CONVERGED.name, Outcome.MERGED.name}
# Of the baseline's test error, which is computed again from the model.
BASELINE_ROUNDING = 1e-6


def to_dataset(diagram: DiagramContents) -> xr.Dataset:
    """Return a diagram as a Dataset with dimensions (branch, alpha[, order_parameter, eigenvalue]) and (transition,).

    Variables are named after ``replica.quantities.names``; ``outcome`` holds the outcomes' names, and variables with
    ``flag_values`` say what their numbers mean. Attributes hold the model, the rule, transitions and reasons as JSON.
    """
    branches, n = list(diagram.branches.values()), len(diagram.alpha)
    space = StateSpace(diagram.model.structure.layout, ())
    names = [quantity.name for quantity in space.quantities]

    def variable(column: Column, values: Any, *tail: int) -> Variable:
        return variable_of(column, values, (len(branches), n, *tail))

    variables: dict[str, Any] = {}
    for k, (own, error, conjugate) in enumerate(quantity_columns(space.layout)):
        variables[own.name] = variable(own, [b.states[:, k] for b in branches])
        variables[error.name] = variable(error, [b.errors[:, k] for b in branches])
        variables[conjugate.name] = variable(conjugate, [b.conjugate_states[:, k] for b in branches])
    for column in NUMBER_COLUMNS:
        variables[column.name] = variable(column, [getattr(b, column.name) for b in branches])
    blocks = ["own", *(names[i] for i in space.odd)]
    others = {
        "outcome": ([[outcome.name for outcome in b.outcome] for b in branches], ()),
        "eigenvalue_real": ([np.real(b.eigenvalues) for b in branches], (space.size,)),
        "eigenvalue_imag": ([np.imag(b.eigenvalues) for b in branches], (space.size,)),
        "jacobian_diagonal": ([b.jacobian_diagonal for b in branches], (space.size,)),
        "jacobian_signs": ([b.jacobian_signs for b in branches], (len(blocks),)),
    }
    columns = {column.name: column for column in BRANCH_COLUMNS}
    variables |= {name: variable(columns[name], values, *tail) for name, (values, tail) in others.items()}
    free = [np.isin(np.arange(space.size), b.sector.free) for b in branches]
    variables["sector"] = variable_of(columns["sector"], [b.sector.name for b in branches])
    variables[FREE] = variable_of(columns[FREE], free, (len(branches), space.size))
    labels = {"branch": [branch.name for branch in branches], "order_parameter": names, "block": blocks}
    coordinates: dict[str, Any] = {column.name: variable_of(column, labels[column.name]) for column in LABELS}
    coordinates["alpha"] = variable_of(ALPHA_COLUMN, diagram.alpha)
    attributes = {
        "format": DIAGRAM_FILE.format,
        **description(
            f"Phase diagram of {shortened(repr(diagram.model))}", diagram.provenance, diagram.model.structure
        ),
        "model": to_json(diagram.model.to_dict()),
        "rule": to_json(rule_to_dict(diagram.rule)),
        **attributes_to_json(ATTRIBUTES, diagram),
        "curves": curves_to_json(branches),
        "complete": int(diagram.complete),
    }
    if diagram.linear_baseline is not None:
        attributes["linear_baseline_test_error"] = diagram.linear_baseline.test_error
    variables = {**variables, **curve_variables(branches), **_derived(diagram)}
    data = xr.Dataset(with_own_normalisation(variables, diagram.model.structure), coordinates, attributes)
    return data.set_coords(TRANSITION.name)


def _derived(diagram: DiagramContents) -> dict[str, Variable]:
    """Return the variables that follow from the others and from attributes."""
    layout = diagram.model.structure.layout
    unknowns = len(order_parameters(layout))
    return {
        **branch_variables(diagram.branches, len(diagram.alpha), layout),
        **transition_variables(diagram.transitions, unknowns),
    }


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
    return read_contents(path, DIAGRAM_FILE, diagram_of)


def _check(contents: Contents) -> dict[str, Any]:
    """Compare a file with what it must hold, and return the arguments of a diagram that need no equations."""
    model = model_from_dict(contents.json("model", Mapping[str, Any]))
    layout = model.structure.layout
    contents.check((*LABELS, ALPHA_COLUMN))
    alpha = contents.values("alpha")
    if not (np.all(np.isfinite(alpha)) and alpha.size and alpha[0] > 0.0 and np.all(np.diff(alpha) > 0.0)):
        raise UnreadableFile(f"alpha must be positive, finite and increasing, got {alpha.tolist()!r:.80}")
    names = contents.texts("branch")
    if len(set(names)) != len(names) or any((name.split() or [""])[0] not in known_families(layout) for name in names):
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


def diagram_of(contents: Contents) -> DiagramContents:
    """Return the diagram that a file holds; raises ValueError if it is none."""
    from saddle.diagram.contents import DiagramContents

    arguments = _check(contents)
    alpha = arguments["alpha"]
    alpha.setflags(write=False)
    baseline = None
    if not isinstance(arguments["model"].structure, LossStructure):
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
    diagram = DiagramContents(branches=branches, linear_baseline=baseline, **arguments)
    contents.check_derived(_derived(diagram), since=7)
    return diagram


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
