"""The Gaussian averages of the channel, and their derivatives, on a kernel and a rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from replica.common.by_value import ByValue
from replica.model.attention_model import AttentionModel
from replica.quantities.solvable_model import Model, outer_directions
from saddle.averages.channel_averages import N_COUNTS, ChannelAverages, ChannelParameterDerivatives, Columns
from saddle.averages.in_threads import spread, workers_of
from saddle.averages.minimiser_starts import starts_of
from saddle.averages.parameters import class_parameter_vectors, teacher_variances
from saddle.averages.rules.line_orders import LineOrders, legendre_tables
from saddle.averages.rules.outer import (
    EXCHANGE,
    EXCHANGE_WITH_REVERSAL,
    OuterNodes,
    OuterRule,
    SignedPermutation,
    joint_reversal,
    teacher_reversal,
)
from saddle.averages.state_space import StateSpace
from saddle.averages.symmetries import state_space
from saddle.kernel.kernel import Kernel
from saddle.kernel.line_functions import PARAMETER_SLOPES, STATE_AVERAGES

__all__ = [
    "Channel",
]

# Fewer lines than this are not worth a thread's start; more are shared out in a few blocks per thread.
LEAST_LINES, BLOCKS_PER_THREAD = 64, 4


@dataclass(frozen=True, eq=False, repr=False)
class Channel(ByValue):
    """Evaluates channel averages of one model on one rule.

    Lines are shared out over threads in blocks, and their rows summed in a fixed order, so that results do not depend
    on the number of threads.
    """

    kernel: Kernel
    model: Model
    rule: OuterRule
    threads: int = field(default=0, compare=False)

    @cached_property
    def space(self) -> StateSpace:
        """The order parameters and their symmetries."""
        return state_space(self.kernel, self.model)

    @cached_property
    def variances(self) -> np.ndarray:
        """The teacher's variances rho of every group of tokens, (groups, t, t)."""
        return teacher_variances(self.model)

    @cached_property
    def _factors(self) -> np.ndarray:
        """Factors of the variances of every token's teacher fields, (L, t, t)."""
        return np.linalg.cholesky(self.variances)[list(self.space.layout.groups)]

    @cached_property
    def classes(self) -> tuple[tuple[float, np.ndarray], ...]:
        """Probability of every class of samples, and its parameters in the kernel's order."""
        return class_parameter_vectors(self.model)

    @cached_property
    def columns(self) -> Columns:
        """What stands where in a line's row."""
        return Columns(self.space.size, len(self.space.odd))

    @property
    def attentive(self) -> bool:
        """Whether the model is one of attention: its teacher fields are then alike."""
        return isinstance(self.model, AttentionModel)

    @property
    def planar(self) -> bool:
        """Whether it is attention of two tokens with one student and one teacher field each, as in the paper."""
        return self.attentive and outer_directions(self.model) == (2, 1)

    @cached_property
    def _token_exchange(self) -> tuple[SignedPermutation, ...]:
        """The exchange of two tokens as a map of nodes, if it is a symmetry of this model's numbers."""
        if not isinstance(self.model, AttentionModel):
            return ()
        symmetries, matrix = self.kernel.symmetries, self.model.positional_matrix
        reversed_matrix = tuple(tuple(reversed(row)) for row in reversed(matrix))
        encoding = self.model.encoding_matrix
        if not symmetries.exchange or matrix != reversed_matrix or encoding.shape[1] > 1:
            return ()
        if not encoding.size or encoding[0, 0] == encoding[1, 0]:
            return (EXCHANGE,)
        # Opposite encodings: exchange the tokens and reverse all pre-activations.
        if encoding[0, 0] == -encoding[1, 0] and symmetries.student and symmetries.teacher:
            return (EXCHANGE_WITH_REVERSAL,)
        return ()

    def symmetries(self, state: np.ndarray, *, exchange: bool = True) -> tuple[SignedPermutation, ...]:
        """Return maps of outer nodes (teacher fields, common modes) that leave every integrand at a state as it is.

        Only for attention; none is an exchange of tokens but for two with one student and one teacher field each, where
        ``exchange`` says whether it may be. (For more tokens an exchange moves the line, too.)
        """
        if not self.attentive:
            return ()
        known, counts = self.kernel.symmetries, outer_directions(self.model)
        without_teacher = known.teacher and self._averages_to_zero("semantic_overlap", state)
        without_position = known.teacher and known.student and self._averages_to_zero("positional_overlap", state)
        return (
            *((teacher_reversal(*counts),) if without_teacher else ()),
            *((joint_reversal(*counts),) if without_position else ()),
            *(self._token_exchange if exchange and self.planar else ()),
        )

    def _averages_to_zero(self, kind: str, state: np.ndarray) -> bool:
        """Return whether overlaps of a kind vanish, and a symmetry reverses them alone: their conjugates are then odd.

        One node of two gives such an average a value, which only a symmetry of all equations says to be zero: not where
        a moment ties the teacher to the encodings.
        """
        own = self.space.of_kind(kind)
        if np.any(state[list(own)]):
            return False
        reversal = np.ones(self.space.size)
        reversal[list(own)] = -1.0
        return not own or any(np.array_equal(signs, reversal) for signs in self.space.fixing(state))

    def outer(self, state: np.ndarray, *, exchange: bool = True) -> OuterNodes:
        """Return the outer nodes at a state; of nodes that symmetries map to each other, only one."""
        generators = self.symmetries(state, exchange=exchange)
        return self.rule.outer(*outer_directions(self.model), generators, alike=self.attentive)

    def _coordinates(self, nodes: np.ndarray) -> np.ndarray:
        """Return outer nodes (n, k) as the kernel wants them: common modes, the teacher's fields as they are, noise."""
        layout = self.space.layout
        t, count = layout.teacher_rank, layout.sequence_length * layout.teacher_rank
        known, _ = outer_directions(self.model)
        standard = nodes[:, :count].reshape(len(nodes), -1, t)
        fields = np.einsum("nlt,lst->nls", standard, self._factors).reshape(len(nodes), count)
        return np.concatenate([nodes[:, known:], fields, nodes[:, count:known]], axis=1)

    def line_rows(
        self, state: np.ndarray, outer_nodes: np.ndarray, columns: int, mode: int, line: LineOrders | None = None
    ) -> np.ndarray:
        """Average along the lines of outer nodes (n, k) what a mode of the kernel asks for.

        Returns a row per line, (n, columns), three counts at its end: jumps, failures, proximal points. ``line``
        replaces the rule's own orders. Rows are averages over the classes of samples, whose lines have the same nodes;
        counts are sums over them.
        """
        largest = float(np.max(self.space.matrices(state, "self_overlap")))
        line = (line or self.rule.line).for_field_scale(np.sqrt(largest))
        rows = np.zeros((len(self.classes), len(outer_nodes), columns))
        coordinates = self._coordinates(outer_nodes)
        starts = starts_of(self.model)
        rule = (line.scan, starts, line.piece_orders, *legendre_tables())

        workers, count = workers_of(self.threads), len(outer_nodes)
        block = count
        if workers > 1 and count * len(rows) > LEAST_LINES:
            block = max(LEAST_LINES // 2, -(-count * len(rows) // (BLOCKS_PER_THREAD * workers)))

        def task(of: tuple[int, int]) -> None:
            which, first = of
            lines = range(first, min(first + block, count))
            _, parameters = self.classes[which]
            self.kernel.lines.average_lines(lines, coordinates, state, parameters, rule, mode, rows[which])

        firsts = range(0, count, max(block, 1))
        spread(task, [(which, first) for which in range(len(rows)) for first in firsts], workers)
        if len(rows) == 1:
            return rows[0]
        mean = np.einsum("c,cnj->nj", [probability for probability, _ in self.classes], rows)
        mean[:, -N_COUNTS:] = rows[:, :, -N_COUNTS:].sum(axis=0)
        return mean

    def averages(self, state: np.ndarray) -> ChannelAverages:
        """Average every integrand at a state (n,) inside the domain.

        What is odd under a symmetry that leaves the state as it is averages to zero, and is set to it.
        """
        state = np.ascontiguousarray(state, dtype=float)
        outer, at = self.outer(state), self.columns
        rows = self.line_rows(state, outer.nodes, at.count + N_COUNTS, STATE_AVERAGES)
        # NOTE: einsum, not BLAS, whose summation order may depend on its own threads.
        sums = np.einsum("k,kj->j", outer.weights, rows[:, : at.count])
        embedded = np.einsum("ik,kj->ij", outer.embedded, rows[:, : at.jacobian])
        jacobian = sums[at.jacobian : at.test_error_derivatives].reshape(at.size, at.size)
        slopes = sums[at.test_error_derivatives :]
        for signs in self.space.fixing(state):
            odd = np.flatnonzero(signs < 0)
            sums[odd] = 0.0
            embedded[:, odd] = 0.0
            slopes[odd] = 0.0
            jacobian[signs[:, None] != signs[None, :]] = 0.0
        for moved in self.space.exchanges_fixing(state):
            # Averages of a state whose columns are alike are alike, which the points are not.
            sums[: at.size] = 0.5 * (sums[: at.size] + sums[moved])
            embedded[:, : at.size] = 0.5 * (embedded[:, : at.size] + embedded[:, moved])
            slopes = 0.5 * (slopes + slopes[moved])
            jacobian = 0.5 * (jacobian + jacobian[np.ix_(moved, moved)])
            odd = [self.space.odd.index(moved[i]) for i in self.space.odd]
            blocks = slice(at.odd_blocks, at.jacobian)
            sums[blocks] = 0.5 * (sums[blocks] + sums[blocks][odd])
            embedded[:, blocks] = 0.5 * (embedded[:, blocks] + embedded[:, blocks][:, odd])
        jumps, failures, points = rows[:, at.count :].sum(axis=0)
        return ChannelAverages(
            columns=at,
            conjugates=sums[: at.size],
            envelope=float(sums[at.envelope]),
            loss=float(sums[at.loss]),
            test_error=float(sums[at.test_error]),
            derivatives=jacobian,
            test_error_derivatives=slopes,
            odd_blocks=sums[at.odd_blocks : at.jacobian],
            jumps=int(jumps),
            failures=int(failures),
            points=int(points),
            differences=embedded - sums[: at.jacobian],
            outer=outer,
        )

    def parameter_derivatives(self, state: np.ndarray) -> ChannelParameterDerivatives:
        """Differentiate the averages at a state (n,) in every parameter of the model."""
        state = np.ascontiguousarray(state, dtype=float)
        # NOTE: the tokens' exchange is a symmetry of the parameters' values, not of their neighbourhood: a change of
        # A_11 alone breaks it. The sign symmetries hold whatever the parameters.
        outer = self.outer(state, exchange=False)
        n_parameters, size = len(self.classes[0][1]), self.space.size
        columns = (size + 2) * n_parameters
        rows = self.line_rows(state, outer.nodes, columns + N_COUNTS, PARAMETER_SLOPES)
        sums = np.einsum("k,kj->j", outer.weights, rows[:, :columns]).reshape(size + 2, n_parameters)
        for signs in self.reversals_fixing(state):
            sums[:size][signs < 0] = 0.0
        return ChannelParameterDerivatives(sums[:size], sums[size], sums[size + 1])

    def reversals_fixing(self, state: np.ndarray) -> list[np.ndarray]:
        """Return the reversals of student and teacher, without renamings of tokens, that leave a state as it is."""
        return self._reversed_space.fixing(state)

    @cached_property
    def _reversed_space(self) -> StateSpace:
        """The order parameters, with the symmetries that rename no tokens."""
        return StateSpace(self.space.layout, self.kernel.symmetries.signs)
