r"""Bayes-optimal message passing at finite dimension: the experiment behind the Bayes-optimal baseline.

The fields :math:`h^\star_l` of n sequences are read off the outputs, up to a common sign each; approximate message
passing then estimates the teacher. Its overlaps follow ``baselines.recovery`` iteration by iteration as d grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.common.checked_arguments import checked_integer, checked_number, positive_number
from replica.common.checked_values import real_matrix
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from validation.simulation.teacher import positive_integer

__all__ = ["BayesMessagePassingRun", "fields_up_to_sign", "pass_bayes_messages"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BayesMessagePassingRun:
    """Overlaps per iteration, the start first, read-only, (iterations + 1,).

    Attributes
    ----------
    teacher_overlap
        ``Q . Q*/d``, with a teacher of norm d.
    self_overlap
        ``|Q|^2/d``; on average the same, for an estimate that is a posterior mean.
    """

    teacher_overlap: Array
    self_overlap: Array

    @property
    def cosine(self) -> Array:
        """Cosine similarity of estimate and teacher."""
        return self.teacher_overlap / np.sqrt(self.self_overlap)


def fields_up_to_sign(target: Array, model: AttentionModel) -> Array:
    r"""Return :math:`h^\star` up to a common sign from T(h*), (L, L).

    Logarithms of the rows of the softmax give :math:`D_{ij} = h_i (h_i - h_j)`, and
    :math:`D_{ij} + D_{ji} = (h_i - h_j)^2`. The pair that is furthest apart fixes the sign and its own two fields, the
    larger of which gives all others.

    Raises
    ------
    ValueError
        If omega is 1, so that the target does not depend on the fields, or the model is not of the paper's kind.
    """
    AttentionModel.require(model, "reading fields off a target")
    if model.omega >= 1.0:
        raise InvalidArgument(f"omega must be below 1 for the target to know the fields, got {model.omega!r}")
    length = model.sequence_length
    target = np.array(real_matrix("target", target, (length, length)))
    attention = (target - model.omega * np.array(model.positional_matrix)) / (1 - model.omega)
    logits = np.log(attention)
    products = np.diag(logits)[:, None] - logits
    i, j = np.unravel_index(np.argmax(products + products.T), products.shape)
    distance = np.sqrt(products[i, j] + products[j, i])
    pair = {i: products[i, j] / distance, j: -products[j, i] / distance}
    pivot = max(pair, key=lambda k: abs(pair[k]))
    return pair[pivot] - products[pivot] / pair[pivot]


@numpy_defaults
def pass_bayes_messages(
    alpha: float, dimension: int, length: int, seed: int, *, start: float = 0.05, iterations: int = 40
) -> BayesMessagePassingRun:
    """Run Bayes-optimal message passing on fields known up to a sign, tokens and teacher of unit variance.

    Parameters
    ----------
    alpha, dimension, length, seed
        n/d, d, L, and the seed of the data.
    start
        Overlap r of the first estimate, in (0, 1): a posterior mean given a noisy look at the teacher.
    iterations
        Their number.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    Generalised approximate message passing (Rangan, arXiv:1010.5141) with L outputs per sample, whose posterior
    means are :math:`h tanh(h . w/v)` for fields known to be h or -h, given a normal guess of means w and variance v.
    """
    alpha, dimension = positive_number("alpha", alpha), positive_integer("dimension", dimension)
    length, iterations = positive_integer("length", length), positive_integer("iterations", iterations)
    if not 0.0 < checked_number("start", start) < 1.0:
        raise InvalidArgument(f"start must lie between 0 and 1, both excluded, got {start!r}")
    if round(alpha * dimension) < 1:
        raise InvalidArgument(f"alpha must give a sample in dimension {dimension}, got {alpha!r}")
    generator = np.random.default_rng(checked_integer("seed", seed, 0))
    count = round(alpha * dimension)
    teacher = generator.standard_normal(dimension)
    teacher *= np.sqrt(dimension / (teacher @ teacher))
    # One row per token; matrix products alone touch it.
    tokens = generator.standard_normal((count * length, dimension)) / np.sqrt(dimension)
    known = (tokens @ teacher).reshape(count, length) * generator.choice([-1.0, 1.0], (count, 1))
    estimate = start * teacher + np.sqrt(start * (1 - start)) * generator.standard_normal(dimension)
    variance, forces = 1 - start, np.zeros(count * length)
    overlaps = [(estimate @ teacher, estimate @ estimate)]
    for _ in range(iterations):
        guess = tokens @ estimate - variance * forces
        fields = guess.reshape(count, length)
        tilt = np.tanh(np.sum(known * fields, axis=1, keepdims=True) / variance)
        forces = ((known * tilt).ravel() - guess) / variance
        # Of the prior's side: minus the divergence of the forces, which is positive but for fluctuations.
        precision = max(0.0, np.sum(1 - known**2 * (1 - tilt**2) / variance) / (variance * dimension))
        estimate = (precision * estimate + tokens.T @ forces) / (1 + precision)
        variance = 1 / (1 + precision)
        overlaps.append((estimate @ teacher, estimate @ estimate))
    with_teacher, with_itself = np.array(overlaps).T / dimension
    for values in (with_teacher, with_itself):
        values.setflags(write=False)
    return BayesMessagePassingRun(with_teacher, with_itself)
