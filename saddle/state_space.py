"""The vector u of a model's order parameters: its matrices, natural units, domain, symmetries and gauge.

Order parameters stand in the order of :func:`replica.names.order_parameters`; for the paper's model u = (q, m, V,
theta). Positive definiteness of q, V and rho - theta^T q^{-1} theta is a domain that steps must not leave: nothing is
clipped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.layout import Layout
from replica.names import Quantity, conjugates, order_parameters
from replica.sectors import Sector, Signs, family_of, find_sectors, sign_group

__all__ = ["StateSpace"]

# Least eigenvalue of a matrix that counts as positive definite, in natural units.
DEFINITE = 1e-12
# Below this difference of the variances of two columns, relative to their sum, they count as equal.
DEGENERATE = 1e-7


@dataclass(frozen=True)
class StateSpace:
    """Order parameters of the models of one structure.

    Attributes
    ----------
    layout
        Which order parameters there are.
    generators
        How commuting generators of the model's symmetry group act on them.
    rotations
        Whether Q -> QR leaves the equations as they are for any rotation R of the student's columns.
    """

    layout: Layout
    generators: tuple[Signs, ...]
    rotations: bool = False

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Names and meanings, in order."""
        return order_parameters(self.layout)

    @cached_property
    def conjugates(self) -> tuple[Quantity, ...]:
        """Names and meanings of the conjugates, in the same order."""
        return conjugates(self.layout)

    @property
    def size(self) -> int:
        """Number n of order parameters."""
        return len(self.quantities)

    def of_kind(self, kind: str) -> tuple[int, ...]:
        """Return the indices of a matrix's entries."""
        return tuple(i for i, x in enumerate(self.quantities) if x.kind == kind)

    @cached_property
    def odd(self) -> tuple[int, ...]:
        """Indices of the overlaps m and theta."""
        return (*self.of_kind("positional_overlap"), *self.of_kind("semantic_overlap"))

    @cached_property
    def group(self) -> tuple[Signs, ...]:
        """All symmetries but the identity."""
        return sign_group(self.generators)

    @cached_property
    def sectors(self) -> tuple[Sector, ...]:
        """Invariant subspaces, family by family."""
        return find_sectors(self.layout, self.generators, columns_alike=self.rotations)

    def broken_by(self, sector: Sector) -> tuple[tuple[int, ...], ...]:
        """Return, for every symmetry that a sector breaks, the indices of the free unknowns that break it."""
        free = set(sector.free)
        parts = (tuple(i for i, sign in enumerate(signs) if sign < 0 and i in free) for signs in self.group)
        return tuple(part for part in parts if part)

    def sector_of(self, free: set[int]) -> Sector:
        """Return the sector with these free unknowns; one of its own if it is an image of another one."""
        for sector in self.sectors:
            if set(sector.free) == free:
                return sector
        broken = tuple(i for i in self.odd if i in free)
        transverse = tuple(i for i in self.odd if i not in free)
        family = family_of({self.quantities[i].kind for i in free})
        return Sector(f"{family} 0", tuple(sorted(free)), broken, transverse)

    def sector_named(self, value: str) -> Sector:
        """Return a sector by its value; raises KeyError if there is none."""
        return {sector.value: sector for sector in self.sectors}[value]

    def block_of(self, sector: Sector, index: int) -> tuple[int, ...]:
        """Return the unknowns that stand in one block of dF/du with a given one, at solutions of a sector.

        They are those on which all symmetries of the sector's solutions act alike.
        """
        free = set(sector.free)
        kept = [signs for signs in self.group if all(signs[i] > 0 for i in free)]
        return tuple(i for i in range(self.size) if all(signs[i] == signs[index] for signs in kept))

    @property
    def tells_families_apart(self) -> bool:
        """Whether the symmetries separate positional from semantic solutions."""
        return {"agnostic", "positional", "semantic"} <= {sector.family for sector in self.sectors}

    def fixing(self, state: np.ndarray) -> list[np.ndarray]:
        """Return the symmetries that leave a state exactly where it is, as arrays of signs."""
        return [np.array(signs) for signs in self.group if not np.any(state[np.array(signs) < 0])]

    @cached_property
    def _places(self) -> dict[str, np.ndarray]:
        """Return, for every kind, the index of each entry: (groups, rows, columns), without groups for m."""
        r, t, k, groups = self.layout.rank, self.layout.teacher_rank, self.layout.directions, self.layout.group_count
        columns = {"self_overlap": r, "susceptibility": r, "positional_overlap": k, "semantic_overlap": t}
        tables = {kind: np.zeros((groups, r, count), dtype=int) for kind, count in columns.items()}
        for index, x in enumerate(self.quantities):
            row, column = x.indices
            for group in range(groups) if x.group is None else (x.group,):
                tables[x.kind][group, row, column] = index
                if x.kind in ("self_overlap", "susceptibility"):
                    tables[x.kind][group, column, row] = index
        return tables

    def matrices(self, state: np.ndarray, kind: str) -> np.ndarray:
        """Return one kind's matrix of every group of tokens, (groups, rows, columns); m is the same in all."""
        return state[self._places[kind]]

    def units(self, state: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Return the natural unit of each unknown, (n,): for the paper's model (q, sqrt(q), V, sqrt(q rho)).

        ``variances`` are the teacher's, (groups, t, t).
        """
        spread = np.sqrt(np.diagonal(self.matrices(state, "self_overlap"), axis1=1, axis2=2))
        response = np.sqrt(np.diagonal(self.matrices(state, "susceptibility"), axis1=1, axis2=2))
        teacher = np.sqrt(np.diagonal(variances, axis1=1, axis2=2))
        units = np.empty(self.size)
        for index, x in enumerate(self.quantities):
            row, column = x.indices
            if x.kind == "self_overlap":
                units[index] = spread[x.group, row] * spread[x.group, column]
            elif x.kind == "susceptibility":
                units[index] = response[x.group, row] * response[x.group, column]
            elif x.kind == "semantic_overlap":
                units[index] = spread[x.group, row] * teacher[x.group, column]
            else:
                units[index] = spread[:, row].mean()
        return units

    def floored(self, state: np.ndarray) -> np.ndarray:
        """Return a state whose variances are not below 1e-12, for its units to be finite."""
        moved = np.abs(np.array(state, dtype=float))
        for kind in ("self_overlap", "susceptibility"):
            diagonal = np.diagonal(self._places[kind], axis1=1, axis2=2).ravel()
            moved[diagonal] = np.maximum(moved[diagonal], 1e-12)
        return moved

    def inside(self, state: np.ndarray, variances: np.ndarray) -> bool:
        """Return whether q, V and rho - theta^T q^{-1} theta are positive definite in every group of tokens."""
        if not np.all(np.isfinite(state)):
            return False
        q, V, theta = (self.matrices(state, x) for x in ("self_overlap", "susceptibility", "semantic_overlap"))
        joint = np.block([[q, theta], [theta.transpose(0, 2, 1), variances]])
        return all(_definite(matrix) for matrix in (*V, *joint))

    @cached_property
    def _gauges(self) -> list[tuple[int, int, int, list[tuple[int, int, int]]]]:
        """Return, per pair of columns a < b, the index of q_ab, of q_aa and q_bb, and how a rotation moves entries.

        A rotation by epsilon adds epsilon times factor times entry ``source`` to entry ``target``: Q_a -> Q_a +
        epsilon Q_b, Q_b -> Q_b - epsilon Q_a.
        """
        if not self.rotations:
            return []
        q = self._places["self_overlap"][0]
        gauges = []
        for a, b in itertools.combinations(range(self.layout.rank), 2):
            moves = []
            for index, x in enumerate(self.quantities):
                places = self._places[x.kind][x.group or 0]
                row, column = x.indices
                for own, other, sign in ((a, b, 1), (b, a, -1)):
                    if row == own:
                        moves.append((index, int(places[other, column]), sign))
                    if x.kind in ("self_overlap", "susceptibility") and column == own:
                        moves.append((index, int(places[row, other]), sign))
            gauges.append((int(q[a, b]), int(q[a, a]), int(q[b, b]), moves))
        return gauges

    def in_gauge(self, state: np.ndarray, residual: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return residual and Jacobian with rotations of the columns fixed by q_ab = 0 in the first group of tokens.

        Where columns can be rotated into each other, solutions come in orbits, along which the Jacobian is singular.
        At a state with q_ab = 0 and different q_aa the residual is moved along the orbit so that its own q_ab
        vanishes (a moving frame: theory notes, section 6); q_ab then has the equation q_ab = 0. Zeros and stability
        across orbits are unchanged. Where q_aa = q_bb, the pair (q_ab, V_ab) says nothing that (q_aa - q_bb,
        V_aa - V_bb) does not.
        """
        if not self._gauges:
            return residual, jacobian
        residual, jacobian = residual.copy(), jacobian.copy()
        for q_ab, q_aa, q_bb, moves in self._gauges:
            total = state[q_aa] + state[q_bb]
            # Of q_ab, the rotation's effect is q_bb - q_aa.
            gap = state[q_bb] - state[q_aa]
            if abs(gap) > DEGENERATE * total:
                tangent = np.zeros(self.size)
                for target, source, sign in moves:
                    tangent[target] += sign * state[source]
                change = np.zeros((self.size, self.size))
                for target, source, sign in moves:
                    change[target, source] += sign
                share, share_slope = residual[q_ab] / gap, jacobian[q_ab] / gap
                share_slope = share_slope.copy()
                share_slope[q_bb] -= share / gap
                share_slope[q_aa] += share / gap
                residual = residual - share * tangent
                jacobian = jacobian - np.outer(tangent, share_slope) - share * change
            residual[q_ab] = state[q_ab]
            jacobian[q_ab] = 0.0
            jacobian[:, q_ab] = 0.0
            jacobian[q_ab, q_ab] = 1.0
        return residual, jacobian


def _definite(matrix: np.ndarray) -> bool:
    """Return whether a symmetric matrix is positive definite, whatever the units of its rows."""
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if not (np.all(scale > 0.0) and np.all(np.diagonal(matrix) > 0.0)):
        return False
    if len(matrix) == 1:
        return True
    return bool(np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > DEFINITE)
