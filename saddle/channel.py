"""The Gaussian averages of the channel, and their derivatives, on a kernel and a rule."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from replica.model import AttentionModel
from replica.names import model_parameters
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX
from saddle.kernel import Kernel
from saddle.minimiser_starts import minimiser_starts
from saddle.quadrature import (
    EXCHANGE,
    EXCHANGE_WITH_REVERSAL,
    JOINT_REVERSAL,
    TEACHER_REVERSAL,
    LineOrders,
    OuterNodes,
    OuterRule,
    SignedPermutation,
    legendre_tables,
)

__all__ = ["Channel", "ChannelAverages", "ParameterSlopes", "parameter_vector"]

N_STATE = 4
N_AVERAGES = 9
N_COUNTS = 3
ENVELOPE, LOSS, TEST_ERROR, ODD_BLOCKS, JACOBIAN = 4, 5, 6, 7, 9
TEST_ERROR_SLOPES = JACOBIAN + N_STATE**2
N_COLUMNS = TEST_ERROR_SLOPES + N_STATE
LINES_PER_TASK = 32


def parameter_vector(model: AttentionModel) -> np.ndarray:
    """Return the model's parameters in the kernel's order, (n_parameters,)."""
    values = model.parameter_values()
    return np.array([values[quantity.name] for quantity in model_parameters(model.structure)])


@dataclass(frozen=True)
class ChannelAverages:
    """Averages at one state u = (q, m, V, theta), each with its error.

    Attributes
    ----------
    conjugates
        The four conjugates divided by alpha, (4,).
    envelope, loss, test_error
        E[M], E[loss(z*, h*)] and the test error per token.
    derivatives
        Derivatives of ``conjugates`` in the state, (4, 4).
    test_error_derivatives
        Derivatives of the test error in the state, (4,).
    odd_blocks
        Derivatives of m_hat/alpha in m and of theta_hat/alpha in theta by the route without jumps, (2,): what
        locates pitchforks where m or theta vanishes.
    jumps, failures, points
        Number of jumps of the proximal point met, of minimisations that did not converge, and of proximal points
        integrated over, over all lines.
    differences
        What embedded rules give minus what the rule gives, (k, 9): conjugates, envelope, loss, test error, odd
        blocks. First-order propagation of errors acts on these, so that errors of averages that move together
        stay correlated.
    outer
        The rule's outer nodes, which know how differences combine to an error.
    """

    conjugates: np.ndarray
    envelope: float
    loss: float
    test_error: float
    derivatives: np.ndarray
    test_error_derivatives: np.ndarray
    odd_blocks: np.ndarray
    jumps: int
    failures: int
    points: int
    differences: np.ndarray
    outer: OuterNodes

    @property
    def conjugate_errors(self) -> np.ndarray:
        """Errors of ``conjugates``, (4,)."""
        return self.outer.error(self.differences[:, :N_STATE])

    @property
    def envelope_error(self) -> float:
        """Error of ``envelope``."""
        return float(self.outer.error(self.differences[:, ENVELOPE]))

    @property
    def loss_error(self) -> float:
        """Error of ``loss``."""
        return float(self.outer.error(self.differences[:, LOSS]))

    @property
    def test_error_error(self) -> float:
        """Error of ``test_error``."""
        return float(self.outer.error(self.differences[:, TEST_ERROR]))

    @property
    def odd_block_errors(self) -> np.ndarray:
        """Errors of ``odd_blocks``, (2,)."""
        return self.outer.error(self.differences[:, ODD_BLOCKS:JACOBIAN])

    @property
    def relative_error(self) -> float:
        """Largest relative error of a conjugate that does not vanish by symmetry."""
        used = self.conjugates != 0.0
        return float(np.max(self.conjugate_errors[used] / np.abs(self.conjugates[used])))


@dataclass(frozen=True)
class ParameterSlopes:
    """Derivatives of averages in the model's parameters, in the order of ``parameter_vector``.

    Attributes
    ----------
    conjugates
        Of the four conjugates divided by alpha, (4, n).
    test_error, envelope
        Of the test error per token and of E[M], (n,).
    """

    conjugates: np.ndarray
    test_error: np.ndarray
    envelope: np.ndarray


@dataclass(frozen=True)
class Channel:
    """Evaluates channel averages of one model on one rule.

    Lines are shared out over threads in fixed blocks and summed in a fixed order, so results do not depend
    on the number of threads.
    """

    kernel: Kernel
    model: AttentionModel
    rule: OuterRule
    threads: int = 0

    def _token_exchange(self) -> tuple[SignedPermutation, ...]:
        """Return the exchange of two tokens as a map of nodes, if it is a symmetry of this model's numbers."""
        symmetries, matrix, encoding = (
            self.kernel.symmetries,
            self.model.positional_matrix,
            self.model.positional_encoding,
        )
        reversed_matrix = tuple(tuple(reversed(row)) for row in reversed(matrix))
        if self.model.sequence_length != 2 or not symmetries.exchange or matrix != reversed_matrix:
            return ()
        c_1, c_2 = encoding
        if c_1 == c_2:
            return (EXCHANGE,)
        # Opposite encodings: exchange the tokens and reverse all pre-activations.
        if c_1 == -c_2 and symmetries.student and symmetries.teacher:
            return (EXCHANGE_WITH_REVERSAL,)
        return ()

    def _vanishing(self, state: np.ndarray) -> tuple[bool, bool]:
        """Return whether theta, and m, vanish and with them by symmetry all that is odd in them."""
        symmetries = self.kernel.symmetries
        without_teacher = state[SEMANTIC_INDEX] == 0.0 and symmetries.teacher
        without_position = state[POSITIONAL_INDEX] == 0.0 and symmetries.teacher and symmetries.student
        return bool(without_teacher), bool(without_position)

    def symmetries(self, state: np.ndarray, *, exchange: bool = True) -> tuple[SignedPermutation, ...]:
        """Return maps of outer nodes (h*_1, h*_2, a) that leave every integrand at a state as it is.

        ``exchange`` says whether the exchange of two tokens may be one of them.
        """
        without_teacher, without_position = self._vanishing(state)
        return (
            *((TEACHER_REVERSAL,) if without_teacher else ()),
            *((JOINT_REVERSAL,) if without_position else ()),
            *(self._token_exchange() if exchange else ()),
        )

    def outer(self, state: np.ndarray, *, exchange: bool = True) -> OuterNodes:
        """Return the outer nodes at a state; of nodes that symmetries map to each other, only one."""
        length = self.model.sequence_length
        return self.rule.outer(length, length - 1, self.symmetries(state, exchange=exchange))

    def line_rows(
        self, state: np.ndarray, outer_nodes: np.ndarray, columns: int, mode: int, line: LineOrders | None = None
    ) -> np.ndarray:
        """Average along the lines of outer nodes (n, 2 L - 1) what a mode of the kernel asks for.

        Returns a row per line, (n, columns), three counts at its end: jumps, failures, proximal points. ``line``
        replaces the rule's own orders.
        """
        length = self.model.sequence_length
        line = (line or self.rule.line).for_field_scale(float(np.sqrt(state[0])))
        nodes, weights = legendre_tables()
        rows = np.zeros((len(outer_nodes), columns))
        # The kernel wants common modes first, then teacher fields with their standard deviation.
        coordinates = np.concatenate([outer_nodes[:, length:], self.model.sigma * outer_nodes[:, :length]], axis=1)
        parameters, starts = parameter_vector(self.model), minimiser_starts(length)

        def task(first: int) -> None:
            self.kernel.module.average_lines(
                first,
                min(first + LINES_PER_TASK, len(rows)),
                coordinates,
                state,
                parameters,
                line.scan,
                starts,
                line.piece_orders,
                nodes,
                weights,
                mode,
                rows,
            )

        firsts = range(0, len(rows), LINES_PER_TASK)
        workers = self.threads or os.cpu_count() or 1
        if workers == 1:
            for first in firsts:
                task(first)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(task, firsts))
        return rows

    def averages(self, state: np.ndarray) -> ChannelAverages:
        """Average every integrand at a state (4,), with q > 0, V > 0 and theta^2 < q rho.

        Where m or theta vanishes and the model has the sign symmetry, only inequivalent nodes are computed.
        """
        state = np.ascontiguousarray(state, dtype=float)
        outer = self.outer(state)
        rows = self.line_rows(state, outer.nodes, N_COLUMNS + N_COUNTS, self.kernel.module.STATE_AVERAGES)
        # NOTE: einsum, not BLAS, whose summation order may depend on its own threads.
        sums = np.einsum("k,kj->j", outer.weights, rows[:, :N_COLUMNS])
        embedded = np.einsum("ik,kj->ij", outer.embedded, rows[:, :N_AVERAGES])
        jacobian = sums[JACOBIAN:TEST_ERROR_SLOPES].reshape(N_STATE, N_STATE)
        slopes = sums[TEST_ERROR_SLOPES:]
        for index, vanishes in zip((SEMANTIC_INDEX, POSITIONAL_INDEX), self._vanishing(state), strict=True):
            if vanishes:
                # Odd integrands average to zero over the nodes and their mirror images.
                odd = np.arange(N_STATE) == index
                sums[index] = embedded[:, index] = 0.0
                slopes[index] = 0.0
                jacobian[odd[:, None] != odd[None, :]] = 0.0
        jumps, failures, points = rows[:, N_COLUMNS:].sum(axis=0)
        return ChannelAverages(
            conjugates=sums[:N_STATE],
            envelope=float(sums[ENVELOPE]),
            loss=float(sums[LOSS]),
            test_error=float(sums[TEST_ERROR]),
            derivatives=jacobian,
            test_error_derivatives=slopes,
            odd_blocks=sums[ODD_BLOCKS:JACOBIAN],
            jumps=int(jumps),
            failures=int(failures),
            points=int(points),
            differences=embedded - sums[:N_AVERAGES],
            outer=outer,
        )

    def parameter_slopes(self, state: np.ndarray) -> ParameterSlopes:
        """Differentiate the averages at a state (4,) in every parameter of the model."""
        state = np.ascontiguousarray(state, dtype=float)
        # NOTE: the tokens' exchange is a symmetry of the parameters' values, not of their neighbourhood: a change of
        # A_11 alone breaks it. The sign symmetries hold whatever the parameters.
        outer = self.outer(state, exchange=False)
        n_parameters = len(parameter_vector(self.model))
        columns = (N_STATE + 2) * n_parameters
        rows = self.line_rows(state, outer.nodes, columns + N_COUNTS, self.kernel.module.PARAMETER_SLOPES)
        sums = np.einsum("k,kj->j", outer.weights, rows[:, :columns]).reshape(N_STATE + 2, n_parameters)
        for index, vanishes in zip((SEMANTIC_INDEX, POSITIONAL_INDEX), self._vanishing(state), strict=True):
            if vanishes:
                sums[index] = 0.0
        return ParameterSlopes(sums[:N_STATE], sums[N_STATE], sums[N_STATE + 1])
