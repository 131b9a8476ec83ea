"""Results of steps of replica-symmetry breaking as an xarray.Dataset, and as results files that read back to the same.

One format for all of them: a solution, a curve of complexities, a transition, a diagram. Solutions stand along
dimensions of their own; a diagram's file holds the replica-symmetric diagram, too, its names beginning with "diagram_".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from replica.common.by_value import shortened
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument, UnreadableFile
from replica.quantities.layout import Layout
from replica.quantities.names import order_parameters
from replica.quantities.solvable_model import Model
from saddle.branches.steps.step_solution import BrokenSymmetryPoint
from saddle.diagram.provenance import Provenance
from saddle.diagram.steps.complexity import ComplexityCurve
from saddle.diagram.steps.step_contents import StepContents
from saddle.diagram.steps.step_transitions import StepTransition
from saddle.kernel.key import structure_key, versions
from saddle.output.files.diagram_file import DIAGRAM_FILE, diagram_of, to_dataset as diagram_dataset
from saddle.output.files.file_schema import Attribute, Column, Contents, Variable, variable_of
from saddle.output.files.json_values import to_json
from saddle.output.files.metadata import description
from saddle.output.files.results_file import FileKind, read_contents, write_contents
from saddle.output.files.stored_inputs import model_from_dict, rule_from_dict, rule_to_dict
from saddle.output.steps.point_columns import PointTable, StepPoint
from saddle.state_evolution.state_evolution import StateEvolution
from saddle.state_evolution.steps.step_equations import StepRule
from saddle.transitions.transition import Transition

__all__ = ["STEPS_FILE", "StepResult", "load", "save_steps", "steps_dataset"]

StepResult = BrokenSymmetryPoint | ComplexityCurve | StepTransition | StepContents

STEPS_FILE = FileKind(
    "attention-phase steps", "saved steps of replica-symmetry breaking", version=1, oldest=1, sealed_since=1
)  # fmt: skip

POINT, TRANSITION_POINT, GRID = ("point",), ("transition_point",), ("branch", "alpha")
EMBEDDED = "diagram_"
ALPHA = Column("alpha", ("alpha",), "sample complexity", "number of samples n over dimension d", r"\alpha",
               values="finite")  # fmt: skip
BRANCH = Column("branch", ("branch",), "branch of solutions", kind="text")


MOVED_COLUMNS = (
    Column("transition", ("transition",), "transition, by its name", kind="text"),
    Column("transition_alpha", ("transition",), "sample complexity of the transition with steps",
           ALPHA.normalisation, values="finite", ancillary=("transition_alpha_error",)),
    Column("transition_alpha_error", ("transition",), "error of transition_alpha", ALPHA.normalisation),
    Column("transition_shift", ("transition",), "by how much steps move the transition", ALPHA.normalisation),
)  # fmt: skip
"""What follows from the attribute on transitions, for readers who have xarray alone."""


@dataclass(frozen=True)
class _Moved:
    """What is kept of a transition besides its solutions, which are `points` in number."""

    alpha: float
    error: float
    steps: int
    symmetric: Transition
    points: int


MOVED = Attribute("transitions", Mapping[str, _Moved])


def steps_dataset(result: StepResult) -> xr.Dataset:
    """Return a result of steps of replica-symmetry breaking as an xarray.Dataset with attributes of the CF conventions.

    Parameters
    ----------
    result
        A :class:`saddle.BrokenSymmetryPoint`, a :class:`saddle.ComplexityCurve` or a :class:`saddle.StepTransition`,
        whose solutions stand along ``point`` (that of a curve's ground state is the last), or a
        :class:`saddle.StepDiagram`, with dimensions (branch, alpha).

    Raises
    ------
    ValueError
        If it is none of these.

    Notes
    -----
    Order parameters have the names of levels, "self_overlap_0" being the outermost; ``solution`` says where replica
    symmetry is broken, and numbers of solutions that are missing are nan. Along ``level`` stand the replicons that
    say whether one more step is needed.
    """
    if isinstance(result, StepContents):
        return _diagram_data(result)
    if isinstance(result, BrokenSymmetryPoint):
        return _flat("point", [result], result.steps, {}, f"one solution, {result._where}")
    if isinstance(result, StepTransition):
        kept = _moved({result.symmetric.kind: result})
        return _flat("transition", list(result.points), result.steps, kept, result._title)
    if isinstance(result, ComplexityCurve):
        ground = [] if result.ground_state is None else [result.ground_state]
        facts = {
            "missing": to_json(result.missing),
            "complete": int(result.complete),
            "ground_state": int(result.ground_state is not None),
        }
        return _flat("complexity", [*result.points, *ground], 1, facts, result.title)
    raise InvalidArgument(f"result must be a result of steps of replica-symmetry breaking, got {quoted(result)}")


def save_steps(result: StepResult, path: str | os.PathLike[str]) -> None:
    """Write a result of steps of replica-symmetry breaking to a sealed netCDF file, whole or not at all.

    Parameters
    ----------
    result
        As for :func:`saddle.steps_dataset`.
    path
        Where to; folders are made.

    Raises
    ------
    ValueError
        If it is no such result, or the file cannot be written.
    """
    write_contents(_whole(result), STEPS_FILE, path, _check)


def load(path: str | os.PathLike[str]) -> StepResult:
    """Read back what :func:`save_steps` wrote.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no such result, or was changed after it was written.
    """
    return read_contents(path, STEPS_FILE, _result)


def _attributes(title: str, result: str, steps: int, model: Model | None, provenance: Provenance) -> dict[str, Any]:
    return {
        "format": STEPS_FILE.format,
        **description(title, provenance),
        "result": result,
        "steps": steps,
        "model": to_json(None if model is None else model.to_dict()),
    }


def _flat(result: str, points: list[StepPoint], steps: int, facts: dict[str, Any], what: str) -> xr.Dataset:
    """Return solutions along one dimension."""
    model = points[0].evolution.model if points else None
    layout = Layout() if model is None else model.structure.layout
    made = Provenance() if model is None else Provenance(versions(), structure_key(model.structure))
    variables, attributes = _listed(points, layout, steps, POINT, "")
    title = what if model is None else f"{what}, of {shortened(repr(model))}"
    return xr.Dataset(
        variables,
        {"order_parameter": ("order_parameter", [x.name for x in order_parameters(layout)], {"units": "1"})},
        {**_attributes(title[:1].upper() + title[1:], result, steps, model, made), **facts, **attributes},
    )


def _listed(
    points: list[StepPoint], layout: Layout, steps: int, dims: tuple[str, ...], prefix: str
) -> tuple[dict[str, Variable], dict[str, str]]:
    """Return solutions with their alpha, sector and rules, as variables and attributes."""
    table = PointTable(layout, steps, dims, (len(points),), prefix)
    alpha, free = _own_columns(dims, prefix)
    unknowns = len(order_parameters(layout))
    flags = [np.isin(np.arange(unknowns), point.sector.free) for point in points]
    variables = table.variables(points)
    variables[alpha.name] = variable_of(alpha, [point.alpha for point in points])
    variables[free.name] = variable_of(free, flags, (len(points), unknowns))
    rules = [rule_to_dict(point.evolution.rule) for point in points]
    return variables, {f"{prefix}rules": to_json(rules), f"{prefix}step_rules": to_json(_step_rules(points))}


def _own_columns(dims: tuple[str, ...], prefix: str) -> tuple[Column, Column]:
    alpha = Column(f"{prefix}solution_alpha", dims, ALPHA.long_name, ALPHA.normalisation, ALPHA.symbol, values="finite")
    free = Column(
        f"{prefix}free", (*dims, "order_parameter"), "whether the solution's sector leaves an order parameter free",
        kind="integer", flags=((0, "no"), (1, "yes")),
    )  # fmt: skip
    return alpha, free


def _step_rules(points: Sequence[StepPoint | None]) -> list[StepRule | None]:
    """Return how what steps add was averaged, of every solution; None where there is no gap."""
    return [point.rule if isinstance(point, BrokenSymmetryPoint) else None for point in points]


def _moved(transitions: Mapping[str, StepTransition]) -> dict[str, str]:
    facts = {
        name: _Moved(one.alpha, one.error, one.steps, one.symmetric, len(one.points))
        for name, one in transitions.items()
    }
    return {MOVED.name: to_json(facts)}


def _moved_variables(transitions: Mapping[str, StepTransition]) -> dict[str, Variable]:
    """Return transitions along a dimension."""
    listed = list(transitions.values())
    values = [list(transitions), *([getattr(x, name) for x in listed] for name in ("alpha", "error", "shift"))]
    return {
        column.name: variable_of(column, own, (len(listed),)) for column, own in zip(MOVED_COLUMNS, values, strict=True)
    }


def _diagram_data(contents: StepContents) -> xr.Dataset:
    """Return a diagram with steps, without the replica-symmetric one."""
    model = contents.diagram.model
    layout = model.structure.layout
    grid = [point for row in contents.branches.values() for point in row]
    table = PointTable(layout, contents.steps, GRID, (len(contents.branches), len(contents.alpha)))
    moved = [point for one in contents.transitions.values() for point in one.points]
    variables, attributes = _listed(moved, layout, contents.steps, TRANSITION_POINT, "transition_")
    variables |= table.variables(grid) | _moved_variables(contents.transitions)
    steps = f"{contents.steps} step{'s' * (contents.steps > 1)}"
    return xr.Dataset(
        variables,
        {
            "branch": variable_of(BRANCH, list(contents.branches)),
            "alpha": variable_of(ALPHA, contents.alpha),
            "order_parameter": ("order_parameter", [x.name for x in order_parameters(layout)], {"units": "1"}),
        },
        {
            **_attributes(
                f"Phase diagram with {steps} of replica-symmetry breaking, of {shortened(repr(model))}",
                "diagram", contents.steps, model, contents.diagram.provenance,
            ),
            **attributes,
            **_moved(contents.transitions),
            "reasons": to_json(contents.reasons),
            "complete": int(contents.complete),
            "step_rules": to_json(_step_rules(grid)),
        },
    )  # fmt: skip


def _whole(result: StepResult) -> xr.Dataset:
    """Return what a file holds: of a diagram, the replica-symmetric one as well."""
    data = steps_dataset(result)
    if not isinstance(result, StepContents):
        return data
    other = diagram_dataset(result.diagram)
    other = other.rename({str(name): f"{EMBEDDED}{name}" for name in {*other.variables, *other.dims}})
    attributes = {f"{EMBEDDED}{name}": value for name, value in other.attrs.items()}
    return data.assign_coords(other.coords).assign(other.data_vars).assign_attrs(attributes)


def _embedded(contents: Contents) -> Contents:
    """Return the replica-symmetric diagram of a file."""
    own = [str(name) for name in contents.data.variables if str(name).startswith(EMBEDDED)]
    names = {*own, *(str(name) for name in contents.data.dims if str(name).startswith(EMBEDDED))}
    attributes = {
        str(name).removeprefix(EMBEDDED): value
        for name, value in contents.data.attrs.items()
        if str(name).startswith(EMBEDDED)
    }
    coordinates = [name for name in contents.data.coords if name not in own]
    data = contents.data[own].drop_vars(coordinates, errors="ignore")
    names = {name for name in names if name in data.variables or name in data.dims}
    data = data.rename({name: name.removeprefix(EMBEDDED) for name in names}).assign_attrs(attributes)
    return Contents(data, DIAGRAM_FILE.version_of(data))


def _check(contents: Contents) -> None:
    """Refuse what could not be read back, as far as that takes no equations."""
    result, steps, model = _asked(contents)
    layout = Layout() if model is None else model.structure.layout
    tables = ((GRID, ""), (TRANSITION_POINT, "transition_")) if result == "diagram" else ((POINT, ""),)
    for dims, prefix in tables:
        PointTable(layout, steps, dims, (), prefix).check(contents)


def _asked(contents: Contents) -> tuple[str, int, Model | None]:
    """Return which result a file holds, its number of steps and its model."""
    result = str(contents.data.attrs.get("result"))
    if result not in READERS:
        raise UnreadableFile(f"result must be one of {', '.join(READERS)}, got {result!r:.40}")
    steps = contents.number("steps")
    if steps not in range(1, 100):
        raise UnreadableFile(f"steps must be a number from 1 on, got {steps!r}")
    values = contents.json("model", Mapping[str, Any] | None)
    return result, int(steps), None if values is None else model_from_dict(values)


def _result(contents: Contents) -> StepResult:
    result, steps, model = _asked(contents)
    return READERS[result](contents, model, steps)


def _solutions(
    contents: Contents, model: Model | None, steps: int, dims: tuple[str, ...], prefix: str
) -> list[StepPoint]:
    """Return the solutions that stand along one dimension."""
    layout = Layout() if model is None else model.structure.layout
    names = [x.name for x in order_parameters(layout)]
    if contents.texts("order_parameter") != names:
        raise UnreadableFile(f"order parameters must be the model's, got {contents.texts('order_parameter')!r:.80}")
    alpha, free = _own_columns(dims, prefix)
    contents.check((alpha, free))
    rules = contents.json(f"{prefix}rules", tuple[Mapping[str, Any], ...])
    alphas = contents.values(alpha.name)
    if len(rules) != len(alphas) or (len(alphas) and model is None):
        raise UnreadableFile(f"{len(alphas)} solutions must have a model and as many rules, got {len(rules)}")
    if not np.all(alphas > 0.0):
        raise UnreadableFile(f"alpha must be positive, got {alphas.tolist()!r:.60}")
    evolutions, sectors = [], []
    made: dict[str, StateEvolution] = {}
    for rule, flags in zip(rules, contents.values(free.name), strict=True):
        assert model is not None
        key = to_json(rule)
        if key not in made:
            made[key] = StateEvolution(model, rule_from_dict(rule))
        evolutions.append(made[key])
        sectors.append(made[key].space.sector_of({int(i) for i in np.flatnonzero(flags)}))
    table = PointTable(layout, steps, dims, (len(alphas),), prefix)
    found = table.points(contents, alphas, evolutions, sectors, _rules_of(contents, prefix, len(alphas)))
    return [_there(point) for point in found]


def _rules_of(contents: Contents, prefix: str, count: int) -> tuple[StepRule | None, ...]:
    """Return the rules that :func:`_step_rules` gave for so many solutions."""
    rules = contents.json(f"{prefix}step_rules", tuple[StepRule | None, ...])
    if len(rules) != count:
        raise UnreadableFile(f"{count} solutions must have as many {prefix}step_rules, got {len(rules)}")
    return rules


def _there(point: StepPoint | None) -> StepPoint:
    if point is None:
        raise UnreadableFile("a solution that is listed is missing")
    return point


def _broken(point: StepPoint) -> BrokenSymmetryPoint:
    if not isinstance(point, BrokenSymmetryPoint):
        raise UnreadableFile(f"a solution at alpha = {point.alpha!r} must have steps")
    return point


def _point(contents: Contents, model: Model | None, steps: int) -> BrokenSymmetryPoint:
    found = _solutions(contents, model, steps, POINT, "")
    if len(found) != 1:
        raise UnreadableFile(f"there must be one solution, got {len(found)}")
    return _broken(found[0])


def _complexity(contents: Contents, model: Model | None, steps: int) -> ComplexityCurve:
    found = [_broken(point) for point in _solutions(contents, model, steps, POINT, "")]
    missing = contents.json("missing", tuple[tuple[float, str], ...])
    complete, has_ground = bool(contents.number("complete")), bool(contents.number("ground_state"))
    if has_ground and not found:
        raise UnreadableFile("the ground state is missing")
    ground = found.pop() if has_ground else None
    return ComplexityCurve(tuple(found), ground, missing, complete)


def _transitions(contents: Contents, points: list[StepPoint]) -> dict[str, StepTransition]:
    """Return transitions from what is kept of them, and their solutions in the same order."""
    facts = contents.read((MOVED,))[MOVED.name]
    if sum(one.points for one in facts.values()) != len(points) or any(one.points < 0 for one in facts.values()):
        raise UnreadableFile(f"transitions must have {len(points)} solutions in total")
    found, first = {}, 0
    for name, one in facts.items():
        own = tuple(points[first : first + one.points])
        found[name] = StepTransition(one.alpha, one.error, one.steps, one.symmetric, own)
        first += one.points
    return found


def _transition(contents: Contents, model: Model | None, steps: int) -> StepTransition:
    found = list(_transitions(contents, _solutions(contents, model, steps, POINT, "")).values())
    if len(found) != 1:
        raise UnreadableFile(f"there must be one transition, got {len(found)}")
    return found[0]


def _diagram(contents: Contents, model: Model | None, steps: int) -> StepContents:
    diagram = diagram_of(_embedded(contents))
    if diagram.model != model:
        raise UnreadableFile("the replica-symmetric diagram must be of the same model")
    contents.check((ALPHA, BRANCH))
    names, alpha = contents.texts("branch"), contents.values("alpha")
    if not set(names) <= set(diagram.branches):
        raise UnreadableFile(f"branches must be the diagram's, got {names!r:.80}")
    alpha.setflags(write=False)
    chosen = [diagram.branches[name] for name in names for _ in alpha]
    table = PointTable(diagram.model.structure.layout, steps, GRID, (len(names), len(alpha)))
    points = table.points(
        contents,
        np.tile(alpha, len(names)),
        [branch.evolution for branch in chosen],
        [branch.sector for branch in chosen],
        _rules_of(contents, "", len(names) * len(alpha)),
    )
    count = len(alpha)
    branches = {name: tuple(points[k * count : (k + 1) * count]) for k, name in enumerate(names)}
    moved = _transitions(contents, _solutions(contents, model, steps, TRANSITION_POINT, "transition_"))
    contents.check_derived(_moved_variables(moved), since=1)
    reasons = contents.json("reasons", Mapping[str, str])
    return StepContents(diagram, steps, alpha, branches, moved, reasons, bool(contents.number("complete")))


READERS: dict[str, Callable[[Contents, Model | None, int], StepResult]] = {
    "point": _point,
    "complexity": _complexity,
    "transition": _transition,
    "diagram": _diagram,
}
"""What makes a result of a file, by the attribute that says which it is."""
