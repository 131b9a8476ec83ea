"""Invariant subspaces of a problem's symmetries, and branches inside them as curves.

A solution that is fixed by some of the symmetries lies in the subspace that they fix, and there dF/dx falls into
blocks: one that acts within the subspace, and one for each way of breaking a symmetry further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from saddle.continuation.curve.curves import CurveEvaluation
from saddle.continuation.problem import Evaluation, Involution, Problem

__all__ = ["Block", "Section", "group_elements", "isotropy", "symmetry_blocks"]

# How far, in natural units, a symmetry may move a point that it is said to fix.
FIXED = 1e-7


@dataclass(frozen=True)
class Block:
    """A subspace on which the symmetries that fix a point act by signs.

    Attributes
    ----------
    basis
        Its directions among the unknowns, (n, m).
    coordinates
        Coordinates in the basis, (m, n).
    equations
        The combinations of residuals that belong to it, (m, n).
    signs
        How each symmetry that fixes the point acts: 1 or -1.
    """

    basis: np.ndarray
    coordinates: np.ndarray
    equations: np.ndarray
    signs: tuple[int, ...]

    @property
    def size(self) -> int:
        """Dimension m."""
        return self.basis.shape[1]

    @property
    def unknowns(self) -> frozenset[int]:
        """Indices of the unknowns that its directions change."""
        return frozenset(map(int, np.flatnonzero(np.any(self.basis != 0.0, axis=1))))

    def units(self, problem: Problem, x: np.ndarray) -> np.ndarray:
        """Return the natural size of each coordinate at x (n,), (m,)."""
        return np.abs(self.coordinates) @ problem.units(x)

    def scales(self, here: Evaluation) -> np.ndarray:
        """Return the unit of each of its equations, (m,)."""
        return np.abs(self.equations) @ here.scales

    def jacobian(self, problem: Problem, here: Evaluation, x: np.ndarray) -> np.ndarray:
        """Return the block of dF/dx in natural units, (m, m)."""
        return self.equations @ here.jacobian @ self.basis * self.units(problem, x) / self.scales(here)[:, None]

    @property
    def symmetric(self) -> bool:
        """Whether it is the subspace of what the symmetries leave alone."""
        return all(sign > 0 for sign in self.signs)


def group_elements(symmetries: Sequence[Involution]) -> list[Involution]:
    """Return all products of commuting involutions but the identity."""
    found = []
    for count in range(1, len(symmetries) + 1):
        for chosen in combinations(symmetries, count):
            unknowns, residuals = chosen[0].on_unknowns, chosen[0].residuals
            for other in chosen[1:]:
                unknowns, residuals = unknowns @ other.on_unknowns, residuals @ other.residuals
            found.append(Involution(unknowns, residuals))
    return found


def isotropy(problem: Problem, x: np.ndarray) -> list[Involution]:
    """Return the symmetries that leave a point where it is."""
    units = problem.units(x)
    return [
        element
        for element in group_elements(problem.symmetries)
        if np.max(np.abs((element.on_unknowns @ x - x) / units)) < FIXED
    ]


def _eigenspaces(matrices: Sequence[np.ndarray], size: int) -> dict[tuple[int, ...], np.ndarray]:
    """Return bases of the joint eigenspaces of commuting involutions, by their signs."""
    spaces: dict[tuple[int, ...], np.ndarray] = {(): np.eye(size)}
    for matrix in matrices:
        finer = {}
        for signs, basis in spaces.items():
            for sign in (1, -1):
                projected = 0.5 * (basis + sign * (matrix @ basis))
                left, values, _ = np.linalg.svd(projected, full_matrices=False)
                rank = int(np.sum(values > 1e-9 * max(1.0, values[0]))) if values.size else 0
                if rank:
                    finer[(*signs, sign)] = left[:, :rank]
        spaces = finer
    return {signs: _aligned(basis) for signs, basis in spaces.items()}


def _aligned(basis: np.ndarray) -> np.ndarray:
    """Return the same space's basis along the axes, exactly, if some axes span it."""
    axes = np.flatnonzero(np.linalg.norm(basis, axis=1) > 1e-9)
    if len(axes) == basis.shape[1]:
        return np.eye(len(basis))[:, axes]
    return basis


def symmetry_blocks(problem: Problem, x: np.ndarray) -> tuple[Block, ...]:
    """Return the blocks at a point, the symmetric one first (which may have no dimension)."""
    fixing = isotropy(problem, x)
    size = problem.size
    unknowns = _eigenspaces([element.on_unknowns for element in fixing], size)
    residuals = _eigenspaces([element.residuals for element in fixing], size)
    order = sorted(unknowns, reverse=True)
    if {signs: basis.shape[1] for signs, basis in unknowns.items()} != {
        signs: basis.shape[1] for signs, basis in residuals.items()
    }:
        raise ValueError(
            "a symmetry acts on the residuals unlike on the unknowns: its eigenspaces have other dimensions, "
            "so it is no symmetry, or not an involution"
        )
    coordinates = np.linalg.inv(np.hstack([unknowns[signs] for signs in order]))
    equations = np.linalg.inv(np.hstack([residuals[signs] for signs in order]))
    blocks, first = [], 0
    for signs in order:
        last = first + unknowns[signs].shape[1]
        blocks.append(Block(unknowns[signs], coordinates[first:last], equations[first:last], signs))
        first = last
    if not blocks[0].symmetric:
        empty = np.zeros((0, size))
        blocks.insert(0, Block(empty.T, empty, empty, (1,) * len(fixing)))
    return tuple(blocks)


@dataclass(frozen=True)
class Section:
    """Branches of a problem within an invariant subspace: a curve in its coordinates and one parameter.

    Attributes
    ----------
    problem
        The problem.
    block
        The subspace, with m coordinates.
    parameters
        Values of all parameters, (k,); that of the active one is not used.
    active
        Which parameter varies.
    """

    problem: Problem
    block: Block
    parameters: np.ndarray
    active: int = 0

    @property
    def noise(self) -> float:
        """Of the problem."""
        return self.problem.noise

    def full(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return unknowns (n,) and parameters (k,) at a point of the curve (m + 1,)."""
        parameters = np.array(self.parameters, dtype=float)
        parameters[self.active] = y[-1]
        return self.block.basis @ y[:-1], parameters

    def coordinates(self, x: np.ndarray, parameter: float) -> np.ndarray:
        """Return the point (m + 1,) with unknowns x (n,) and a value of the active parameter."""
        return np.append(self.block.coordinates @ x, parameter)

    def evaluate(self, y: np.ndarray) -> CurveEvaluation:
        """Evaluate the equations of the subspace; the detail is the problem's evaluation."""
        here = self.problem.evaluate(*self.full(y))
        return CurveEvaluation(
            residual=self.block.equations @ here.residual,
            jacobian=np.column_stack(
                [
                    self.block.equations @ here.jacobian @ self.block.basis,
                    self.block.equations @ here.parameter_derivatives[:, self.active],
                ]
            ),
            scales=self.block.scales(here),
            detail=here,
        )

    def units(self, y: np.ndarray) -> np.ndarray:
        """Return natural sizes of the coordinates and the parameter."""
        x, parameters = self.full(y)
        return np.append(self.block.units(self.problem, x), self.problem.parameter_units(parameters)[self.active])

    def on(self, block: Block) -> Section:
        """Return the same problem's branches in another subspace."""
        return replace(self, block=block)
