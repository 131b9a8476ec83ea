"""The Moreau envelope of a model's loss at given local fields, on the kernel: global minimum, proximal point, slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from replica.common.errors import InvalidArgument
from replica.model.attention_model import AttentionModel
from saddle.averages.in_threads import spread, workers_of
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.averages.parameters import parameter_vector
from saddle.averages.symmetries import state_space
from saddle.kernel.kernel import Kernel, load_kernel

__all__ = ["MoreauEnvelope", "moreau_envelope"]

# Points handed to a thread at a time.
BLOCK = 20_000


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
    model: AttentionModel,
    fields: np.ndarray,
    teacher_fields: np.ndarray,
    susceptibility: float | np.ndarray,
    *,
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
    AttentionModel.require_any(model, "the compiled Moreau envelope")
    return _envelope(load_kernel(model.structure), model, fields, teacher_fields, susceptibility, threads)


def _envelope(
    kernel: Kernel,
    model: AttentionModel,
    fields: np.ndarray,
    teacher_fields: np.ndarray,
    susceptibility: float | np.ndarray,
    threads: int,
) -> MoreauEnvelope:
    layout, space = model.structure.layout, state_space(kernel, model)
    length, rank, t = layout.sequence_length, layout.rank, layout.teacher_rank
    fields, teacher_fields = np.asarray(fields, dtype=float), np.asarray(teacher_fields, dtype=float)
    count = len(fields)
    for name, given, shape in (
        ("fields", fields, (count, length, rank)),
        ("teacher_fields", teacher_fields, (count, length, t)),
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
            f"susceptibility must be a positive number or positive definite matrices "
            f"{(layout.group_count, rank, rank)}, got {susceptibility!r}"
        ) from None
    state = np.zeros(space.size)
    for index in space.of_kind("susceptibility"):
        quantity = space.quantities[index]
        state[index] = matrices[quantity.group or 0][quantity.indices]
    module, parameters = kernel.module, parameter_vector(model)
    unique, places = np.unique(teacher_fields.reshape(count, -1), axis=0, return_inverse=True)
    targets = np.empty((len(unique), module.N_TARGETS))
    line, common = np.zeros(module.N_CONSTANTS), np.zeros(length * rank - 1)
    for target, teacher in zip(targets, unique, strict=True):
        module.fill_constants(np.concatenate([common, teacher]), parameters, line)
        target[:] = line[module.FIRST_TARGET : module.FIRST_TARGET + module.N_TARGETS]
    flat, targets = np.ascontiguousarray(fields.reshape(count, -1)), targets[places.ravel()]
    out, starts = np.zeros((count, length * rank + 2)), minimiser_starts(length, rank)

    def task(first: int) -> None:
        last = min(first + BLOCK, count)
        module.global_minima(first, last, flat, targets, starts, state, parameters, out)

    spread(task, range(0, count, BLOCK), workers_of(threads))
    if not np.all(out[:, -1] == 1.0):
        failed = int(np.argmin(out[:, -1]))
        raise InvalidArgument(f"no minimum was found at the field {flat[failed]}: is it far outside of what V allows?")
    points = out[:, : length * rank].reshape(count, length, rank)
    inverses = np.linalg.inv(matrices)[list(layout.groups)]
    return MoreauEnvelope(out[:, -2].copy(), points, np.einsum("lrs,nls->nlr", inverses, points - fields))
