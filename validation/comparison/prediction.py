"""What simulations at one point are held against: numbers of theory, their errors, and what finite size allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from replica.common.by_value import ByValue
from replica.common.checked_arguments import checked_instance, checked_number, positive_number, quoted
from replica.common.errors import InvalidArgument
from replica.quantities.layout import Layout
from replica.quantities.overlap_invariants import invariant_errors, overlap_invariants
from saddle import SolvedPoint
from validation.simulation.compared import signed_overlaps

__all__ = ["Prediction", "checked_prediction", "predicted_values"]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(ByValue):
    """What theory says at one sample complexity, by the names of what runs are compared by.

    Attributes
    ----------
    alpha
        Samples per dimension n/d.
    values
        For every name in :func:`~validation.simulation.compared.compared_names` of the model's layout, for the paper's
        kind ``COMPARED``: invariants of the overlaps (:mod:`replica.quantities.overlap_invariants`), normalised as in
        the theory notes, section 2, training loss per dimension and test error per token. Other names may be there.
    errors
        Numerical errors of some of them; shown, and negligible beside standard errors. nan where one is unknown.
    allowance_coefficients
        For some names, the coefficient c >= 0 of the allowance c/d for a finite dimension d; zero for the others.

    Raises
    ------
    ValueError
        If alpha is not positive, a value is not finite, or an allowance is negative; the message quotes it.
    """

    alpha: float
    values: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    allowance_coefficients: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        coefficients = _numbers("allowance_coefficients", self.allowance_coefficients)
        for name, coefficient in coefficients.items():
            if coefficient < 0:
                raise InvalidArgument(f"allowance_coefficients[{name!r}] must be finite and >= 0, got {coefficient!r}")
        settled: dict[str, Any] = {
            "alpha": positive_number("alpha", self.alpha),
            "values": _numbers("values", self.values),
            "errors": _numbers("errors", self.errors, finite=False),
            "allowance_coefficients": coefficients,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_point(cls, point: SolvedPoint) -> Prediction:
        """Return what a solved point says of runs, with its errors.

        Errors of eigenvalues and singular values are bounds
        (:func:`replica.quantities.overlap_invariants.invariant_errors`).
        """
        layout = point.evolution.model.structure.layout
        # The training loss is -Phi, and so is its error.
        losses = {"train_loss": point.error["free_entropy"], "test_error": point.error["test_error"]}
        return cls(point.alpha, predicted_values(layout, point), {**invariant_errors(layout, point.error), **losses})

    def require(self, names: tuple[str, ...]) -> None:
        """Refuse a prediction that lacks one of some names, or allows for another, or raise a ValueError."""
        missing = [name for name in names if name not in self.values]
        if missing:
            raise InvalidArgument(
                f"the values of the prediction lack {', '.join(missing)}; give them too, got {sorted(self.values)!r}"
            )
        for name in self.allowance_coefficients:
            if name not in names:
                raise InvalidArgument(f"allowance_coefficients may name {', '.join(names)}; got {name!r}")


def predicted_values(layout: Layout, point: SolvedPoint) -> dict[str, float]:
    """Return what runs are compared with; overlaps of a single number keep their signs."""
    losses = {"train_loss": point.train_loss, "test_error": point.test_error}
    signed = signed_overlaps(layout, point.order_parameters)
    return {**overlap_invariants(layout, point.order_parameters), **signed, **losses}


def checked_prediction(prediction: Any) -> Prediction:
    """Return what theory says if it is said, or raise a ValueError."""
    return checked_instance("prediction", prediction, Prediction, "a Prediction, such as Prediction(1.5, values)")


def _numbers(argument: str, values: Any, finite: bool = True) -> Mapping[str, float]:
    """Return a read-only mapping of names to numbers."""
    if not isinstance(values, Mapping):
        raise InvalidArgument(f"{argument} must map names to numbers, got {quoted(values)}")
    unknown = not finite
    return MappingProxyType({
        name: math.nan
        if unknown and isinstance(value, float) and math.isnan(value)
        else checked_number(f"{argument}[{name!r}]", value)
        for name, value in values.items()
    })  # fmt: skip
