"""Calls of a kernel's entry points with everything filled in that a test does not care about."""

from __future__ import annotations

import numpy as np

from replica import AttentionModel
from saddle.averages.channel_averages import N_COUNTS, Columns
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.averages.parameters import parameter_vector
from saddle.averages.rules.line_orders import LineOrders, legendre_tables
from saddle.kernel.kernel import Kernel
from saddle.kernel.line_functions import REPLICON, STATE_AVERAGES

__all__ = [
    "EXACT_LINE",
    "average_line",
    "average_lines",
    "global_minima",
    "line_fields",
    "many_starts",
    "replicon_line",
]

EXACT_LINE = LineOrders(scan_points=40, graded_nodes=64, plain_nodes=64, extent=6.0)
"""Orders whose own error along a line is negligible."""


def average_lines(
    kernel: Kernel, model: AttentionModel, state, h, common, line: LineOrders | None = None
) -> np.ndarray:
    """Average along lines h (n, L), common (n, L - 1): averages, derivatives, jumps, failures and points, (n, 32).

    The orders adapt to the size of the fields, as they do in a channel's average.
    """
    h, common, mode = np.atleast_2d(np.asarray(h, float)), np.asarray(common, float), STATE_AVERAGES
    outer = np.concatenate([common.reshape(len(h), -1), h], axis=1)
    rows = np.zeros((len(outer), Columns(4, 2).count + N_COUNTS))
    line = (line or LineOrders()).for_field_scale(float(np.sqrt(state[0])))
    rule = line.scan, minimiser_starts(model.sequence_length), line.piece_orders, *legendre_tables()
    kernel.lines.average_lines(
        range(len(outer)), outer, np.asarray(state, float), parameter_vector(model), rule, mode, rows
    )  # fmt: skip
    return rows


def average_line(kernel: Kernel, model: AttentionModel, state, h, common, line: LineOrders | None = None) -> np.ndarray:
    """Average along one line, (32,)."""
    return average_lines(kernel, model, state, [h], [common], line)[0]


def many_starts(reach: float = 1.6, per_axis: int = 7) -> np.ndarray:
    """Starts on a grid for two tokens, far more than the kernel's own, (49, 2)."""
    axis = np.linspace(-reach, reach, per_axis)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def global_minima(
    kernel: Kernel, model: AttentionModel, fields: np.ndarray, targets: np.ndarray, susceptibility: float, starts=None
) -> np.ndarray:
    """Search from the kernel's own starts, or from others: z, value and success, (n, L + 2)."""
    starts = minimiser_starts(model.sequence_length) if starts is None else starts
    state = np.array([np.nan, np.nan, susceptibility, np.nan])
    out = np.zeros((len(fields), fields.shape[1] + 2))
    kernel.lines.global_minima(
        range(len(fields)), np.ascontiguousarray(fields), np.ascontiguousarray(targets.reshape(len(fields), -1)),
        np.ascontiguousarray(starts), state, parameter_vector(model), out,
    )  # fmt: skip
    return out


def line_fields(model: AttentionModel, state, h, common, s: np.ndarray) -> np.ndarray:
    """Local fields w along a line of two tokens, (len(s), 2), written without any generated expression."""
    q, m, _, theta = state
    rho = model.token_variance
    spread = np.sqrt((q - theta**2 / rho) / 2)
    w = np.stack([common + s, common - s], axis=1) * spread
    return w + m * np.array(model.positional_encoding) + theta / rho * np.asarray(h)


def replicon_line(kernel: Kernel, model: AttentionModel, state, h, common, line: LineOrders | None = None):
    """Average along one line what the replicon needs: regular part, jump strength, three counts, (5,).

    For two tokens of rank one and equal variance, where both averages need the factor V^2 only.
    """
    outer, rows = np.array([[common, *h]], float), np.zeros((1, 5))
    line = (line or LineOrders()).for_field_scale(float(np.sqrt(state[0])))
    rule = line.scan, minimiser_starts(model.sequence_length), line.piece_orders, *legendre_tables()
    kernel.lines.average_lines(
        range(1), outer, np.asarray(state, float), parameter_vector(model), rule, REPLICON, rows
    )  # fmt: skip
    return rows[0] * np.array([state[2] ** 2, state[2] ** 2, 1.0, 1.0, 1.0])
