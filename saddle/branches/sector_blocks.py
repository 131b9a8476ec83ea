"""Sectors of a model as invariant subspaces of the continuation's problem, and back."""

from __future__ import annotations

import numpy as np

from replica.symmetry.sectors import Sector
from saddle.averages.state_space import StateSpace
from saddle.continuation.subspaces import Block

__all__ = ["overlap_block", "sector_block", "sector_of"]


def sector_block(sector: Sector, space: StateSpace) -> Block:
    """Return the invariant subspace of a sector, with its unknowns as coordinates."""
    return _axes(sector.free, space)


def overlap_block(sector: Sector, index: int, space: StateSpace) -> Block:
    """Return the block of dF/du at solutions of a sector that holds one of the unknowns that vanish there."""
    return _axes(space.block_of(sector, index), space)


def _axes(indices: tuple[int, ...], space: StateSpace) -> Block:
    basis = np.eye(space.size)[:, list(indices)]
    return Block(basis, basis.T, basis.T, ())


def sector_of(block: Block, space: StateSpace) -> Sector:
    """Return the sector whose unknowns a block's coordinates are."""
    return space.sector_of(set(block.unknowns))
