"""Gradient descent against theory at one point: means over seeds, and their distance in standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from replica import AttentionModel
from replica.common.checked_arguments import (
    checked_choice,
    checked_function,
    checked_instance,
    checked_integer,
    checked_items,
    checked_number,
    positive_number,
    quoted,
)
from replica.common.errors import InvalidArgument
from replica.common.numeric_errors import numpy_defaults
from replica.quantities.layout import Layout
from replica.quantities.overlap_invariants import single_overlaps
from validation.simulation.compared import (
    VANISHING,
    chance_ratio,
    compared_names,
    compared_values,
    signless_overlaps,
)
from validation.simulation.gradient_descent import TrainingRun, training_settings
from validation.simulation.simulate import simulate
from validation.simulation.starts import STARTS
from validation.simulation.teacher import positive_integer, require_model

__all__ = ["ComparedQuantity", "Comparison", "compare_at", "comparison_table"]


@dataclass(frozen=True, eq=False)
class ComparedQuantity:
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


@dataclass(frozen=True, eq=False)
class Comparison:
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

    model: AttentionModel
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
    model: AttentionModel,
    theory: Mapping[str, float],
    start: str,
    alpha: float,
    dimension: int,
    seeds: Iterable[int],
    *,
    spherical_teacher: bool = False,
    method: str = "gradient-descent",
    learning_rate: float | None = None,
    steps: int | None = None,
    gradient_tolerance: float = 0.0,
    polish: bool = False,
    test_samples: int = 20_000,
    dtype: DTypeLike = np.float64,
    theory_errors: Mapping[str, float] | None = None,
    allowance_coefficients: Mapping[str, float] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Simulate several seeds and compare with theory.

    Parameters
    ----------
    model
        The model.
    theory
        Prediction for every name in :func:`~validation.simulation.compared.compared_names` of the model's layout, for
        the paper's kind ``COMPARED``: invariants of the overlaps (:mod:`replica.quantities.overlap_invariants`),
        normalised as in the theory notes, section 2, training loss per dimension and test error per token.
    start
        Name of a start (see :func:`~validation.initial_student`).
    alpha
        Samples per dimension.
    dimension
        Token dimension d.
    seeds
        At least two distinct seeds; each draws its own data and teacher.
    spherical_teacher
        See :func:`~validation.simulation.teacher.draw_teacher_data`; off as published, on for a sharper comparison.
    dtype
        Of the passes over the data, ``float64`` or ``float32``.
    method, learning_rate, steps, gradient_tolerance, polish, test_samples
        See :func:`~validation.simulation.gradient_descent.train_student`.
    theory_errors
        Numerical errors of some predictions, by name; shown, and negligible beside standard errors.
    allowance_coefficients
        For some names, the coefficient c >= 0 of the allowance c/d; zero for the others.
    progress
        Called with the number of seeds finished, after each.

    Raises
    ------
    ValueError
        If a prediction is missing or not finite, an allowance is negative or has an unknown name, or the
        seeds are fewer than two or repeat; the message quotes the culprit.
    """
    require_model(model)
    layout = model.structure.layout
    coefficients = _numbers("allowance_coefficients", allowance_coefficients or {})
    theory, errors = _numbers("theory", theory), _numbers("theory_errors", theory_errors or {}, finite=False)
    checked_choice("start", start, STARTS)
    alpha, dimension = positive_number("alpha", alpha), positive_integer("dimension", dimension)
    training_settings(method, learning_rate, steps, gradient_tolerance, model.regularization)
    checked_function("progress", progress)
    listed = _check_comparison(compared_names(layout), theory, coefficients, seeds)
    runs: list[TrainingRun] = []
    for seed in listed:
        runs.append(
            simulate(
                model,
                start,
                alpha,
                dimension,
                seed,
                spherical_teacher=spherical_teacher,
                dtype=dtype,
                method=method,
                learning_rate=learning_rate,
                steps=steps,
                gradient_tolerance=gradient_tolerance,
                polish=polish,
                test_samples=test_samples,
            )
        )
        if progress is not None:
            progress(len(runs))
    quantities = tuple(
        _compare(
            name,
            layout,
            runs,
            theory[name],
            errors.get(name, math.nan),
            coefficients.get(name, 0.0) / dimension,
        )
        for name in compared_names(layout)
    )
    return Comparison(model, start, alpha, dimension, quantities, tuple(runs))


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
    lines = [heading, f"{columns[0]:<22}" + "".join(f"{column:>17}" for column in columns[1:])]
    ambiguous = single_overlaps(comparison.model.structure.layout)
    for quantity in comparison.quantities:
        magnitude = quantity.name in ambiguous and not quantity.signed
        label = f"|{quantity.name}|" if magnitude else quantity.name
        numbers = (quantity.mean, quantity.standard_error, quantity.theory)
        deviations = (quantity.deviation, quantity.deviation_beyond_allowance)
        lines.append(
            f"{label:<22}"
            + "".join(f"{number:>17.6g}" for number in numbers)
            + f"{quantity.theory_error:>17.1e}{quantity.allowance:>17.6g}"
            + "".join(f"{deviation:>+17.2f}" for deviation in deviations)
        )
    return "\n".join(lines)


def _compare(
    name: str, layout: Layout, runs: list[TrainingRun], theory: float, theory_error: float, allowance: float
) -> ComparedQuantity:
    values = np.array([compared_values(run)[name] for run in runs], dtype=np.float64)
    signed = name not in single_overlaps(layout) or abs(theory) < VANISHING
    if not signed:
        values, theory = np.abs(values), abs(theory)
    values.setflags(write=False)
    deviation = float(values.std(ddof=1))
    if name in signless_overlaps(layout) and abs(theory) < VANISHING:
        allowance += chance_ratio(layout, name) * deviation
    spread = deviation / math.sqrt(values.size)
    return ComparedQuantity(name, values, signed, float(values.mean()), spread, theory, theory_error, allowance)


def _numbers(argument: str, values: Any, finite: bool = True) -> dict[str, float]:
    """Return a mapping of names to numbers as a dictionary."""
    if not isinstance(values, Mapping):
        raise InvalidArgument(f"{argument} must map names to numbers, got {quoted(values)}")
    unknown = not finite
    return {
        name: math.nan
        if unknown and isinstance(value, float) and math.isnan(value)
        else checked_number(f"{argument}[{name!r}]", value)
        for name, value in values.items()
    }


def _check_comparison(
    names: tuple[str, ...], theory: Mapping[str, float], coefficients: Mapping[str, float], seeds: Iterable[int]
) -> list[int]:
    """Return the seeds as a list, after checking everything that would otherwise fail after minutes."""
    missing = [name for name in names if name not in theory]
    if missing:
        raise InvalidArgument(f"theory lacks {', '.join(missing)}; it has {sorted(theory)!r}")
    for name, coefficient in coefficients.items():
        if name not in names:
            raise InvalidArgument(f"allowance_coefficients may name {', '.join(names)}; got {name!r}")
        if coefficient < 0:
            raise InvalidArgument(f"allowance_coefficients[{name!r}] must be finite and >= 0, got {coefficient!r}")
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
