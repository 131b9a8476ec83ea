"""Gradient descent against theory at one point: means over seeds, and their distance in standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.common.aligned_text import aligned
from replica.common.by_value import ByValue
from replica.common.checked_arguments import (
    checked_choice,
    checked_flag,
    checked_function,
    checked_instance,
    checked_integer,
    checked_items,
)
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.loss_structure import LossStructure
from replica.quantities.overlap_invariants import single_overlaps
from replica.quantities.solvable_model import Model
from validation.comparison.prediction import Prediction, checked_prediction
from validation.simulation.compared import (
    VANISHING,
    chance_ratio,
    compared_names,
    compared_values,
    signless_overlaps,
)
from validation.simulation.gradient_descent import TrainingRun
from validation.simulation.simulate import simulate
from validation.simulation.starts import STARTS, require_start
from validation.simulation.teacher import positive_integer, require_model
from validation.simulation.training import AS_PUBLISHED, Training, checked_training

__all__ = ["ComparedQuantity", "Comparison", "compare_at", "comparison_table"]


@dataclass(frozen=True, eq=False, repr=False)
class ComparedQuantity(ByValue):
    """One quantity, measured over seeds and predicted.

    Attributes
    ----------
    name
        One of :func:`~validation.simulation.compared.compared_names` of the model's layout.
    values
        The value for each seed, read-only. Overlaps that are defined up to a sign enter by magnitude,
        unless theory says that they vanish: the magnitude of a fluctuation about zero has a mean of order
        1/sqrt(d), so then the signed values are compared. Singular values have no sign.
    signed
        Whether ``values`` keep their signs.
    mean, standard_error
        Over the seeds.
    theory
        The prediction for d to infinity (its magnitude, unless ``signed``).
    theory_error
        Numerical error of the prediction; nan if none was stated.
    allowance
        How far from theory the mean may lie because d is finite. It includes, for singular values that vanish in
        theory, the mean that fluctuations of their size have.
    """

    name: str
    values: NDArray[np.float64]
    signed: bool
    mean: float
    standard_error: float
    theory: float
    theory_error: float
    allowance: float

    @property
    def deviation(self) -> float:
        """``mean - theory`` in standard errors."""
        return _in_units(self.mean - self.theory, self.standard_error)

    @property
    def deviation_beyond_allowance(self) -> float:
        """Like ``deviation``, after the difference has been shrunk by the allowance towards zero."""
        difference = self.mean - self.theory
        allowed = min(max(difference, -self.allowance), self.allowance)
        return _in_units(difference - allowed, self.standard_error)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ByValue):
    """Simulations of one model from one start, next to theory.

    Attributes
    ----------
    model, start, sample_complexity, dimension
        What was simulated.
    quantities
        One entry per name in :func:`~validation.simulation.compared.compared_names`, in that order.
    runs
        The training runs, one per seed.
    """

    model: Model
    start: str
    sample_complexity: float
    dimension: int
    quantities: tuple[ComparedQuantity, ...]
    runs: tuple[TrainingRun, ...]

    def __getitem__(self, name: str) -> ComparedQuantity:
        """Return one quantity by name."""
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        listed = ", ".join(quantity.name for quantity in self.quantities)
        raise KeyError(f"compared quantities are {listed}; got {name!r}")

    @property
    def largest_deviation(self) -> float:
        """Largest magnitude of ``deviation_beyond_allowance``."""
        return max(abs(quantity.deviation_beyond_allowance) for quantity in self.quantities)


@numpy_defaults
def compare_at(
    model: Model,
    prediction: Prediction,
    start: str,
    dimension: int,
    seeds: Iterable[int],
    *,
    training: Training = AS_PUBLISHED,
    spherical_teacher: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Simulate several seeds and compare with theory.

    Parameters
    ----------
    model
        The model.
    prediction
        Where, what theory says there, and how far from it finite size may lead.
    start
        Name of a start (see :func:`~validation.initial_student`).
    dimension
        Token dimension d.
    seeds
        At least two distinct seeds; each draws its own data and teacher.
    training
        How, and in which precision; by default as published.
    spherical_teacher
        See :func:`~validation.simulation.teacher.draw_teacher_data`; off as published, on for a sharper comparison.
    progress
        Called with the number of seeds finished, after each.

    Raises
    ------
    ValueError
        If a prediction is missing, an allowance has an unknown name, or the seeds are fewer than two or repeat; the
        message quotes the culprit.
    Diverged
        If a run diverges.
    """
    require_model(model)
    names = compared_names(model.structure.layout)
    checked_prediction(prediction).require(names)
    checked_choice("start", start, STARTS)
    dimension = positive_integer("dimension", dimension)
    require_start(model, start)
    checked_training(training).schedule(model.regularization, published=not isinstance(model.structure, LossStructure))
    checked_flag("spherical_teacher", spherical_teacher)
    checked_function("progress", progress)
    listed = _checked_seeds(seeds)
    runs: list[TrainingRun] = []
    for seed in listed:
        runs.append(
            simulate(
                model, start, prediction.alpha, dimension, seed, training=training, spherical_teacher=spherical_teacher
            )
        )
        if progress is not None:
            progress(len(runs))
    quantities = tuple(_compare(name, runs, prediction) for name in names)
    return Comparison(model, start, prediction.alpha, dimension, quantities, tuple(runs))


def comparison_table(comparison: Comparison) -> str:
    """Render a comparison as plain text: a heading, a line of column names and a line per quantity."""
    checked_instance("comparison", comparison, Comparison, "a Comparison, as compare_at returns")
    heading = (
        f"start {comparison.start}, alpha = {comparison.sample_complexity:g}, d = {comparison.dimension}, "
        f"{len(comparison.runs)} seeds"
    )
    columns = (
        "quantity", "mean", "standard error", "theory", "theory error", "allowance", "deviation", "beyond allowance",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [columns]
    ambiguous = single_overlaps(comparison.model.structure.layout)
    for quantity in comparison.quantities:
        magnitude = quantity.name in ambiguous and not quantity.signed
        label = f"|{quantity.name}|" if magnitude else quantity.name
        numbers = (quantity.mean, quantity.standard_error, quantity.theory)
        deviations = (quantity.deviation, quantity.deviation_beyond_allowance)
        rows.append(
            (
                label,
                *(f"{number:.6g}" for number in numbers),
                f"{quantity.theory_error:.1e}",
                f"{quantity.allowance:.6g}",
                *(f"{deviation:+.2f}" for deviation in deviations),
            )
        )
    return "\n".join([heading, *aligned(rows, right_from=1)])


def _compare(name: str, runs: list[TrainingRun], prediction: Prediction) -> ComparedQuantity:
    layout, theory = runs[0].model.structure.layout, prediction.values[name]
    allowance = prediction.allowance_coefficients.get(name, 0.0) / runs[0].dimension
    values = np.array([compared_values(run)[name] for run in runs], dtype=np.float64)
    signed = name not in single_overlaps(layout) or abs(theory) < VANISHING
    if not signed:
        values, theory = np.abs(values), abs(theory)
    values.setflags(write=False)
    deviation = float(values.std(ddof=1))
    if name in signless_overlaps(layout) and abs(theory) < VANISHING:
        allowance += chance_ratio(layout, name) * deviation
    spread, error = deviation / math.sqrt(values.size), prediction.errors.get(name, math.nan)
    return ComparedQuantity(name, values, signed, float(values.mean()), spread, theory, error, allowance)


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    """Return the seeds as a list: what is wrong with the last would otherwise come out after minutes."""
    given = checked_items("seeds", seeds, "a sequence of integers")
    listed = [checked_integer(f"seeds[{k}]", seed, 0) for k, seed in enumerate(given)]
    if len(listed) < 2 or len(set(listed)) != len(listed):
        raise InvalidArgument(f"seeds must be two or more distinct integers, got {listed!r}")
    return listed


def _in_units(difference: float, unit: float) -> float:
    """Return difference / unit, where 0/0 is 0 and a difference without spread is infinitely significant."""
    if unit > 0:
        return difference / unit
    return math.copysign(math.inf, difference) if difference else 0.0
