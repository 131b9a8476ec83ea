"""The Moreau envelope of a model's loss at given local fields, on the kernel: global minimum, proximal point, slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from replica.quantities.solvable_model import Model, require_model, require_one_class
from saddle.averages.in_threads import spread, workers_of
from saddle.averages.minimiser_starts import starts_of
from saddle.averages.parameters import parameter_vector
from saddle.averages.rules.rule_arguments import checked_threads
from saddle.averages.symmetries import state_space
from saddle.kernel.kernel import Kernel, load_kernel

__all__ = ["EnvelopeTable", "MoreauEnvelope", "moreau_envelope"]

# Points handed to a thread at a time.
BLOCK = 20_000
# Squared fields above which the field itself is a start, too, and above which the kernel's own search adds more.
LARGE_FIELD, SATURATED_FIELD = 0.5, 2.0


@dataclass(frozen=True, eq=False, repr=False)
class MoreauEnvelope(ByValue):
    r"""The Moreau envelope at n local fields of a model with L tokens and r columns.

    Attributes
    ----------
    value
        :math:`M = \min_z \tfrac12\sum_l (z_l - w_l)^\top V_l^{-1}(z_l - w_l) + \ell(z, h^\star)`, (n,).
    proximal_point
        The global minimiser, (n, L, r).
    slope
        :math:`g = V^{-1}(z^\star - w) = -\partial M/\partial w`, (n, L, r).
    """

    value: np.ndarray
    proximal_point: np.ndarray
    slope: np.ndarray


def moreau_envelope(
    model: Model,
    fields: np.ndarray,
    teacher_fields: np.ndarray,
    susceptibility: float | np.ndarray,
    *,
    noise: np.ndarray | None = None,
    threads: int = 0,
) -> MoreauEnvelope:
    """Find the Moreau envelope of the loss of one sample, and where it is attained.

    Parameters
    ----------
    model
        The model.
    fields
        Local fields w, (n, L, r).
    teacher_fields
        Teacher fields h*, (n, L, t).
    susceptibility
        V: a positive number, meaning that times the identity for every group of tokens, or matrices (groups, r, r).
    noise
        The noise of the outputs, (n, p); only for a model whose outputs have p noise variables.
    threads
        0 for one per core.

    Returns
    -------
    MoreauEnvelope
        The lowest of the minima that a multi-start finds; docs/performance.md says how often it misses.

    Raises
    ------
    ValueError
        If the shapes do not fit the model, a value is not finite, V is not positive definite, or no minimum is found.

    Examples
    --------
    At w = h* = 0 nothing can be gained: the loss is that of uniform attention.

    >>> import numpy as np
    >>> from replica import AttentionModel
    >>> here = moreau_envelope(AttentionModel.paper(omega=0.0), np.zeros((1, 2, 1)), np.zeros((1, 2, 1)), 10.0)
    >>> float(here.value[0])
    0.0
    """
    require_model(model, "the compiled Moreau envelope")
    layout = model.structure.layout
    length, rank, t = layout.sequence_length, layout.rank, layout.teacher_rank
    fields, teacher_fields = np.asarray(fields, dtype=float), np.asarray(teacher_fields, dtype=float)
    for name, given, shape in (
        ("fields", fields, (len(fields), length, rank)),
        ("teacher_fields", teacher_fields, (len(fields), length, t)),
    ):
        if given.shape != shape or not np.isfinite(given).all():
            raise InvalidArgument(f"{name} must be finite numbers of shape {shape}, got shape {given.shape}")
    matrices = np.asarray(susceptibility, dtype=float)
    if matrices.ndim == 0:
        matrices = matrices * np.eye(rank)
    try:
        matrices = np.broadcast_to(matrices, (layout.group_count, rank, rank))
        np.linalg.cholesky(matrices)
    except (ValueError, np.linalg.LinAlgError):
        raise InvalidArgument(
            "susceptibility must be a positive number or positive definite matrices of shape "
            f"{(layout.group_count, rank, rank)}, got {susceptibility!r}"
        ) from None
    table = EnvelopeTable(load_kernel(model.structure), model, checked_threads(threads))
    if noise is not None:
        noise = np.asarray(noise, dtype=float)
        if not np.isfinite(noise).all():
            raise InvalidArgument(f"noise must be finite numbers, got {noise[~np.isfinite(noise)][0]}")
    return table.at(fields, table.targets(teacher_fields, noise), matrices)


@dataclass(frozen=True)
class EnvelopeTable:
    """Computes the envelope at many fields; arguments are taken as they are.

    Attributes
    ----------
    kernel, model
        The compiled model.
    threads
        0 for one per core.
    """

    kernel: Kernel
    model: Model
    threads: int = 0

    def targets(self, teacher_fields: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Return the entries of the target that the kernel wants for teacher fields (n, L, t) and noise (n, p).

        Raises
        ------
        ValueError
            If there are not as many noise variables as the model's outputs have.
        """
        shape = len(teacher_fields), self.model.noise
        own = np.zeros((len(teacher_fields), 0)) if noise is None else noise
        if own.shape != shape:
            raise InvalidArgument(
                f"outputs of this model have {self.model.noise} noise variable(s): noise must be of shape {shape}, "
                f"got {own.shape}"
            )
        require_one_class(self.model, "the Moreau envelope")
        module, parameters = self.kernel.module, parameter_vector(self.model)
        common, unused = np.zeros(module.N_FIELDS - 1), np.zeros(1)
        targets, line = np.empty((len(teacher_fields), module.N_TARGETS)), np.zeros(module.N_CONSTANTS)
        rows = np.concatenate([teacher_fields.reshape(len(teacher_fields), -1), own], axis=1)
        for target, row in zip(targets, rows, strict=True):
            module.fill_constants(1, np.concatenate([common, row]), line, unused, parameters)
            target[:] = line[module.FIRST_TARGET : module.FIRST_TARGET + module.N_TARGETS]
        return targets

    def at(self, fields: np.ndarray, targets: np.ndarray, susceptibility: np.ndarray) -> MoreauEnvelope:
        """Return the envelope at fields (n, L, r), for targets (n, k) and V of every group, (groups, r, r).

        Raises
        ------
        ValueError
            If no minimum is found at a field.
        """
        count, length, rank = fields.shape
        flat = np.ascontiguousarray(fields.reshape(count, -1))
        found = self._lowest(flat, targets, self._state(susceptibility))
        if not np.all(found[:, -1] == 1.0):
            failed = int(np.argmin(found[:, -1]))
            raise InvalidArgument(f"no minimum of the Moreau objective was found at the field {flat[failed]}")
        points = found[:, :-2].reshape(count, length, rank)
        inverses = np.linalg.inv(susceptibility)[list(self.model.structure.layout.groups)]
        slope = np.einsum("lrs,nls->nlr", inverses, points - fields)
        return MoreauEnvelope(found[:, -2].copy(), points, slope)

    def from_starts(
        self, fields: np.ndarray, targets: np.ndarray, susceptibility: np.ndarray, starts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return values (n,) and places (n, L, r) of the minima that starts (n, L, r) lead to; nan where none."""
        flat = np.ascontiguousarray(fields.reshape(len(fields), -1))
        found = np.zeros((len(flat), flat.shape[1] + 2))
        state, guesses = self._state(susceptibility), np.ascontiguousarray(starts.reshape(flat.shape))
        self._search(self.kernel.lines.proximal_points, (flat, np.ascontiguousarray(targets), guesses), state, found)
        found[found[:, -1] != 1.0] = np.nan
        return found[:, -2].copy(), found[:, :-2].reshape(fields.shape)

    def _search(
        self,
        entry: Callable[..., None],
        given: tuple[np.ndarray, np.ndarray, np.ndarray],
        state: np.ndarray,
        found: np.ndarray,
    ) -> None:
        """Search for minima at fields (n, L r), for targets and from starts, in blocks."""
        parameters, count = parameter_vector(self.model), len(found)

        def task(first: int) -> None:
            entry(range(first, min(first + BLOCK, count)), *given, state, parameters, found)

        spread(task, range(0, count, BLOCK), workers_of(self.threads))

    def _state(self, susceptibility: np.ndarray) -> np.ndarray:
        space = state_space(self.kernel, self.model)
        state = np.zeros(space.size)
        for index in space.of_kind("susceptibility"):
            quantity = space.quantities[index]
            state[index] = susceptibility[quantity.group or 0][quantity.indices]
        return state

    def _lowest(self, fields: np.ndarray, targets: np.ndarray, state: np.ndarray) -> np.ndarray:
        """Return z, value and success of the lowest minimum, (n, fields + 2).

        NOTE: one start at a time for all fields, which fills the kernel's lanes: four times as fast as its own search,
        which does all starts of one field at a time, with the same minima.
        """
        lines, starts = self.kernel.lines, starts_of(self.model)
        squared = np.sum(fields**2, axis=1)
        result = np.zeros((len(fields), fields.shape[1] + 2))
        result[:, -2] = np.inf

        def search(entry: Callable[..., None], places: np.ndarray | slice, starts: np.ndarray) -> None:
            own, wanted = np.ascontiguousarray(fields[places]), np.ascontiguousarray(targets[places])
            found = np.zeros((len(own), result.shape[1]))
            self._search(entry, (own, wanted, starts), state, found)
            kept = result[places]
            better = (found[:, -1] == 1.0) & (found[:, -2] < kept[:, -2] - 1e-14 * np.abs(found[:, -2]))
            kept[better] = found[better]
            result[places] = kept

        for start in starts:
            search(lines.proximal_points, slice(None), np.broadcast_to(start, fields.shape).copy())
        large, saturated = np.flatnonzero(squared > LARGE_FIELD), np.flatnonzero(squared > SATURATED_FIELD)
        search(lines.proximal_points, large, fields[large])
        search(lines.global_minima, saturated, starts)
        return result
