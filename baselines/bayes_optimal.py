r"""The Bayes-optimal learner of the target: nobody who sees the same sequences can do better.

A sequence and its output reveal :math:`T(h^\star)`, hence :math:`h^\star` up to a common sign. What n sequences tell
about the teacher is the state evolution of ``baselines.recovery``; the best prediction for a new sequence is the mean
of T over what is not known of :math:`h^\star` (docs/baselines.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines import recovery
from baselines.averages import hermite
from baselines.averages.target_function import target_values
from baselines.averages.target_moments import MOST_TOKENS, target_moments
from baselines.baseline import checked_alpha
from replica import AttentionModel
from replica.common.checked_arguments import checked_items, positive_number
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults

__all__ = ["BayesCurve", "BayesOptimal", "bayes_optimal"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BayesCurve:
    """The Bayes-optimal learner on a grid of sample complexities; arrays have its length n and are read-only.

    Attributes
    ----------
    alpha
        Sample complexities.
    overlap
        Cosine similarity of estimate and teacher.
    test_error, error
        Test error per token and its numerical error.
    """

    alpha: Array
    overlap: Array
    test_error: Array
    error: Array

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for values in vars(self).values():
            values.setflags(write=False)


@dataclass(frozen=True, eq=False)
class BayesOptimal:
    r"""The Bayes-optimal learner of one model.

    Attributes
    ----------
    sequence_length
        L.
    weak_recovery
        The alpha above which message passing from no information finds a part of the teacher, 1/(L(L+1)), exactly;
        infinite if the target does not depend on the teacher (omega = 1).
    perfect_recovery
        The alpha above which it finds the teacher exactly, 1/L; as for any other learner, since there are fewer
        equations than unknowns below. Infinite likewise.
    energies
        Per total degree, what the Hermite components of T contribute to its variance, on a finer and a coarser rule.
    variance, variance_error
        Variance of T per token, times sigma^2: the linear positional baseline's test error, and its error.
    name
        What figures and tables call this baseline.
    """

    sequence_length: int
    weak_recovery: float
    perfect_recovery: float
    energies: tuple[Array, Array]
    variance: float
    variance_error: float
    name: str = "Bayes-optimal"

    @property
    def constant(self) -> bool:
        """False: the test error depends on alpha."""
        return False

    def overlap_at(self, alpha: float) -> float:
        r"""Return the cosine similarity of estimate and teacher, :math:`\sqrt r`.

        To be compared with :math:`|\theta|/\sqrt{\rho q}` of the trained layer. It is 0 up to ``weak_recovery``
        and 1 from ``perfect_recovery`` on; in between its numerical error is of the order of 1e-14.

        Raises
        ------
        ValueError
            If alpha is not positive and finite.
        """
        return math.sqrt(self._squared_overlap(checked_alpha(alpha)))

    def test_error_at(self, alpha: float) -> float:
        r"""Return the test error per token of the best predictor, the posterior mean of T.

        .. math::
            \epsilon = \frac{\sigma^2}{L} \sum_{k \ne 0} \big(1 - r^{|k|}\big)\, |T_k|^2

        with the Hermite coefficients of T. At r = 0 it is the linear positional baseline's, at r = 1 it vanishes.

        Raises
        ------
        ValueError
            If alpha is not positive and finite.
        """
        return self._test_error(self._squared_overlap(checked_alpha(alpha)), self.energies[0])

    def error_at(self, alpha: float) -> float:
        """Return an estimate of the numerical error of :meth:`test_error_at`, by halving both rules' nodes."""
        overlap = self._squared_overlap(checked_alpha(alpha))
        value = self._test_error(overlap, self.energies[0])
        halved = self._squared_overlap(alpha, nodes=recovery.NODES // 2)
        coarse = abs(self._test_error(overlap, self.energies[1]) - value)
        return coarse + abs(self._test_error(halved, self.energies[0]) - value) + self.variance_error

    def curve(self, alphas: Iterable[float]) -> BayesCurve:
        """Return overlap and test error at many sample complexities.

        Raises
        ------
        ValueError
            If one of them is not positive and finite.
        """
        listed = checked_items("alphas", alphas, "a sequence of numbers")
        values = [positive_number(f"alphas[{k}]", alpha) for k, alpha in enumerate(listed)]
        columns = (values, *([f(alpha) for alpha in values] for f in (
            self.overlap_at, self.test_error_at, self.error_at)))  # fmt: skip
        return BayesCurve(*(np.array(column, dtype=float) for column in columns))

    @numpy_defaults
    def _squared_overlap(self, alpha: float, nodes: int = recovery.NODES) -> float:
        if math.isinf(self.weak_recovery):
            return 0.0
        return recovery.overlap(alpha, self.sequence_length, nodes=nodes)

    def _test_error(self, overlap: float, energies: Array) -> float:
        """Return the test error at r; what the rule does not resolve counts as of the first degree beyond it."""
        powers = overlap ** np.arange(1.0, energies.size + 2)
        rest = self.variance - float(energies.sum())
        return float((1 - powers[:-1]) @ energies + (1 - powers[-1]) * rest)


@numpy_defaults
def bayes_optimal(model: AttentionModel) -> BayesOptimal:
    """Return the Bayes-optimal learner of a model.

    It knows the model (target, omega, A, the laws of tokens and teacher) and sees what the layer is trained on. The
    overlap depends on the number of tokens only, neither on sigma nor, below 1, on omega.

    Raises
    ------
    ValueError
        If the sequence is longer than five tokens, or the model is of another kind than the paper's.
    """
    what = "the Bayes-optimal baseline"
    AttentionModel.require(model, what)
    length = model.sequence_length
    if length > MOST_TOKENS:
        raise InvalidArgument(f"{what} needs at most {MOST_TOKENS} tokens, got {length!r}")
    moments = target_moments(model, what)
    scale = model.token_variance / length
    coarse, fine = (scale * _energies(model, order) for order in hermite.orders(length))
    informative = model.omega < 1.0
    return BayesOptimal(
        sequence_length=length,
        weak_recovery=recovery.weak_recovery(length) if informative else math.inf,
        perfect_recovery=recovery.perfect_recovery(length) if informative else math.inf,
        energies=(fine, coarse),
        variance=scale * moments.variance,
        variance_error=scale * moments.variance_error,
    )


def _energies(model: AttentionModel, order: int) -> Array:
    """Return the sums of |T_k|^2 over coefficients of total degree 1, ..., order - 1, (order - 1,)."""
    length = model.sequence_length
    nodes, _ = hermite.grid(length, order)
    target = target_values(model, list(model.sigma * nodes))
    energies = hermite.degree_sums(hermite.coefficients(target, length) ** 2, length)[1:order]
    energies.setflags(write=False)
    return energies
