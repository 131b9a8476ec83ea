r"""Attention and target of a model as NumPy functions of many samples, and how a loss pulls back through attention.

The default attention, :math:`\mathrm{softmax}(hh^\top)`, is written out here for any rank. Any other is what the model
holds as text: a SymPy matrix, compiled once per text. Its derivatives are contracted with the loss's sensitivities
before they are compiled, so that no tensor :math:`\partial S_{ij}/\partial h_{la}` is ever formed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replica import AttentionModel
from replica.common.errors import InvalidArgument
from replica.quantities.names import model_parameters

__all__ = [
    "AttentionLayer", "attention_layer", "attention_weights", "columns_of_fields", "softmax_weight", "stacked_values",
    "target_values",
]  # fmt: skip

Array = NDArray[np.floating[Any]]


class AttentionLayer(Protocol):
    """A student's attention function."""

    def weights(self, preactivations: Array) -> Array:
        """Return S(h), shape (L, L, n), for pre-activations of shape (L, n) or (L, n, r)."""
        ...

    def pullback(self, preactivations: Array, weights: Array, sensitivity: Array) -> Array:
        r"""Return :math:`\sum_{ij} E_{ij}\,\partial S_{ij}/\partial h`, of the shape of h.

        ``weights`` are S(h) and ``sensitivity`` is E, both of shape (L, L, n).
        """
        ...


def attention_weights(preactivations: Array) -> Array:
    r"""Return the row softmax of :math:`h h^\top` for many samples at once.

    Parameters
    ----------
    preactivations
        h, shape (L, n) for one column, or (L, n, r).

    Returns
    -------
    ndarray
        Shape (L, L, n); sums to one over the second axis.
    """
    if preactivations.ndim == 2:
        logits = preactivations[:, None, :] * preactivations[None, :, :]
    else:
        logits = np.einsum("ina,jna->ijn", preactivations, preactivations)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


class _SoftmaxOfProducts:
    r"""The default attention, :math:`S = \mathrm{softmax}(hh^\top)` row by row."""

    def weights(self, preactivations: Array) -> Array:
        return attention_weights(preactivations)

    def pullback(self, preactivations: Array, weights: Array, sensitivity: Array) -> Array:
        # With respect to the logit h_i . h_j.
        logits = weights * (sensitivity - np.sum(weights * sensitivity, axis=1, keepdims=True))
        symmetric = logits + logits.swapaxes(0, 1)
        if preactivations.ndim == 2:
            return np.einsum("ijn,jn->in", symmetric, preactivations)
        return np.einsum("ijn,jna->ina", symmetric, preactivations)


@dataclass(frozen=True)
class _WrittenAttention:
    """An attention function given as text, with the values of the parameters in it."""

    functions: _CompiledMatrix
    parameters: tuple[float, ...]

    def weights(self, preactivations: Array) -> Array:
        return self.functions.entries(preactivations, self.parameters)

    def pullback(self, preactivations: Array, weights: Array, sensitivity: Array) -> Array:
        length = len(preactivations)
        entries = list(sensitivity.reshape(length**2, -1))
        values = self.functions.pulled_back(*columns_of_fields(preactivations), *entries, *self.parameters)
        stacked = stacked_values(values, preactivations.shape[1])
        # Fields are listed token by token, column by column.
        by_token = stacked.reshape(length, -1, preactivations.shape[1])
        return by_token[:, 0] if preactivations.ndim == 2 else by_token.swapaxes(1, 2)


def attention_layer(model: AttentionModel) -> AttentionLayer:
    """Return a model's attention function S."""
    if not model.structure.attention:
        return _SoftmaxOfProducts()
    functions = _compiled(model.structure.attention, model.sequence_length, model.rank, True)
    return _WrittenAttention(functions, _values(model, functions.parameters))


def target_values(model: AttentionModel, preactivations: Array) -> Array:
    """Return T(h), shape (L, L, n), for the teacher's pre-activations, shape (L, n) or (L, n, t)."""
    if not model.structure.target:
        matrix = np.asarray(model.positional_matrix)[:, :, None]
        return (1 - model.omega) * attention_weights(preactivations) + model.omega * matrix
    functions = _compiled(model.structure.target, model.sequence_length, model.teacher_rank, False)
    return functions.entries(preactivations, _values(model, functions.parameters))


@dataclass(frozen=True)
class _CompiledMatrix:
    """A matrix of expressions in the fields and in parameters, of which these are the letters."""

    length: int
    parameters: tuple[str, ...]
    values: Callable[..., Sequence[Any]]
    pulled_back: Callable[..., Sequence[Any]]

    def entries(self, preactivations: Array, parameters: Sequence[float]) -> Array:
        stacked = stacked_values(self.values(*columns_of_fields(preactivations), *parameters), preactivations.shape[1])
        return stacked.reshape(self.length, self.length, -1)


@functools.lru_cache(maxsize=64)
def _compiled(text: str, length: int, columns: int, differentiated: bool) -> _CompiledMatrix:
    """Compile a matrix function's text, and its derivatives contracted with sensitivities where asked for."""
    # SymPy is for models that need it: the paper's kind does not.
    import sympy as sp

    from replica.model.functions.user_functions import matrix_from_text
    from replica.quantities.symbols import teacher_fields

    matrix = matrix_from_text(text)
    entries = matrix.flat()
    # Texts are written in the teacher fields' symbols, whatever the function is for.
    fields = teacher_fields(length, columns)
    parameters = sorted(matrix.free_symbols - set(fields), key=str)
    sensitivities = sp.symbols(f"E_0:{length**2}", real=True, cls=sp.Dummy)
    modules = [{"SoftmaxWeight": softmax_weight}, "scipy", "numpy"]
    compile_ = functools.partial(sp.lambdify, modules=modules, cse=True)
    # Targets need have no derivatives.
    wanted = fields if differentiated else ()
    pulled = [sp.Add(*(e * s.diff(h) for e, s in zip(sensitivities, entries, strict=True))) for h in wanted]
    return _CompiledMatrix(
        length,
        tuple(map(str, parameters)),
        compile_([*fields, *parameters], entries),
        compile_([*fields, *sensitivities, *parameters], pulled),
    )


def softmax_weight(index: int, *logits: Any) -> Any:
    """Return one weight of a softmax, with logits shifted so that no exponential overflows."""
    top = functools.reduce(np.maximum, logits)
    powers = [np.exp(logit - top) for logit in logits]
    return powers[index] / functools.reduce(np.add, powers)


def _values(model: AttentionModel, letters: Sequence[str]) -> tuple[float, ...]:
    """Return the values of a model's parameters by their letters."""
    by_name = model.parameter_values()
    known = {entry.letter: by_name[entry.name] for entry in model_parameters(model.structure)}
    unknown = [letter for letter in letters if letter not in known]
    if unknown:
        raise InvalidArgument(
            f"attention or target contains {unknown[0]!r}, which this model has no value of: {known!r}"
        )
    return tuple(known[letter] for letter in letters)


def columns_of_fields(preactivations: Array) -> list[Array]:
    """Return the fields as a list of contiguous arrays of shape (n,), token by token, column by column."""
    if preactivations.ndim == 2:
        return list(preactivations)
    return [np.ascontiguousarray(token[:, column]) for token in preactivations for column in range(token.shape[1])]


def stacked_values(values: Sequence[Any], samples: int) -> Array:
    """Stack values of which some are the same for all samples: shape (m, n)."""
    stacked = np.empty((len(values), samples))
    for row, value in zip(stacked, values, strict=True):
        row[:] = value
    return stacked
