r"""Approximate message passing on one data set, whose state evolution is the damped saddle-point iteration.

With :math:`h^t_l = (x_l + p_l)\cdot Q^t/\sqrt d` for every sample, one iteration is (generalised approximate message
passing, arXiv:1010.5141, with L fields per sample and the mean direction :math:`p` kept exactly)

.. math::
    w^t &= h^t - o^t, \qquad z^t = \arg\min_z \Big\{\frac{|z - w^t|^2}{2V^t} + \ell_\mu(z)\Big\},
        \qquad g^t = (z^t - w^t)/V^t \\
    Q' &= \frac1{D_t}\Big[\frac1{\sqrt d}\sum_{\mu l}(x_l + p_l)\,g^t_l + \sigma^2\hat V_t\,Q^t\Big],
        \qquad D_t = \lambda + \sigma^2\hat V_t

with :math:`\hat V_t = -\frac1d\sum_{\mu l}\partial g_l/\partial w_l`, after which a random share :math:`\delta` (the
damping) of the components of Q takes its value from Q', and

.. math::
    o^{t+1} = (1 - \delta)\,o^t + \delta\,\sigma^2 g^t/D_t, \qquad V^{t+1} = (1 - \delta)\,V^t + \delta\,\sigma^2/D_t .

*Why a share of the components.* State evolution averages over components, so that all of q, m, theta and V move by
the share :math:`\delta` towards the next value of the saddle-point map: u <- (1 - delta) u + delta G(alpha f(u)), the
iteration of ``StateEvolution.iterate``, exactly as d grows. If instead every component moved by delta, q would be
quadratic in the mixture and bring in overlaps between different iterations. The reaction term o collects what each
component last heard: those updated s iterations ago react to g of that time, hence its geometric memory.

*Which derivative.* :math:`z^\star` jumps, and so does g. The law of w is Gaussian, and the derivative that cancels the
reaction of the data on the estimate is that of Stein's lemma, the jumps' delta functions included (theory notes,
section 4); the sum of local derivatives misses them. By default it is therefore measured by the lemma: regression of g
on (w - c m, h*) over the samples.

*Fixed points.* There :math:`o = V g`, hence z = h and :math:`g = -\partial\ell_\mu/\partial z`, and the equation for Q
says that the gradient of the training loss vanishes, whatever :math:`\hat V` is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.common.checked_arguments import checked_function, checked_instance, positive_number
from replica.common.numeric_errors import numpy_defaults
from validation.message_passing.settings import MessagePassingSettings, checked_settings
from validation.simulation.descent.divergence import Diverged
from validation.simulation.losses.training_loss import TrainingLoss
from validation.simulation.starts import given_student
from validation.simulation.teacher import TeacherData, checked_data
from validation.simulation.wells.sample_losses import SampleLosses

__all__ = ["MessagePassingRun", "approximate_message_passing"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class MessagePassingRun:
    r"""Overlaps along the iterations, and where they ended; every array is read-only.

    Attributes
    ----------
    model, dimension, samples
        What was iterated on.
    damping
        The share of components that moves in an iteration.
    order_parameters
        (q, m, V, theta) before every iteration and after the last, shape (T + 1, 4): overlaps of the estimate as in
        :func:`validation.student_with_overlaps`, and V of the proximal points.
    conjugates
        (q_hat, m_hat, V_hat, theta_hat) in every iteration, shape (T, 4), summed over tokens as in the theory notes,
        section 4: :math:`\hat q = \frac1d\sum|g|^2`, :math:`\hat m = \frac1d\sum c_l g_l`, and :math:`\hat V`,
        :math:`\hat\theta` as regression coefficients (or what was asked for as response).
    displacements
        Root mean square of Q' - Q in every iteration, shape (T,); zero at a fixed point.
    estimate
        The final Q, shape (d,).
    train_loss
        Training loss of the estimate, per dimension.
    gradient_norm
        :math:`|\partial\mathcal{L}/\partial Q|/\sqrt d` at the estimate.
    converged
        Whether the last displacement is within the tolerance asked for.
    """

    model: AttentionModel
    dimension: int
    samples: int
    damping: float
    order_parameters: Array
    conjugates: Array
    displacements: Array
    estimate: Array
    train_loss: float
    gradient_norm: float
    converged: bool


@numpy_defaults
def approximate_message_passing(
    data: TeacherData,
    start: Array,
    susceptibility: float,
    settings: MessagePassingSettings,
    *,
    generator: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> MessagePassingRun:
    r"""Iterate approximate message passing from an estimate that is independent of the samples.

    Parameters
    ----------
    data
        Training samples and teacher; two tokens.
    start
        The first estimate Q, shape (d,). It may depend on the teacher, as that of
        :func:`validation.student_with_overlaps` does, but not on the samples: state evolution would not hold.
    susceptibility
        The first V, positive.
    settings
        The number of iterations, their damping and response, and where to stop.
    generator
        Chooses the components that move.
    progress
        Called with the number of iterations taken, after each.

    Raises
    ------
    ValueError
        If an argument is out of range, the model not of the paper's kind, or the sequences not of two tokens; the
        message quotes it.
    Diverged
        If lambda + sigma^2 V_hat is not positive or the estimate overflows, as happens undamped.
    """
    AttentionModel.require(checked_data(data).model, "message passing")
    checked_instance("generator", generator, np.random.Generator, "a numpy.random.Generator")
    checked_function("progress", progress)
    settings, V = checked_settings(settings), positive_number("susceptibility (V)", susceptibility)
    student = given_student(data, start)
    dimension, variance, ridge = data.dimension, data.attention_model.token_variance, data.model.regularization
    moving = max(1, round(settings.damping * dimension))
    share = moving / dimension
    loss = TrainingLoss.of(data)
    losses = SampleLosses.of(loss)
    teacher_fields = _centred(data.tokens @ data.teacher / math.sqrt(dimension))
    reaction = np.zeros_like(teacher_fields)
    states = [_order_parameters(data, student, V)]
    conjugates: list[tuple[float, ...]] = []
    displacements: list[float] = []
    for iteration in range(settings.iterations):
        w = loss.preactivations(student) - reaction
        z = losses.proximal_points(w.T, V)
        g = (z.T - w) / V
        slope, teacher_slope = _regression(g, w, teacher_fields)
        if not isinstance(settings.response, str):
            V_hat = float(settings.response[iteration])
        elif settings.response == "stein":
            V_hat = -slope * g.size / dimension
        else:
            V_hat = float(losses.regular_response(z, V).sum()) / dimension
        m_hat = float(np.asarray(data.attention_model.positional_encoding) @ g.sum(axis=1)) / dimension
        conjugates.append((float(np.sum(g**2)) / dimension, m_hat, V_hat, teacher_slope * g.size / dimension))
        precision = ridge + variance * V_hat
        if not precision > 0:
            raise Diverged(
                f"lambda + sigma^2 V_hat is {precision!r} in iteration {iteration + 1}, not positive; "
                "damp more, or start nearer to a solution"
            )
        proposal = (loss.transposed(g) / math.sqrt(dimension) + variance * V_hat * student) / precision
        displacements.append(float(np.linalg.norm(proposal - student)) / math.sqrt(dimension))
        if not math.isfinite(displacements[-1]):
            raise Diverged(f"the estimate overflowed in iteration {iteration + 1}; damp more than {settings.damping!r}")
        chosen = generator.choice(dimension, moving, replace=False, shuffle=False)
        student[chosen] = proposal[chosen]
        reaction = (1 - share) * reaction + share * variance / precision * g
        V = (1 - share) * V + share * variance / precision
        states.append(_order_parameters(data, student, V))
        if progress is not None:
            progress(iteration + 1)
        if displacements[-1] <= settings.tolerance:
            break
    arrays = np.array(states), np.array(conjugates), np.array(displacements), student
    for array in arrays:
        array.setflags(write=False)
    return MessagePassingRun(
        data.attention_model,
        dimension,
        data.samples,
        share,
        *arrays,
        train_loss=loss.per_dimension(student),
        gradient_norm=float(np.linalg.norm(loss.gradient(student))) / math.sqrt(dimension),
        converged=displacements[-1] <= settings.tolerance,
    )


def _order_parameters(data: TeacherData, student: Array, V: float) -> tuple[float, ...]:
    variance, dimension = data.attention_model.token_variance, data.dimension
    q, theta = (variance * float(student @ other) / dimension for other in (student, data.teacher))
    return q, float(student.mean()), V, theta


def _centred(fields: Array) -> Array:
    return fields - fields.mean(axis=1, keepdims=True)


def _regression(g: Array, w: Array, teacher_fields: Array) -> tuple[float, float]:
    r"""Return the coefficients of g on (w, h*), tokens together, each token about its mean.

    For Gaussian (w, h*) they tend to the mean derivatives of g in w and h*, whether or not g jumps (Stein's lemma).
    """
    inputs = np.stack([_centred(w).ravel(), teacher_fields.ravel()])
    slope, teacher_slope = np.linalg.solve(inputs @ inputs.T, inputs @ _centred(g).ravel())
    return float(slope), float(teacher_slope)
