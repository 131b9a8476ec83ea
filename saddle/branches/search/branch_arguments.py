"""Checks of a branch's equations and sector, before any work."""

from __future__ import annotations

from typing import Any

from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidArgument
from replica.symmetry.sectors import Sector
from saddle.state_evolution.state_evolution import StateEvolution

__all__ = ["checked_evolution", "checked_sector"]


def checked_evolution(evolution: Any) -> StateEvolution:
    """Return a model's equations if they are any."""
    from saddle.state_evolution.state_evolution import StateEvolution

    if not isinstance(evolution, StateEvolution):
        raise InvalidArgument(f"evolution must be a StateEvolution of a model, got {quoted(evolution)}")
    return evolution


def checked_sector(evolution: StateEvolution, sector: Any) -> Sector:
    """Return a sector of a model, given as such or by the name of a family of solutions.

    Raises
    ------
    InvalidArgument
        If there is no such family, or the sector belongs to another kind of model.
    """
    if isinstance(sector, str):
        named = {known.name: known for known in evolution.sectors}
        if sector not in named:
            raise InvalidArgument(f"sector must be one of this model's, {', '.join(map(repr, named))}, got {sector!r}")
        return named[sector]
    if not isinstance(sector, Sector):
        raise InvalidArgument(f"sector must be a Sector or the name of a family of solutions, got {quoted(sector)}")
    own = evolution.space
    if not all(i in range(own.size) for i in sector.free) or own.sector_of(set(sector.free)).family != sector.family:
        raise InvalidArgument(f"sector must be one of this model's, {evolution.sectors!r}, got {sector!r}")
    return sector
