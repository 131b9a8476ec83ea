"""The vector u of a model's order parameters: its matrices, natural units, domain and symmetries.

Order parameters stand in the order of :func:`replica.quantities.names.order_parameters`; for the paper's model u = (q,
m, V, theta). Positive definiteness of q, V and rho - theta^T q^{-1} theta is a domain that steps must not leave:
nothing is clipped.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.quantities.layout import Layout
from replica.quantities.names import Quantity, conjugates, order_parameters
from replica.symmetry.families import family_of
from replica.symmetry.sectors import Sector, find_sectors
from replica.symmetry.signs import Signs, sign_group

__all__ = ["StateSpace"]

# Least eigenvalue of a matrix that counts as positive definite, in natural units.
DEFINITE = 1e-12
# What is multiplied with where a unit is one root.
ONE = np.ones(1)
# Relative difference of two columns' order parameters that counts as none.
ALIKE = 1e-3
# Length in natural units of the tangent of an orbit below which a solution counts as unchanged by rotations.
LEAST_TANGENT = 0.05


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
        family = family_of((self.quantities[i] for i in free), self.layout)
        return Sector(f"{family} 0", tuple(sorted(free)), broken, transverse)

    def is_aligned(self, sector: Sector) -> bool:
        """Return whether a sector is one of the model's, in which no rotation of columns moves its solutions.

        Where there are rotations, sectors with correlated columns hold orbits, and others are images of these.
        """
        correlated = [i for i, x in enumerate(self.quantities) if x.kind == "self_overlap" and not x.positive]
        rotated = self.rotations and any(i in sector.free for i in correlated)
        return sector in self.sectors and not rotated

    def sector_named(self, name: str) -> Sector:
        """Return a sector by its name; raises KeyError if there is none."""
        return {sector.name: sector for sector in self.sectors}[name]

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
        return [signs for signs, reversed_ in self._group_arrays if not state[reversed_].any()]

    @cached_property
    def _group_arrays(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the group's elements as arrays of signs, and where these are negative."""
        arrays = [np.array(signs) for signs in self.group]
        for signs in arrays:
            signs.setflags(write=False)
        return [(signs, signs < 0) for signs in arrays]

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
        left, right = self._roots
        values = np.concatenate([state, variances.ravel(), ONE])
        units = np.sqrt(values[left]) * np.sqrt(values[right])
        if self.layout.group_count > 1 and self.layout.directions:
            # The positional overlap is one for all groups, whose spreads differ.
            at, row = self._positional
            spread = np.sqrt(np.diagonal(self.matrices(state, "self_overlap"), axis1=1, axis2=2))
            units[at] = spread.mean(axis=0)[row]
        return units

    @cached_property
    def _roots(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which two variances' roots make the unit of each unknown: places in the state, the teacher's, and 1.

        Where the state has several groups of tokens, that of a positional overlap is the first group's.
        """
        t, pairs = self.layout.teacher_rank, []
        own = {kind: np.diagonal(self._places[kind], axis1=1, axis2=2) for kind in ("self_overlap", "susceptibility")}
        after = self.size + self.layout.group_count * t * t
        for x in self.quantities:
            group, (row, column) = x.group or 0, x.indices
            if x.kind in own:
                pairs.append((own[x.kind][group, row], own[x.kind][group, column]))
            elif x.kind == "semantic_overlap":
                pairs.append((own["self_overlap"][group, row], self.size + group * t * t + column * (t + 1)))
            else:
                pairs.append((own["self_overlap"][group, row], after))
        left, right = np.array(pairs, dtype=int).T
        return left, right

    @cached_property
    def _positional(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where positional overlaps stand in the state, and their rows."""
        own = [(i, x.indices[0]) for i, x in enumerate(self.quantities) if x.kind == "positional_overlap"]
        at, row = np.array(own, dtype=int).T
        return at, row

    def floored(self, state: np.ndarray) -> np.ndarray:
        """Return a state whose variances are not below 1e-12, for its units to be finite."""
        moved = np.abs(np.array(state, dtype=float))
        for kind in ("self_overlap", "susceptibility"):
            diagonal = np.diagonal(self._places[kind], axis1=1, axis2=2).ravel()
            moved[diagonal] = np.maximum(moved[diagonal], 1e-12)
        return moved

    def inside(self, state: np.ndarray, variances: np.ndarray) -> bool:
        """Return whether q, V and rho - theta^T q^{-1} theta are positive definite in every group of tokens."""
        if not np.isfinite(state).all():
            return False
        q, V, theta = (self.matrices(state, x) for x in ("self_overlap", "susceptibility", "semantic_overlap"))
        if theta.shape[1:] == (1, 1):
            # As below, for matrices of two rows at most.
            if not ((V > 0.0).all() and (q > 0.0).all()):
                return False
            return bool((1.0 - np.abs(theta) / (np.sqrt(q) * np.sqrt(variances)) > DEFINITE).all())
        above, below = np.concatenate([q, theta], 2), np.concatenate([theta.transpose(0, 2, 1), variances], 2)
        return _definite(V) and _definite(np.concatenate([above, below], 1))

    @cached_property
    def _rotations(self) -> list[np.ndarray]:
        """Return, per pair a < b, how a rotation Q_a -> Q_a + eps Q_b, Q_b -> Q_b - eps Q_a moves u, (n, n)."""
        if not self.rotations:
            return []
        found = []
        for a, b in itertools.combinations(range(self.layout.rank), 2):
            change = np.zeros((self.size, self.size))
            for index, x in enumerate(self.quantities):
                places = self._places[x.kind][x.group or 0]
                row, column = x.indices
                for own, other, sign in ((a, b, 1.0), (b, a, -1.0)):
                    if row == own:
                        change[index, places[other, column]] += sign
                    if x.kind in ("self_overlap", "susceptibility") and column == own:
                        change[index, places[row, other]] += sign
            found.append(change)
        return found

    def across_orbits(self, state: np.ndarray, jacobian: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Return dF/du with the directions removed along which rotations of the columns move a solution.

        There dF/du t = 0 for the tangent t of the orbit. dF/du + t n^T, with n t = 1 (here n is t itself, in natural
        units), has eigenvalue 1 instead of 0 there and all others unchanged (A. Brauer, Duke Math. J. 19 (1952) 75):
        signs of determinants and eigenvalues are then those of changes that are no rotation. States that hardly change
        under rotations have no such direction.
        """
        for change in self._rotations:
            tangent = change @ state
            size = float(np.linalg.norm(tangent / units))
            if size > LEAST_TANGENT:
                jacobian = jacobian + np.outer(tangent, tangent / units**2) / size**2
        return jacobian

    @cached_property
    def exchanges(self) -> list[np.ndarray]:
        """Return how neighbouring columns' exchanges permute the order parameters, as arrays of indices."""
        if not self.rotations:
            return []
        found = []
        for a in range(self.layout.rank - 1):
            order = list(range(self.layout.rank))
            order[a], order[a + 1] = order[a + 1], order[a]
            moved = np.empty(self.size, dtype=int)
            for index, x in enumerate(self.quantities):
                row, column = x.indices
                both = x.kind in ("self_overlap", "susceptibility")
                moved[index] = self._places[x.kind][x.group or 0][order[row], order[column] if both else column]
            found.append(moved)
        return found

    def exchanges_fixing(self, state: np.ndarray) -> list[np.ndarray]:
        """Return the exchanges of columns that leave a state where it is, as permutations of the unknowns."""
        scale = np.maximum(np.abs(state), np.finfo(float).tiny)
        return [moved for moved in self.exchanges if np.all(np.abs(state[moved] - state) <= ALIKE * scale)]


def _definite(matrices: np.ndarray) -> bool:
    """Return whether symmetric matrices (groups, n, n) are positive definite, whatever the units of their rows."""
    diagonals = matrices.diagonal(axis1=1, axis2=2)
    if not (diagonals > 0.0).all():
        return False
    if diagonals.shape[1] == 1:
        return True
    scale = np.sqrt(diagonals)
    return bool((np.linalg.eigvalsh(matrices / (scale[:, :, None] * scale[:, None, :]))[:, 0] > DEFINITE).all())
