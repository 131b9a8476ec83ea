r"""What one step of replica-symmetry breaking adds to the average of minus the Moreau envelope.

.. math::
    X = E_{w_0}\Big[\frac1y\log E_{w_1} e^{yF(w_0 + w_1)} - E_{w_1} F(w_0 + w_1)\Big] \ge 0,

with independent variances v of :math:`w_0` about its centre and :math:`\Delta` of :math:`w_1`. It vanishes with y and
with the gap, and the rest is the replica-symmetric average at the variance :math:`v + \Delta`, which the kernel knows
to many digits; so X is wanted to per cents where the gap is small. Most of it comes from fields within a few
:math:`\sqrt\Delta` of a jump. Nodes follow the jumps, so that their number does not depend on the gap: along the line
that jumps lie across, those of :math:`w_0` are graded towards them, and the integral over :math:`w_1` is broken at
them; in the common modes of the tokens Gaussian nodes are enough.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from replica.common.by_value import ByValue
from saddle.averages.lines.broken_nodes import REACH, WINDOW, inner_nodes, outer_nodes
from saddle.averages.lines.envelope_lines import EnvelopeLines, envelope_lines
from saddle.averages.lines.jump_line_rule import JumpLineRule

__all__ = ["StepExcess", "StepFields", "step_excess", "token_directions"]

# Largest exponent of a weight exp(y F).
LARGEST = 600.0


@dataclass(frozen=True, eq=False, repr=False)
class StepExcess(ByValue):
    r"""X along n lines, each with its derivatives; L tokens.

    Attributes
    ----------
    value
        X, (n,).
    by_variance, by_step_variance, by_centre, by_susceptibility
        Derivatives in v, :math:`\Delta`, centre and V of every token, (n, L).
    by_parisi
        In y, (n,).
    squares
        Plain average squares of every token's slope g of the envelope, (n, L): to first order in the gap X is
        :math:`\tfrac y2\sum_l\Delta_l E g_l^2`.
    """

    value: np.ndarray
    by_variance: np.ndarray
    by_step_variance: np.ndarray
    by_centre: np.ndarray
    by_susceptibility: np.ndarray
    by_parisi: np.ndarray
    squares: np.ndarray

    @classmethod
    def joined(cls, parts: list[StepExcess]) -> StepExcess:
        """Return the lines of several."""
        return cls(*(np.concatenate([getattr(x, name) for x in parts]) for name in cls.__dataclass_fields__))


def token_directions(length: int) -> np.ndarray:
    """Return orthonormal directions of L tokens as columns: common modes first, the line's last, (L, L).

    As the kernel has them (``replica.code.line_coordinates``): the line is (1, -1) for two tokens and (1, 2, -3) for
    three, which jumps are not parallel to.
    """
    powers = 2.0 ** np.arange(length - 1)
    line = np.append(powers, -powers.sum())
    basis = np.column_stack([line, np.ones(length), np.eye(length)[:, : length - 2]])
    directions = np.linalg.qr(basis)[0] * np.sign(np.diag(np.linalg.qr(basis)[1]))
    return np.roll(directions, -1, axis=1)


@dataclass(frozen=True)
class StepFields:
    r"""Outer fields along lines, and a step's: :math:`w = c + \sqrt v\,O(a, s)` with directions O.

    Attributes
    ----------
    centres
        Means of the outer field, (n, L).
    common
        Standard normal coordinates a of the common modes, (n, L - 1).
    variance, gap
        v and Delta of every token, (L,).
    rule
        Numbers of nodes.
    """

    centres: np.ndarray
    common: np.ndarray
    variance: np.ndarray
    gap: np.ndarray
    rule: JumpLineRule

    @cached_property
    def directions(self) -> np.ndarray:
        """Growth of the fields with (a, s), (L, L)."""
        return np.sqrt(self.variance)[:, None] * token_directions(len(self.variance))

    @cached_property
    def _step(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a factor of a step's covariance in a, the regression of s on a, and what deviation that leaves s."""
        frame = token_directions(len(self.variance))
        covariance = frame.T @ ((self.gap / self.variance)[:, None] * frame)
        inner, mixed = covariance[:-1, :-1], covariance[:-1, -1]
        slope = np.linalg.solve(inner, mixed)
        return np.linalg.cholesky(inner), slope, float(np.sqrt(covariance[-1, -1] - mixed @ slope))

    @property
    def width(self) -> float:
        """Standard deviation of a step along a line, at given common modes."""
        return self._step[2]

    @cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nodes of a step: displacements of a (I, L - 1), shifts of s (I,) and weights (I,)."""
        factor, slope, _ = self._step
        x, w = np.polynomial.hermite_e.hermegauss(self.rule.modes)
        places = np.array(list(itertools.product(range(self.rule.modes), repeat=len(self.variance) - 1)))
        moved = x[places] @ factor.T
        return moved, moved @ slope, np.prod(w[places] / w.sum(), axis=1)

    @cached_property
    def origins(self) -> np.ndarray:
        """Where the lines that a step leads to cross s = 0, (n I, L)."""
        a = self.common[:, None, :] + self.modes[0]
        return (self.centres[:, None, :] + a @ self.directions[:, :-1].T).reshape(-1, len(self.variance))


def step_excess(
    search: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]], fields: StepFields, y: float
) -> StepExcess:
    """Average along lines.

    Parameters
    ----------
    search
        Given numbers of outer lines (k,) and fields (k, L), returns minus the envelope (k,), proximal points (k, L)
        and slopes of minus the envelope (k, L).
    fields
        The lines.
    y
        Parisi's parameter.
    """
    moved, shift, share = fields.modes
    count, n = len(share), len(fields.centres)
    direction, origins = fields.directions[:, -1], fields.origins

    def on_lines(lines: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return search(lines // count, origins[lines] + s[:, None] * direction)

    reach = REACH + WINDOW * fields.width + float(np.max(np.abs(shift)))
    table = envelope_lines(on_lines, direction, n * count, reach, fields.rule.spacing)
    outer = outer_nodes(table.jumps_of_line.reshape(n, -1), fields.width, fields.rule)
    lines = (outer.owner[:, None] * count + np.arange(count)).ravel()
    means = (outer.s[:, None] + shift).ravel()
    inner = inner_nodes(table.jumps_of_line[lines], means, fields.width, fields.rule)
    mode, node = inner.owner % count, inner.owner // count
    step = np.column_stack([moved[mode], inner.s - outer.s[node]]) @ fields.directions.T
    sums = _Tilted(table, lines[inner.owner], inner.s, inner.weights * share[mode], node, y, step)
    root = np.sqrt(fields.variance)
    standard = np.column_stack([fields.common[outer.owner], outer.s]) @ token_directions(len(root)).T
    columns = np.column_stack(
        [
            sums.value,
            sums.by_parisi,
            # A Gaussian's derivatives in mean and variance are its own first derivative and half of its second one.
            sums.value[:, None] * standard / root,
            0.5 * sums.value[:, None] * (standard**2 - 1.0) / fields.variance,
            # On Delta it depends through the step, which is sqrt(Delta) times a standard normal field.
            sums.steps / (2.0 * fields.gap),
            0.5 * (sums.squares - sums.plain_squares),
            sums.plain_squares,
        ]
    )
    rows = np.add.reduceat(columns * outer.weights[:, None], np.searchsorted(outer.owner, np.arange(n)), axis=0)
    value, by_parisi, *rest = np.split(rows, np.cumsum([1, 1, *[len(root)] * 4]), axis=1)
    return StepExcess(value[:, 0], rest[1], rest[2], rest[0], rest[3], by_parisi[:, 0], rest[4])


class _Tilted:
    """Averages over a step at every outer node, weighted with exp(y F), or what they exceed plain ones by.

    Attributes
    ----------
    value, by_parisi
        X and its derivative in y, (nodes,).
    squares, plain_squares
        Averages of squared slopes, weighted and plain, (nodes, L).
    steps
        By how much the weights change the average of slopes times steps, (nodes, L).
    """

    def __init__(
        self,
        table: EnvelopeLines,
        lines: np.ndarray,
        s: np.ndarray,
        p: np.ndarray,
        node: np.ndarray,
        y: float,
        steps: np.ndarray,
    ) -> None:
        F, *tokens = table.at(lines, s)
        slopes = np.array(tokens)
        self._starts = np.searchsorted(node, np.arange(node[-1] + 1))
        mean = self._total(p * F)
        tilted = p * np.exp(np.minimum(y * (F - mean[node]), LARGEST))
        norm = self._total(tilted)
        tilted /= norm[node]
        self.value = np.log(norm) / y
        self.by_parisi = (self._total(tilted * F) - mean - self.value) / y
        squares = slopes**2
        self.squares, self.plain_squares = self._total(tilted * squares).T, self._total(p * squares).T
        self.steps = self._total((tilted - p) * slopes * steps.T).T

    def _total(self, values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, self._starts, axis=-1)
