r"""The target T as a function of numbers, and the law of the pre-activations it is a function of, for any model.

The default target is computed from the lines that its equations are made of, without SymPy. Any other is the text of a
matrix in the model, from which a NumPy function is made once.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.common.errors import InvalidArgument
from replica.model.layer import attention_entries, target_entries
from replica.model.parameter_values import group_statistics
from replica.model.spectrum import Spectrum

__all__ = ["TargetFunction", "softmax", "target_function", "target_values"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TargetFunction:
    r"""T(h*) as a function of L t independent standard normal variables.

    Attributes
    ----------
    factors
        Cholesky factors of the tokens' :math:`\rho_l`, shape (L, t, t): :math:`h^\star_l` is the factor times the
        l-th t variables.
    traces
        :math:`R_l = \mathrm{Tr}\,\Sigma_l/d`, shape (L,).
    evaluate
        T from the L rows of h*, each of t arrays of one shape (...): shape (L, L, ...).
    even
        Whether T(-h) = T(h) is known.
    bounded
        Whether it is known that T is bounded.
    """

    factors: Array
    traces: Array
    evaluate: Callable[[Sequence[Sequence[Array]]], Array]
    even: bool
    bounded: bool

    @property
    def length(self) -> int:
        """Number of tokens L."""
        return len(self.factors)

    @property
    def dimension(self) -> int:
        """Number of standard normal variables L t."""
        return self.factors.shape[0] * self.factors.shape[1]

    def __call__(self, normal: Sequence[Array]) -> Array:
        """Return T, shape (L, L, ...), at L t arrays of standard normal variables, each of shape (...)."""
        size = self.factors.shape[1]
        rows = [
            [_product(factor[s, : s + 1], normal[token * size :]) for s in range(size)]
            for token, factor in enumerate(self.factors)
        ]
        return self.evaluate(rows)

    def centre(self) -> Array:
        """Return T(0), shape (L, L, 1), or zero where the target is not finite there."""
        values = self([np.zeros(1)] * self.dimension)
        return np.where(np.isfinite(values), values, 0.0)


def _product(coefficients: Array, arrays: Sequence[Array]) -> Array:
    """Return the sum of coefficients times arrays; a teacher of rank one needs one product, no sum."""
    return functools.reduce(operator.add, map(operator.mul, coefficients, arrays))


def softmax(logits: Sequence[Array]) -> Array:
    """Return the weights of a row, exponentiating only non-positive numbers so that nothing overflows."""
    stacked = np.stack(np.broadcast_arrays(*logits))
    powers = np.exp(stacked - stacked.max(axis=0))
    return powers / powers.sum(axis=0)


def target_values(model: AttentionModel, fields: Sequence[Array]) -> Array:
    """Return the default target T(h*) of a teacher of rank one for arrays of L fields, shape (L, L, ...)."""
    return _default_values(model, [[field] for field in fields])


def _default_values(model: AttentionModel, rows: Sequence[Sequence[Array]]) -> Array:
    attention = attention_entries(rows, softmax)
    return np.array(target_entries(attention, model.omega, model.positional_matrix))


def target_function(model: AttentionModel) -> TargetFunction:
    """Return the target of any attention model as a function of standard normal variables.

    Raises
    ------
    ValueError
        If the target holds a symbol that has no value in this model.
    """
    factors, traces = _field_law(model)
    if not model.target:
        return TargetFunction(factors, traces, functools.partial(_default_values, model), even=True, bounded=True)
    text = _text_function(model.target, model.sequence_length, model.teacher_rank)
    by_letter = _parameters_by_letter(model)
    unknown = [x for x in text.parameters if x not in by_letter]
    if unknown:
        raise InvalidArgument(
            f"target holds the symbol {unknown[0]!r}, which has no value in this model; known are {sorted(by_letter)}"
        )
    values = [by_letter[x] for x in text.parameters]

    def evaluate(rows: Sequence[Sequence[Array]]) -> Array:
        return text.evaluate(rows, values)

    return TargetFunction(factors, traces, evaluate, even=text.even, bounded=False)


def _field_law(model: AttentionModel) -> tuple[Array, Array]:
    """Return Cholesky factors of rho, (L, t, t), and traces R, (L,), token by token."""
    length, size = model.sequence_length, model.teacher_rank
    if not isinstance(model.spectrum, Spectrum):
        # sigma itself: the root of its square may differ in the last bit.
        return np.tile(model.sigma * np.eye(size), (length, 1, 1)), np.full(length, model.token_variance)
    traces, variances = group_statistics(model.spectrum, model.gram, size)
    groups = list(model.spectrum.groups)
    return np.linalg.cholesky(variances)[groups], traces[groups]


def _parameters_by_letter(model: AttentionModel) -> dict[str, float]:
    """Return the values of a model's parameters by the names of their symbols in texts."""
    from replica.quantities.names import model_parameters

    values = model.parameter_values()
    return {x.letter: values[x.name] for x in model_parameters(model.structure)}


@dataclass(frozen=True, eq=False)
class _TextFunction:
    """A target given as text: a NumPy function of rows of h and values of the parameters it holds."""

    function: Callable[..., Any]
    parameters: tuple[str, ...]
    even: bool
    length: int

    def evaluate(self, rows: Sequence[Sequence[Array]], values: Sequence[float]) -> Array:
        fields = [np.asarray(x, dtype=float) for row in rows for x in row]
        # What is not finite is refused by whoever averages, who knows whether the point counts.
        with np.errstate(all="ignore"):
            entries = self.function(*fields, *values)
        shape = fields[0].shape
        return np.stack([np.broadcast_to(x, shape) for x in entries]).reshape(self.length, self.length, *shape)


@functools.lru_cache(maxsize=32)
def _text_function(text: str, length: int, columns: int) -> _TextFunction:
    import sympy as sp

    from replica.algebra.softmax_weight import SoftmaxWeight
    from replica.model.functions.user_functions import matrix_from_text
    from replica.quantities.symbols import teacher_fields

    matrix = matrix_from_text(text)
    fields = teacher_fields(length, columns)
    parameters = sorted(matrix.free_symbols - set(fields), key=str)
    # A row's weights are computed together, by a function that cannot overflow.
    row, entry = sp.Function("softmax_row"), sp.Function("entry_of_row", real=True)
    together = matrix.replace(SoftmaxWeight, lambda j, *logits: entry(row(*logits), j))
    functions = {"softmax_row": lambda *logits: softmax(logits), "entry_of_row": lambda weights, j: weights[j]}
    function = sp.lambdify([*fields, *parameters], list(together), modules=[functions, "scipy", "numpy"], cse=True)
    reversed_fields = {x: -x for x in fields}
    even = matrix.xreplace(reversed_fields) == matrix
    return _TextFunction(function, tuple(map(str, parameters)), even, length)
