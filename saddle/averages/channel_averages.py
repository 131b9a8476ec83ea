"""What the channel is averaged to: conjugates, envelope, losses, and their derivatives, with the rule's own errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue
from saddle.averages.rules.outer import OuterNodes

__all__ = ["ChannelAverages", "ChannelParameterDerivatives", "Columns"]

N_COUNTS = 3


@dataclass(frozen=True)
class Columns:
    """Where a line's averages stand in its row: conjugates per alpha first, n of them.

    Attributes
    ----------
    size
        Number n of order parameters.
    odd
        Number of overlaps m and theta.
    """

    size: int
    odd: int

    @property
    def envelope(self) -> int:
        """Of E[M]."""
        return self.size

    @property
    def loss(self) -> int:
        """Of E[loss(z*, h*)]."""
        return self.size + 1

    @property
    def test_error(self) -> int:
        """Of the test error per token."""
        return self.size + 2

    @property
    def odd_blocks(self) -> int:
        """First one of the odd blocks."""
        return self.size + 3

    @property
    def jacobian(self) -> int:
        """First one of the conjugates' derivatives; also the number of averages whose errors are known."""
        return self.odd_blocks + self.odd

    @property
    def test_error_derivatives(self) -> int:
        """First one of the test error's derivatives."""
        return self.jacobian + self.size**2

    @property
    def count(self) -> int:
        """Number of columns."""
        return self.test_error_derivatives + self.size


@dataclass(frozen=True, eq=False, repr=False)
class ChannelAverages(ByValue):
    """Averages at one state u, each with its error; n is the number of order parameters, 4 for the paper's model.

    Attributes
    ----------
    columns
        What stands where in ``differences``.
    conjugates
        The conjugates divided by alpha, (n,).
    envelope, loss, test_error
        E[M], E[loss(z*, h*)] and the test error per token.
    derivatives
        Derivatives of ``conjugates`` in the state, (n, n).
    test_error_derivatives
        Derivatives of the test error in the state, (n,).
    odd_blocks
        Derivatives of m_hat/alpha in m and of theta_hat/alpha in theta, each in its own, by the route without jumps,
        in the state's order: what locates pitchforks where m or theta vanishes.
    jumps, failures, points
        Number of jumps of the proximal point met, of minimisations that did not converge, and of proximal points
        integrated over, over all lines.
    differences
        What embedded rules give minus what the rule gives, one row per embedded rule: conjugates, envelope, loss,
        test error, odd blocks. First-order propagation of errors acts on these, so that errors of averages that move
        together stay correlated.
    outer
        The rule's outer nodes, which know how differences combine to an error.
    """

    columns: Columns
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
        """Errors of ``conjugates``, (n,)."""
        return self.outer.error(self.differences[:, : self.columns.size])

    @property
    def envelope_error(self) -> float:
        """Error of ``envelope``."""
        return float(self.outer.error(self.differences[:, self.columns.envelope]))

    @property
    def loss_error(self) -> float:
        """Error of ``loss``."""
        return float(self.outer.error(self.differences[:, self.columns.loss]))

    @property
    def test_error_error(self) -> float:
        """Error of ``test_error``."""
        return float(self.outer.error(self.differences[:, self.columns.test_error]))

    @property
    def odd_block_errors(self) -> np.ndarray:
        """Errors of ``odd_blocks``."""
        return self.outer.error(self.differences[:, self.columns.odd_blocks : self.columns.jacobian])

    @property
    def relative_errors(self) -> np.ndarray:
        """Relative errors of ``conjugates``, (n,); zero of those that vanish by symmetry."""
        used = self.conjugates != 0.0
        return np.divide(self.conjugate_errors, np.abs(self.conjugates), out=np.zeros(len(used)), where=used)

    @property
    def relative_error(self) -> float:
        """Largest relative error of a conjugate that does not vanish by symmetry."""
        # None differs from zero where the weights vanish.
        return float(np.max(self.relative_errors))


@dataclass(frozen=True, eq=False, repr=False)
class ChannelParameterDerivatives(ByValue):
    """Derivatives of averages in the model's parameters, in the order of ``parameter_vector``.

    Attributes
    ----------
    conjugates
        Of the conjugates divided by alpha, (number of order parameters, n).
    test_error, envelope
        Of the test error per token and of E[M], (n,).
    """

    conjugates: np.ndarray
    test_error: np.ndarray
    envelope: np.ndarray
