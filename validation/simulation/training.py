"""How a student is trained and measured: one value, checked once, that all who train are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import DTypeLike

from replica.common.checked_arguments import (
    checked_choice,
    checked_flag,
    checked_instance,
    checked_integer,
    checked_number,
    positive_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from validation.simulation.descent.divergence import Diverged
from validation.simulation.descent.optimisers import METHODS, PUBLISHED, Schedule
from validation.simulation.teacher import checked_precision, positive_integer

__all__ = ["AS_PUBLISHED", "INTO_THE_BASIN", "INTO_THE_GROUND_STATE", "Training", "checked_training"]


@dataclass(frozen=True, kw_only=True)
class Training:
    r"""How a student is trained and measured; without arguments, gradient descent as published.

    Attributes
    ----------
    method
        ``"gradient-descent"``, ``"adam"`` (both with a constant learning rate) or ``"l-bfgs"``.
    learning_rate
        Factor of the gradient of the training loss, defined as in :mod:`validation.simulation.losses.training_loss` (of
        order d), or Adam's step length per entry. None is as published: 0.15 and 0.01; on losses other than attention's
        gradient descent then finds its own (:mod:`validation.simulation.descent.halving`). L-BFGS has none.
    steps
        Most steps taken; zero measures the start itself. None is as published, 5000 and 2500, and 10,000
        iterations of L-BFGS, which ends long before.
    gradient_tolerance
        Stop once :math:`|\partial\mathcal{L}/\partial Q|/\sqrt d` is at most this; zero takes every step (of
        L-BFGS: all that the rounding of the loss allows).
    polish
        Continue with L-BFGS to the bottom of the basin that descent ended in. Theory describes minima, while
        the published number of steps leaves soft directions behind: on the positional branch q comes out some
        per cent too small.
    moves
        Continue with L-BFGS and moves of single samples between the wells of their Moreau objectives, until no chain
        of at most so many leads to a lower minimum (see :func:`validation.ground_state`); zero for none.
    test_samples
        Number of fresh samples of the test error (50,000 in the published experiments).
    dtype
        Of the passes over the data, ``"float64"`` or ``"float32"``. None is that of given data, and ``float64`` where
        data are drawn.

    Raises
    ------
    ValueError
        If one is out of range, or there is a learning rate for L-BFGS; the message quotes it.
    """

    method: str = "gradient-descent"
    learning_rate: float | None = None
    steps: int | None = None
    gradient_tolerance: float = 0.0
    polish: bool = False
    moves: int = 0
    test_samples: int = 20_000
    dtype: DTypeLike | None = None

    def __post_init__(self) -> None:
        method = checked_choice("method", self.method, METHODS)
        rate, steps = self.learning_rate, self.steps
        if rate is not None and PUBLISHED[method].learning_rate is None:
            raise InvalidArgument(f"{method} has no learning_rate, got {quoted(rate)}; leave it out")
        settled: dict[str, Any] = {
            "method": method,
            "learning_rate": None if rate is None else positive_number("learning_rate", rate),
            "steps": None if steps is None else checked_integer("steps", steps, 0),
            "gradient_tolerance": checked_number("gradient_tolerance", self.gradient_tolerance, 0.0),
            "polish": checked_flag("polish", self.polish),
            "moves": checked_integer("moves", self.moves, 0),
            "test_samples": positive_integer("test_samples", self.test_samples),
            # One name for all that mean it, so that equal values are the same run.
            "dtype": None if self.dtype is None else checked_precision(self.dtype).name,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    def schedule(self, ridge: float, *, published: bool = True) -> Schedule:
        """Return learning rate and number of steps, those published for the method where none are given.

        Parameters
        ----------
        ridge
            The model's regularization lambda.
        published
            Whether the model is of attention, for which learning rates were published. Gradient descent on another
            loss has none unless it was given.

        Raises
        ------
        Diverged
            If gradient descent with this learning rate must diverge by the ridge penalty alone.
        """
        known = PUBLISHED[self.method]
        usual = None if self.method == "gradient-descent" and not published else known.learning_rate
        rate = usual if self.learning_rate is None else self.learning_rate
        if self.method == "gradient-descent" and rate is not None and rate * ridge >= 2.0:
            raise Diverged(
                f"descent would have diverged: learning_rate must be below 2/lambda = {2.0 / ridge:g}, from where on "
                f"the ridge penalty alone makes it diverge, got {rate!r}"
            )
        return Schedule(rate, known.steps if self.steps is None else self.steps)


AS_PUBLISHED = Training()
"""5000 steps of gradient descent with learning rate 0.15 (arXiv:2402.03902)."""

INTO_THE_BASIN = Training(steps=200, polish=True)
"""How a minimum near a start is reached: as far as gradient descent leads in 200 steps, then by L-BFGS."""

INTO_THE_GROUND_STATE = Training(steps=200, polish=True, moves=1)
"""From there on to the lowest minimum that moves of single samples between wells lead to."""


def checked_training(training: Any) -> Training:
    """Return how to train if it is said, or raise a ValueError."""
    return checked_instance("training", training, Training, "a Training, such as Training(method='l-bfgs')")
