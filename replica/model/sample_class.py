r"""Classes of samples: with a probability, tokens' means along fixed directions, and a label.

A sample of class c has tokens :math:`x_l = \sum_k C^c_{lk} v_k + \Sigma_l^{1/2}\xi_l` with directions
:math:`v_k` of norm one, orthogonal to each other and to the teacher's columns. Encodings are the case of one class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from replica.common.checked_arguments import checked_items, quoted
from replica.common.checked_values import finite_number, positive
from replica.common.errors import InvalidModel
from replica.model.checked_fields import checked_parameters
from replica.model.parameter_values import encoding_values
from replica.quantities.solvable_model import Model

__all__ = [
    "ClassNumbers",
    "SampleClass",
    "checked_classes",
    "class_numbers",
    "mean_matrix",
    "mean_parameters",
    "names_of_classes",
    "telling_values",
]

# More classes than these are not what the average over them, one after the other, is for.
MOST_CLASSES = 100
# Of the sum of probabilities, which rounding moves.
ROUNDING = 1e-9


@dataclass(frozen=True)
class SampleClass:
    r"""One class of samples.

    Parameters
    ----------
    probability
        Its share of all samples, positive.
    means
        Coefficients of the tokens' means along the directions, :math:`C^c`, (L, k); for one direction (L,), and for one
        token and one direction a number. By default there are no directions.
    parameters
        Values that symbols of loss and outputs have in this class, by name: labels, places, sizes of noise.

    Raises
    ------
    ValueError
        If the probability is not positive, or a mean or a value is no finite number.

    Examples
    --------
    >>> SampleClass(0.5, 1.0, {"label": 1.0}).means
    ((1.0,),)
    >>> SampleClass(0.25, [1.0, 0.0]).means
    ((1.0,), (0.0,))
    """

    probability: float
    means: float | Sequence[float] | Sequence[Sequence[float]] = ()
    parameters: Mapping[str, float] | Sequence[tuple[str, float]] = ()

    def __post_init__(self) -> None:
        """Keep plain immutable values."""
        object.__setattr__(self, "probability", positive("probability", self.probability))
        object.__setattr__(self, "means", _checked_means(self.means))
        object.__setattr__(self, "parameters", checked_parameters(self.parameters))

    @property
    def mean_matrix(self) -> np.ndarray:
        """Coefficients of the tokens' means, (L, k); (0, 0) where there are no directions."""
        rows = np.array(self.means, dtype=float)
        return rows if rows.size else np.zeros((len(rows), 0))

    def to_dict(self) -> dict[str, object]:
        """Return the class as plain lists and numbers, for JSON."""
        given: Any = self.means
        means = [list(row) for row in given]
        return {"probability": self.probability, "means": means, "parameters": dict(self.parameters)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SampleClass:
        """Return the class that :meth:`to_dict` wrote.

        Raises
        ------
        ValueError
            If it is none.
        """
        known = {"probability", "means", "parameters"}
        if not isinstance(values, Mapping) or not {"probability"} <= set(values) <= known:
            raise InvalidModel(f"a class must have probability, means and parameters, got {quoted(values)}")
        return cls(**values)


@dataclass(frozen=True, eq=False)
class ClassNumbers:
    """The numbers of one kind of samples.

    Attributes
    ----------
    probability
        Its share of all samples.
    encoding
        Coefficients of the tokens' means along the directions, (L, k).
    parameters
        Every numeric parameter of the model, by name.
    """

    probability: float
    encoding: np.ndarray
    parameters: Mapping[str, float]


def class_numbers(model: Model) -> tuple[ClassNumbers, ...]:
    """Return the numbers of every class of a model's samples; of one class where it has none."""
    values = model.parameter_values()
    if not model.classes:
        return (ClassNumbers(1.0, model.encoding_matrix, values),)
    matrices = [one.mean_matrix for one in model.classes]
    return tuple(
        ClassNumbers(one.probability, matrix, values | encoding_values(matrix) | dict(one.parameters))
        for one, matrix in zip(model.classes, matrices, strict=True)
    )


def telling_values(model: Model) -> dict[str, float]:
    """Return what tells models of one structure apart, by name: parameters, and of every class its own ones.

    Those of class k are called ``class_k_probability``, ``class_k_label`` and so on; means over classes, which models
    of different classes may share, are left out.
    """
    own = names_of_classes(model)
    values = {name: value for name, value in model.parameter_values().items() if name not in own}
    for k, one in enumerate(class_numbers(model) if model.classes else (), start=1):
        values[f"class_{k}_probability"] = one.probability
        values |= {f"class_{k}_{name}": value for name, value in one.parameters.items() if name in own}
    return values


def names_of_classes(model: Model) -> set[str]:
    """Return the names of the parameters that have a value in every class, and none of their own."""
    if not model.classes:
        return set()
    encodings = {name for name in model.parameter_values() if name.startswith("positional_encoding")}
    return encodings | set(dict(model.classes[0].parameters))


def _checked_means(means: Any) -> tuple[tuple[float, ...], ...]:
    """Return means as rows of floats, one per token."""
    given = means.tolist() if hasattr(means, "tolist") else means
    if isinstance(given, int | float):
        return ((finite_number("means", given),),)
    what = "numbers or rows of numbers, one per token"
    rows = checked_items("means", given, what, error=InvalidModel)
    if all(isinstance(row, int | float) for row in rows):
        return tuple((finite_number(f"means[{i}]", row),) for i, row in enumerate(rows))
    listed = [checked_items(f"means[{i}]", row, what, error=InvalidModel) for i, row in enumerate(rows)]
    if len({len(row) for row in listed}) > 1:
        raise InvalidModel(f"means must have rows of one length, got {quoted(means)}")
    return tuple(tuple(finite_number(f"means[{i}][{j}]", x) for j, x in enumerate(row)) for i, row in enumerate(listed))


def checked_classes(classes: Any, length: int, common: Mapping[str, float]) -> tuple[SampleClass, ...]:
    """Return the classes of a model of so many tokens, whose probabilities sum to one; none if none are given.

    Raises
    ------
    ValueError
        If they are none, differ in their directions or in the names of their parameters, or have a name that the
        model's ``common`` parameters have.
    """
    items = checked_items("classes", classes, "a sequence of classes", most=MOST_CLASSES, error=InvalidModel)
    listed = tuple(SampleClass.from_dict(item) if isinstance(item, Mapping) else item for item in items)
    for k, one in enumerate(listed):
        if not isinstance(one, SampleClass):
            raise InvalidModel(f"classes[{k}] must be a SampleClass, got {quoted(one)}")
    if not listed:
        return ()
    total = sum(one.probability for one in listed)
    if abs(total - 1.0) > ROUNDING:
        raise InvalidModel(f"probabilities of classes must sum to 1, got {total!r}")
    _check_alike(listed, length, common)
    return listed


def _check_alike(classes: Sequence[SampleClass], length: int, common: Mapping[str, float]) -> None:
    """Refuse classes of other shapes or other parameters than the first's, and directions that nothing has."""
    first = classes[0]
    names, directions = list(dict(first.parameters)), first.mean_matrix.shape[1]
    for k, one in enumerate(classes):
        if list(dict(one.parameters)) != names:
            raise InvalidModel(
                f"classes must give values to the same symbols, got {names} and {list(dict(one.parameters))}"
            )
        shape = one.mean_matrix.shape
        if shape[1] != directions or (directions and shape[0] != length):
            wanted = f"({length}, {directions})" if directions else "none, as in the first class"
            raise InvalidModel(f"means of classes[{k}] must have the shape {wanted}, got {shape}")
    twice = sorted(set(names) & set(common))
    if twice:
        raise InvalidModel(f"{twice[0]!r} must have a value in parameters or in classes, got both")
    every = np.array([one.mean_matrix for one in classes]) if directions else np.ones((1, 1, 0))
    for j in range(directions):
        if not np.any(every[:, :, j]):
            raise InvalidModel(f"direction {j + 1} must be along some token's mean, got only zeros: leave it out")


def mean_matrix(classes: Sequence[SampleClass], length: int) -> np.ndarray:
    """Return the tokens' mean coefficients averaged over classes, (L, k)."""
    if not classes[0].mean_matrix.shape[1]:
        return np.zeros((length, 0))
    return sum((one.probability * one.mean_matrix for one in classes), np.zeros(classes[0].mean_matrix.shape))


def mean_parameters(classes: Sequence[SampleClass]) -> dict[str, float]:
    """Return the values of the classes' parameters, averaged over classes."""
    found: dict[str, float] = dict.fromkeys(dict(classes[0].parameters), 0.0)
    for one in classes:
        for name, value in dict(one.parameters).items():
            found[name] += one.probability * value
    return found
