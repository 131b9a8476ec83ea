"""Transitions of many models in one xarray Dataset, over the parameters in which the models differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from replica.common.checked_arguments import checked_instance, checked_items
from replica.common.errors import InvalidArgument
from replica.model.sample_class import telling_values
from replica.quantities.loss_structure import LossStructure
from saddle.diagram.contents import special_transitions
from saddle.diagram.provenance import Provenance
from saddle.output.files.diagram_columns import YES_OR_NO
from saddle.output.files.file_schema import Column, Variable, variable_of
from saddle.output.files.metadata import description
from saddle.phase_diagram import PhaseDiagram
from saddle.sweeps.model_sweep import SweptModel

__all__ = ["sweep_dataset"]

NONE = ""
OF_TRANSITIONS, OF_MODELS = ("model", "transition"), ("model",)
SAMPLES = "number of samples n over dimension d"

ALPHA = Column("alpha", OF_TRANSITIONS, "sample complexity n/d of the transition", SAMPLES, r"\alpha",
               ancillary=("error", "resolved"), comment="nan where there is no such transition")  # fmt: skip
ERROR = Column("error", OF_TRANSITIONS, "estimate of the numerical error of alpha", SAMPLES)
RESOLVED = Column("resolved", OF_TRANSITIONS, "whether the equations of the transition were solved", kind="integer",
                  comment="no where there is no such transition", flags=YES_OR_NO)  # fmt: skip
KIND = Column("kind", OF_TRANSITIONS, "kind of the transition", kind="text")
CRITICALITY = Column("criticality", OF_TRANSITIONS, "of a pitchfork, whether it is supercritical or subcritical",
                     kind="text", comment="empty for other kinds")  # fmt: skip
REASON = Column(
    "reason", OF_TRANSITIONS, "why there is no such transition", kind="text", comment="empty where not known"
)
COMPLETE = Column("complete", OF_MODELS, "whether there is a diagram, all of which was computed", kind="integer",
                  flags=YES_OR_NO)  # fmt: skip
FAILURE = Column("failure", OF_MODELS, "why there is no diagram", kind="text", comment="empty where there is one")
COLUMNS = (ALPHA, ERROR, RESOLVED, KIND, CRITICALITY, REASON, COMPLETE, FAILURE)
TRANSITION = Column("transition", ("transition",), "transition, by its name", kind="text")


def sweep_dataset(sweep: Iterable[SweptModel | PhaseDiagram]) -> xr.Dataset:
    """Put the transitions of many models into one Dataset.

    Parameters
    ----------
    sweep
        What :func:`saddle.solve_many` returned, or diagrams.

    Returns
    -------
    xarray.Dataset
        If the models are all combinations of some parameters' values, each once, these parameters are the dimensions;
        otherwise there is one dimension, ``model``, along which those that vary are coordinates. Along ``transition``
        stand the names that any diagram has. ``alpha`` and ``error`` are nan where a diagram has no such transition;
        ``resolved``, ``kind`` and ``criticality`` are the transition's own, and ``reason`` says in words why there is
        none, or that the solve was interrupted, where that is known. ``complete`` says whether there is a diagram, all
        of which was computed; ``failure`` why there is none. Models of several structures or spectra always stand along
        ``model``.

    Raises
    ------
    ValueError
        If there is no model, one is neither a diagram nor a member of a sweep, models have parameters of different
        names, or one that varies is called as a variable of the Dataset.

    Examples
    --------
    >>> from replica import AttentionModel
    >>> from saddle import SolveSettings, solve_many
    >>> models = [AttentionModel.paper(omega=omega) for omega in (0.2, 0.3)]
    >>> data = sweep_dataset(solve_many(models, (0.5, 2.0), points=3, settings=SolveSettings(tolerance=1e-2)))
    >>> data.alpha.sel(transition="alpha_c").round(2).to_series().to_dict()
    {0.2: 0.95, 0.3: 1.25}
    """
    members = [_member(place, one) for place, one in enumerate(checked_items("sweep", sweep, "a sweep or diagrams"))]
    if not members:
        raise InvalidArgument("sweep must hold at least one model, got none")
    varying = _varying(members)
    names = _names(members)
    values = {
        ALPHA: _values(members, names, lambda one: one.alpha, np.nan),
        ERROR: _values(members, names, lambda one: one.error, np.nan),
        RESOLVED: _values(members, names, lambda one: one.resolved, False),
        KIND: _values(members, names, lambda one: one.kind, NONE),
        CRITICALITY: _values(members, names, lambda one: one.criticality, NONE),
        REASON: _reasons(members, names),
        COMPLETE: [one.diagram is not None and one.diagram.complete for one in members],
        FAILURE: [one.failure for one in members],
    }
    coordinates = {column: variable_of(column, varying[column.name]) for column in map(_parameter, varying)}
    data = xr.Dataset(
        {column.name: _variable(column, found) for column, found in values.items()},
        {x.name: found for x, found in {TRANSITION: variable_of(TRANSITION, names), **coordinates}.items()},
        description(_title(members), _shared_provenance(members), members[0].model.structure),
    )
    first = members[0].model
    alike = all((x.model.structure, x.model.spectrum) == (first.structure, first.spectrum) for x in members)
    return _over_parameters(data, varying) if alike else data


def _title(members: Sequence[SweptModel]) -> str:
    others = isinstance(members[0].model.structure, LossStructure)
    return f"Transitions of {len(members)} {'multi-index models' if others else 'models of dot-product attention'}"


def _shared_provenance(members: Sequence[SweptModel]) -> Provenance:
    """Return versions and settings, if all diagrams have the same."""
    found = [one.diagram.provenance for one in members if one.diagram is not None]
    alike = bool(found) and all((x.versions, x.settings) == (found[0].versions, found[0].settings) for x in found)
    return found[0] if alike else Provenance()


def _parameter(name: str) -> Column:
    return Column(name, OF_MODELS, f"{name}, a parameter of the model")


def _variable(column: Column, values: Any) -> Variable:
    """Return a column as xarray takes it; truths stay truths, which a file keeps as the flags that they are."""
    dims, found, attributes = variable_of(column, values)
    return dims, found.astype(bool) if column.flags == YES_OR_NO else found, attributes


def _member(place: int, one: Any) -> SweptModel:
    if isinstance(one, PhaseDiagram):
        return SweptModel(one.model, one)
    return checked_instance(f"sweep[{place}]", one, SweptModel, "a PhaseDiagram or a member of a sweep")


def _varying(members: Sequence[SweptModel]) -> dict[str, np.ndarray]:
    """Return the parameters in which models differ, by name."""
    values = [telling_values(one.model) for one in members]
    for place, own in enumerate(values):
        if own.keys() != values[0].keys():
            odd = sorted(own.keys() ^ values[0].keys())[0]
            raise InvalidArgument(
                f"models of one Dataset must have parameters of the same names, but sweep[0] and sweep[{place}] differ "
                f"in {odd!r}; make one Dataset for each kind of model"
            )
    columns = {name: np.array([own[name] for own in values]) for name in values[0]}
    varying = {name: column for name, column in columns.items() if np.any(column != column[0])}
    taken = sorted(varying.keys() & {*(column.name for column in COLUMNS), "model", "transition"})
    if taken:
        raise InvalidArgument(f"parameters of models must not be called as a variable of the Dataset, got {taken[0]!r}")
    return varying


def _names(members: Sequence[SweptModel]) -> list[str]:
    """Return the names of all transitions: alpha_c and alpha_l if a model can have them, then as they first appear."""
    found = dict.fromkeys(name for one in members for name in special_transitions(one.model.structure))
    for one in members:
        found |= dict.fromkeys(() if one.diagram is None else one.diagram.transitions)
    return list(found)


def _values(members: Sequence[SweptModel], names: Sequence[str], value: Any, missing: Any) -> list[list[Any]]:
    rows = []
    for one in members:
        own = {} if one.diagram is None else one.diagram.transitions
        rows.append([value(own[name]) if name in own else missing for name in names])
    return rows


def _reasons(members: Sequence[SweptModel], names: Sequence[str]) -> list[list[str]]:
    rows = []
    for one in members:
        known = {} if one.diagram is None else one.diagram.reasons
        found = () if one.diagram is None else one.diagram.transitions
        # What an interrupted solve did not come to has one reason in common.
        rows.append([NONE if name in found else known.get(name, known.get("interrupted", NONE)) for name in names])
    return rows


def _over_parameters(data: xr.Dataset, varying: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Let parameters be dimensions, if models are all combinations of their values."""
    levels = {name: np.unique(values) for name, values in varying.items()}
    wanted = list(itertools.product(*levels.values()))
    given = list(zip(*(values.tolist() for values in varying.values()), strict=True))
    if not varying or len(given) != len(wanted) or len(set(given)) != len(given):
        return data
    if len(varying) == 1:
        (name,) = varying
        return data.swap_dims(model=name).sortby(name)
    grid = data.set_index(model=list(varying)).unstack("model").transpose(*varying, "transition", ...)
    # An index of several levels forgets what is said of them.
    return grid.assign_coords({name: (name, grid[name].values, data[name].attrs) for name in varying})
