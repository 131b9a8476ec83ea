"""The Gaussian averages of the channel, and their derivatives in the order parameters, on a kernel and a rule."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from replica.model import AttentionModel
from replica.names import MODEL_PARAMETERS
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX
from saddle.kernel import Kernel
from saddle.quadrature import (
    EXCHANGE,
    EXCHANGE_WITH_REVERSAL,
    JOINT_REVERSAL,
    TEACHER_REVERSAL,
    LineRule,
    SignedPermutation,
)

__all__ = ["STARTS", "Channel", "ChannelAverages", "parameter_vector"]

N_STATE = 4
N_INTEGRANDS = 9
LINES_PER_TASK = 32

STARTS = np.array([[0.7, -0.7], [-0.7, 0.7]])
"""Starts of the global minimisation, besides the local field itself (theory notes, section 8)."""
STARTS.setflags(write=False)


def parameter_vector(model: AttentionModel) -> np.ndarray:
    """Return the model's parameters in the kernel's order, (n_parameters,)."""
    values = model.parameter_values()
    return np.array([values[quantity.name] for quantity in MODEL_PARAMETERS])


@dataclass(frozen=True)
class ChannelAverages:
    """Averages at one state u = (q, m, V, theta).

    Attributes
    ----------
    conjugates
        The four conjugates divided by alpha, (4,).
    envelope, loss, test_error
        E[M], E[loss(z*, h*)] and the test error per token.
    derivatives
        Derivatives of ``conjugates`` in the state, (4, 4); zeros if not asked for.
    odd_blocks
        Derivatives of m_hat/alpha in m and of theta_hat/alpha in theta by the route without jumps, (2,): what
        locates pitchforks where m or theta vanishes.
    jumps
        Number of jumps of the proximal point met, over all lines.
    failures
        Number of minimisations that did not converge.
    """

    conjugates: np.ndarray
    envelope: float
    loss: float
    test_error: float
    derivatives: np.ndarray
    odd_blocks: np.ndarray
    jumps: int
    failures: int


@dataclass(frozen=True)
class Channel:
    """Evaluates channel averages of one model on one rule.

    Lines are shared out over threads in fixed blocks and summed in a fixed order, so results do not depend
    on the number of threads.
    """

    kernel: Kernel
    model: AttentionModel
    rule: LineRule
    threads: int = 0

    def _token_exchange(self) -> tuple[SignedPermutation, ...]:
        """Return the exchange of the tokens as a map of nodes, if it is a symmetry of this model's numbers."""
        symmetries = self.kernel.symmetries
        (a_11, a_12), (a_21, a_22) = self.model.positional_matrix
        c_1, c_2 = self.model.positional_encoding
        if not symmetries.exchange or a_11 != a_22 or a_12 != a_21:
            return ()
        if c_1 == c_2:
            return (EXCHANGE,)
        # Opposite encodings: exchange the tokens and reverse all pre-activations.
        if c_1 == -c_2 and symmetries.student and symmetries.teacher:
            return (EXCHANGE_WITH_REVERSAL,)
        return ()

    def averages(self, state: np.ndarray, *, derivatives: bool = True) -> ChannelAverages:
        """Average every integrand at a state (4,), with q > 0, V > 0 and theta^2 < q rho.

        Where m or theta vanishes and the model has the sign symmetry, only inequivalent nodes are computed.
        """
        symmetries = self.kernel.symmetries
        without_teacher = state[SEMANTIC_INDEX] == 0.0 and symmetries.teacher
        without_position = state[POSITIONAL_INDEX] == 0.0 and symmetries.teacher and symmetries.student
        generators = (
            *((TEACHER_REVERSAL,) if without_teacher else ()),
            *((JOINT_REVERSAL,) if without_position else ()),
            *self._token_exchange(),
        )
        outer, outer_weights = self.rule.reduced_outer(generators)
        parameters = parameter_vector(self.model)
        rule = self.rule.for_field_scale(float(np.sqrt(state[0])))
        nodes, weights = rule.legendre
        rows = np.zeros((len(outer), N_INTEGRANDS + N_STATE**2 + 2))
        h = np.ascontiguousarray(self.model.sigma * outer[:, :2].T)
        common = np.ascontiguousarray(outer[:, 2])
        state = np.ascontiguousarray(state, dtype=float)

        def task(first: int) -> None:
            self.kernel.module.average_lines(
                first,
                min(first + LINES_PER_TASK, len(rows)),
                h[0],
                h[1],
                common,
                state,
                parameters,
                rule.scan,
                STARTS,
                rule.piece_orders,
                nodes,
                weights,
                derivatives,
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
        # NOTE: einsum, not BLAS, whose summation order may depend on its own threads.
        sums = np.einsum("k,kj->j", outer_weights, rows[:, :-2])
        jacobian = sums[N_INTEGRANDS:].reshape(N_STATE, N_STATE)
        for index, vanishes in ((SEMANTIC_INDEX, without_teacher), (POSITIONAL_INDEX, without_position)):
            if vanishes:
                # Odd integrands average to zero over the nodes and their mirror images.
                odd = np.arange(N_STATE) == index
                sums[index] = 0.0
                jacobian[odd[:, None] != odd[None, :]] = 0.0
        return ChannelAverages(
            conjugates=sums[:N_STATE],
            envelope=float(sums[4]),
            loss=float(sums[5]),
            test_error=float(sums[6]),
            derivatives=jacobian,
            odd_blocks=sums[7:9],
            jumps=int(rows[:, -2].sum()),
            failures=int(rows[:, -1].sum()),
        )
