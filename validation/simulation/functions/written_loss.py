r"""Loss and outputs of a multi-index model as NumPy functions of many samples.

They are printed from the expressions that the derivation reads, the loss with its derivatives in one function, so that
nothing of a model is typed twice. Compiled once per structure; numbers are arguments.

Exponentials are NumPy's: a loss like :math:`\log(1 + e^{-yz})` overflows where :math:`-yz` exceeds 700.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.common.errors import InvalidModel
from replica.model.sample_class import class_numbers, names_of_classes
from replica.quantities.loss_structure import LossStructure
from replica.quantities.solvable_model import Model
from validation.simulation.functions.layers import columns_of_fields, softmax_weight, stacked_values

__all__ = ["WrittenLoss", "written_loss"]

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class WrittenLoss:
    r"""A sample's loss :math:`\ell(z, y)` and its outputs :math:`y(h^\star, \xi)`, with the values of parameters.

    Those that differ between classes of samples are arrays, (n,).
    """

    functions: _CompiledLoss
    parameters: tuple[float | Array, ...]

    def outputs(self, preactivations: Array, noise: Array) -> Array:
        """Return outputs, shape (k, n), of the teacher's pre-activations, (L, n) or (L, n, t), and noise, (m, n)."""
        values = self.functions.outputs(*columns_of_fields(preactivations), *noise, *self.parameters)
        return stacked_values(values, preactivations.shape[1])

    def values(self, preactivations: Array, outputs: Array) -> Array:
        """Return each sample's loss, shape (n,), at the student's pre-activations, shape (L, n) or (L, n, r)."""
        value = self.functions.loss(*columns_of_fields(preactivations), *outputs, *self.parameters)
        return stacked_values([value], preactivations.shape[1])[0]

    def values_and_slopes(self, preactivations: Array, outputs: Array) -> tuple[Array, Array]:
        """Return :meth:`values`, and their derivatives in the pre-activations, of the shape of these."""
        length, samples = preactivations.shape[:2]
        found = self.functions.loss_and_slopes(*columns_of_fields(preactivations), *outputs, *self.parameters)
        stacked = stacked_values(found, samples)
        # Fields are listed token by token, column by column.
        by_token = stacked[1:].reshape(length, -1, samples)
        return stacked[0], by_token[:, 0] if preactivations.ndim == 2 else by_token.swapaxes(1, 2)


def written_loss(model: Model, classes: NDArray[np.intp] | None = None) -> WrittenLoss:
    """Return a multi-index model's loss and outputs; raises ValueError for a model that has none of its own.

    ``classes`` are those of the samples, (n,), if the model has any.
    """
    structure = model.structure
    if not isinstance(structure, LossStructure):
        raise InvalidModel(f"model must be a MultiIndexModel, whose loss is its own, got {model!r:.80}")
    functions, known = _compiled(structure), model.parameter_values()
    values: dict[str, float | Array] = {name: known[name] for name in functions.parameters}
    if classes is not None:
        of_classes = class_numbers(model)
        for name in names_of_classes(model):
            values[name] = np.array([one.parameters[name] for one in of_classes])[classes]
    return WrittenLoss(functions, tuple(values.values()))


@dataclass(frozen=True)
class _CompiledLoss:
    """Functions of fields, of outputs or noise, and of parameters, of which these are the names."""

    parameters: tuple[str, ...]
    outputs: Callable[..., Sequence[Any]]
    loss: Callable[..., Any]
    loss_and_slopes: Callable[..., Sequence[Any]]


@functools.lru_cache(maxsize=64)
def _compiled(structure: LossStructure) -> _CompiledLoss:
    import sympy as sp

    from replica.algebra.computable import ARRAY_MODULES
    from replica.model.loss_model import multi_index_loss_model

    model = multi_index_loss_model(structure)
    parameters = [x.symbol for x in model.parameters]
    of_student = [*model.proximal_point, *model.target_symbols, *parameters]
    compile_ = functools.partial(sp.lambdify, modules=[{"SoftmaxWeight": softmax_weight}, *ARRAY_MODULES], cse=True)
    slopes = [sp.diff(model.loss, z) for z in model.proximal_point]
    return _CompiledLoss(
        tuple(x.name for x in model.parameters),
        compile_([*model.teacher_fields, *model.noise_fields, *parameters], model.target.flat()),
        compile_(of_student, model.loss),
        compile_(of_student, [model.loss, *slopes]),
    )
