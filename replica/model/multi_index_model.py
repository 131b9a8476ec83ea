r"""Multi-index models: any loss of a few linear projections of Gaussian data, on both sides.

A sample's loss depends on the student's pre-activations z (L tokens, r columns) and on outputs that are functions of
the teacher's pre-activations h* (L tokens, t columns) and of noise. Attention is one instance, ridge and logistic
regression are others: the derivation knows only this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from replica.algebra.computable import check_computable
from replica.common.by_value import ShortText
from replica.common.checked_arguments import checked_items, quoted
from replica.common.checked_values import count, positive, real_matrix
from replica.common.errors import InvalidArgument, InvalidModel
from replica.model.checked_fields import checked_parameters, checked_spectrum, settled
from replica.model.column_exchange import exchangeable_columns, sum_and_difference, teacher_is_exchangeable
from replica.model.functions.given_functions import called_on_symbols, check_parameters_used
from replica.model.functions.user_functions import check_expression, check_smooth, matrix_from_text
from replica.model.functions.written_function import WrittenFunction
from replica.model.loss_model import LossModel, multi_index_loss_model
from replica.model.parameter_values import (
    atom_values,
    class_atom_values,
    encoding_values,
    statistics_values,
    zero_moments,
)
from replica.model.sample_class import SampleClass, checked_classes, mean_matrix, mean_parameters
from replica.model.spectrum import Spectrum, gram_factor
from replica.quantities import symbols
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import LARGEST

__all__ = ["MultiIndexModel", "checked_multi_index"]

# What a file calls one.
KIND = "multi-index"


@dataclass(frozen=True, repr=False)
class MultiIndexModel(ShortText):
    r"""A model of any loss, given by functions of the pre-activations.

    Parameters
    ----------
    loss
        A function ``loss(z, y)`` of the L x r matrix of the student's pre-activations and the list of outputs,
        returning a SymPy expression.
    regularization
        Ridge penalty lambda > 0 on :math:`|Q|^2/2`; samples count with weight one.
    outputs
        A function ``outputs(h, noise)`` of the L x t matrix of the teacher's pre-activations and the list of noise
        symbols, returning the list of outputs y; by default the pre-activations themselves.
    noise
        Number of independent standard normal noise variables.
    spectrum
        Law of the tokens' covariances; by default one token with covariance 1.
    rank, teacher_rank
        Numbers of columns of Q and Q*.
    positional_gram
        Gram matrix of encodings :math:`p_l`; by default none.
    parameters
        Values of further symbols in loss and outputs, by name.
    classes
        Kinds of samples, each with its probability, its tokens' means and its own values of further symbols: instead of
        encodings, which are the case of one class. Directions of the means are orthonormal, orthogonal to the
        teacher's columns, and like no eigenvector of the covariances in particular.

    Raises
    ------
    ValueError
        If a number is out of range, or an expression has a free symbol, an unknown function, a function without
        numerical code, or no second derivative.

    Examples
    --------
    Ridge regression with label noise:

    >>> ridge = MultiIndexModel(
    ...     lambda z, y: (z[0] - y[0]) ** 2 / 2, 0.1, outputs=lambda h, xi: [h[0] + xi[0] / 2], noise=1
    ... )
    >>> ridge.loss_model().loss
    (-y_1 + z_1)**2/2

    Two clouds around plus and minus one direction, told apart by the logistic loss:

    >>> import sympy as sp
    >>> from replica import SampleClass
    >>> label = sp.Symbol("label")
    >>> clouds = MultiIndexModel(
    ...     lambda z, y: sp.log(1 + sp.exp(-label * z[0])),
    ...     0.1,
    ...     classes=[SampleClass(0.5, 1.0, {"label": 1.0}), SampleClass(0.5, -1.0, {"label": -1.0})],
    ... )
    >>> clouds.structure.directions, clouds.structure.parameter_names
    (1, ('label',))
    """

    loss: Callable[[sp.Matrix, Sequence[sp.Symbol]], Any]
    regularization: float
    outputs: Callable[[sp.Matrix, Sequence[sp.Symbol]], Sequence[Any]] | None = None
    noise: int = 0
    spectrum: Spectrum = Spectrum.isotropic(1.0)
    rank: int = 1
    teacher_rank: int = 1
    positional_gram: Sequence[Sequence[float]] | None = None
    parameters: Mapping[str, float] | Sequence[tuple[str, float]] = ()
    classes: Sequence[SampleClass] = ()

    def __post_init__(self) -> None:
        """Validate numbers; expressions are checked when the loss model is made, here once."""
        for name, value in checked_multi_index(self).items():
            object.__setattr__(self, name, value)
        model = self.loss_model()
        check_computable("loss", model.loss, model.proximal_point)
        for k, output in enumerate(model.target):
            check_computable(f"outputs[{k}]", output)
        # What functions return is known: kept instead of them, it compares and pickles.
        loss = WrittenFunction((model.proximal_point, model.target_symbols), (model.loss,), single=True)
        object.__setattr__(self, "loss", loss.made_by(self.loss))
        # The default stays one: with another layout it is all of its pre-activations.
        if self.outputs is not None:
            outputs = WrittenFunction((model.teacher_fields, model.noise_fields), tuple(model.target))
            object.__setattr__(self, "outputs", outputs.made_by(self.outputs))

    @property
    def gram(self) -> np.ndarray:
        """Gram matrix of the encodings, (L, L)."""
        length = self.spectrum.sequence_length
        return np.zeros((length, length)) if self.positional_gram is None else np.array(self.positional_gram)

    @property
    def encoding_matrix(self) -> np.ndarray:
        """Encodings along orthonormal directions, (L, k); of classes, the mean over them."""
        return mean_matrix(self.classes, self.sequence_length) if self.classes else gram_factor(self.gram)

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters."""
        return Layout(self.spectrum.groups, self.rank, self.teacher_rank, self.encoding_matrix.shape[1])

    @property
    def atoms(self) -> list[tuple[float, dict[str, float]]]:
        """Weight of every atom of the spectrum, and the values of its symbols."""
        if self.classes:
            return class_atom_values(self.spectrum, self.layout.directions, self.teacher_rank)
        return atom_values(self.spectrum, self.gram, self.encoding_matrix, self.teacher_rank)

    @property
    def sequence_length(self) -> int:
        """Number of tokens."""
        return self.spectrum.sequence_length

    @property
    def structure(self) -> LossStructure:
        """What of the model its equations depend on; everything else is a number they take."""
        return self._kept_structure

    @cached_property
    def _kept_structure(self) -> LossStructure:
        model = self.loss_model()
        loss, outputs = (
            sp.srepr(sp.ImmutableMatrix(len(entries), 1, entries)) for entries in ([model.loss], list(model.target))
        )
        return self._structure(loss, outputs)

    def _structure(self, loss: str, outputs: str) -> LossStructure:
        zero = zero_moments(self.atoms)
        return LossStructure(self.layout, loss, outputs, self.noise, zero, tuple(self._further_values))

    @property
    def _further_values(self) -> dict[str, float]:
        """Values of further symbols; of those that classes give values to, the mean over classes."""
        return dict(self.parameters) | (mean_parameters(self.classes) if self.classes else {})

    def loss_model(self) -> LossModel:
        """Return what the derivation starts from."""
        layout, structure = self.layout, self._structure("", "")
        length = layout.sequence_length
        z, h = symbols.proximal_points(length, self.rank), symbols.teacher_fields(length, self.teacher_rank)
        noise = symbols.noise_fields(self.noise)
        known = [x.symbol for x in symbols.model_parameters(structure)]
        declare = "give its value by parameters={...}"
        at_h = sp.Matrix(length, self.teacher_rank, h)
        result = at_h if self.outputs is None else called_on_symbols("outputs", self.outputs)(at_h, noise)
        try:
            given = checked_items("outputs", result)
        except InvalidArgument:
            raise InvalidModel(f"outputs must return a list of expressions, got {quoted(result)}") from None
        outputs = [
            check_expression(f"outputs[{k}]", value, [*h, *noise, *known], declare) for k, value in enumerate(given)
        ]
        y = symbols.outputs(len(outputs))
        written = called_on_symbols("loss", self.loss)(sp.Matrix(length, self.rank, z), y)
        loss = check_expression("loss", written, [*z, *y, *known], declare)
        check_smooth("loss", loss, z)
        used = {str(x) for expression in (loss, *outputs) for x in expression.free_symbols}
        own = self._further_values
        check_parameters_used(own, {x for x in used if x in own}, "loss or outputs")
        return multi_index_loss_model(structure, loss, outputs)

    @cached_property
    def exchangeable_columns(self) -> tuple[tuple[int, int], ...]:
        """Pairs of the student's columns, from 0, whose exchange leaves the loss as it is: units of a committee."""
        return exchangeable_columns(self.loss_model(), self.rank)

    def in_sum_and_difference(self) -> MultiIndexModel:
        r"""Return the same model with the student's two columns written as their sum and difference.

        Each is over :math:`\sqrt 2`, so that neither the penalty nor the law of the fields knows the difference. Units
        that may be exchanged, as those of a committee, then have a second column that may be reversed: a symmetry
        by which the solver tells units that are alike from units that differ. The two columns of a teacher are
        written so, too, if the loss does not change when they are exchanged.

        Returns
        -------
        MultiIndexModel
            Its first column is the sum. :math:`\Phi`, losses and test errors of its solutions are those of this model;
            order parameters are those of sum and difference.

        Raises
        ------
        ValueError
            If the student has not two columns.

        Examples
        --------
        >>> committee = MultiIndexModel(
        ...     lambda z, y: (sp.tanh(z[0]) + sp.tanh(z[1]) - y[0]) ** 2 / 2, 0.1,
        ...     lambda h, xi: [sp.tanh(h[0]) + sp.tanh(h[1])], rank=2, teacher_rank=2,
        ... )
        >>> committee.exchangeable_columns
        ((0, 1),)
        >>> committee.in_sum_and_difference().exchangeable_columns
        ()
        """
        if self.rank != 2:
            raise InvalidModel(f"rank must be 2 for a sum and a difference of columns, got {self.rank}")
        model = self.loss_model()
        z, h = model.proximal_point, model.teacher_fields
        loss = WrittenFunction((z, model.target_symbols), (model.loss.xreplace(sum_and_difference(z)),), single=True)
        if self.teacher_rank != 2 or not teacher_is_exchangeable(model):
            return replace(self, loss=loss)
        changed = tuple(output.xreplace(sum_and_difference(h)) for output in model.target)
        return replace(self, loss=loss, outputs=WrittenFunction((h, model.noise_fields), changed))

    def to_dict(self) -> dict[str, object]:
        """Return the model as plain lists, numbers and texts, for JSON; :meth:`from_dict` reads it."""
        structure = self.structure
        values: dict[str, object] = {
            "kind": KIND,
            "loss": structure.loss,
            **({} if self.outputs is None else {"outputs": structure.outputs}),
            "regularization": self.regularization,
            "noise": self.noise,
            "spectrum": self.spectrum.to_list(),
            "rank": self.rank,
            "teacher_rank": self.teacher_rank,
        }
        if self.positional_gram is not None:
            values["positional_gram"] = [list(row) for row in self.positional_gram]
        if self.parameters:
            values["parameters"] = dict(self.parameters)
        if self.classes:
            values["classes"] = [one.to_dict() for one in self.classes]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MultiIndexModel:
        """Return the model that :meth:`to_dict` wrote.

        Its texts are read, not run. Functions of other symbols than the model's own are not in them.

        Raises
        ------
        ValueError
            If it is none, or one of another kind; the message quotes what it is instead.
        """
        if not isinstance(values, Mapping):
            raise InvalidModel(f"model must be a dictionary of its entries, got {quoted(values)}")
        given = dict(values)
        kind = given.pop("kind", KIND)
        if not (isinstance(kind, str) and kind == KIND):
            raise InvalidModel(f"model must be of the kind {KIND!r}, or say none, got the kind {quoted(kind)}")
        unknown = sorted(set(given) - {field.name for field in fields(cls)}, key=repr)
        if unknown:
            raise InvalidModel(f"model has the unknown entry {unknown[0]!r:.40}")
        by_default = "outputs" not in given
        texts = [given.pop("loss", ""), *(() if by_default else (given.pop("outputs"),))]
        if not all(isinstance(text, str) for text in texts):
            raise InvalidModel(f"model must have texts of loss and outputs, got {texts!r:.100}")
        loss, *written = (
            tuple(matrix_from_text(text, name)) for text, name in zip(texts, ("loss", "outputs"), strict=False)
        )
        spectrum = checked_spectrum(settled("spectrum", given.get("spectrum", Spectrum.isotropic(1.0))))
        if spectrum is None or len(loss) != 1:
            raise InvalidModel("model must have a spectrum and one loss")
        length = spectrum.sequence_length
        rank, teacher_rank = (count(x, given.get(x, 1), 1, LARGEST) for x in ("rank", "teacher_rank"))
        noise = symbols.noise_fields(count("noise", given.get("noise", 0), 0, LARGEST))
        z, h = symbols.proximal_points(length, rank), symbols.teacher_fields(length, teacher_rank)
        outputs = None if by_default else WrittenFunction((h, noise), written[0])
        count_of_outputs = len(h) if by_default else len(written[0])
        return cls(WrittenFunction((z, symbols.outputs(count_of_outputs)), loss, single=True), outputs=outputs, **given)

    def parameter_values(self) -> dict[str, float]:
        """Return every numeric parameter by name; of what differs between classes, the mean over them."""
        values = {"regularization": self.regularization} | encoding_values(self.encoding_matrix)
        values |= statistics_values(self.spectrum, self.gram, self.teacher_rank)
        return values | self._further_values


def checked_multi_index(model: MultiIndexModel) -> dict[str, Any]:
    """Return the numeric fields of a multi-index model as plain immutable values."""
    for name in ("positional_gram", "spectrum", "parameters"):
        object.__setattr__(model, name, settled(name, getattr(model, name)))
    regularization = positive("regularization", model.regularization)
    spectrum = checked_spectrum(model.spectrum)
    if spectrum is None:
        raise InvalidModel("spectrum must be a Spectrum, got None")
    size, gram = spectrum.sequence_length, model.positional_gram
    if gram is not None:
        gram = real_matrix("positional_gram", gram, (size, size))
        gram_factor(np.array(gram))
    teacher_rank = count("teacher_rank", model.teacher_rank, 1, LARGEST)
    parameters = checked_parameters(model.parameters)
    classes = checked_classes(model.classes, size, dict(parameters))
    if classes and gram is not None:
        raise InvalidModel("positional_gram must not be given with classes: their means take its place")
    spectrum.moments(np.zeros((size, size)) if gram is None else np.array(gram), teacher_rank)
    for name, optional in (("loss", False), ("outputs", True)):
        function = getattr(model, name)
        if not callable(function) and not (optional and function is None):
            raise InvalidModel(f"{name} must be a function, got {quoted(function)}")
    return {
        "regularization": regularization,
        "noise": count("noise", model.noise, 0, LARGEST),
        "rank": count("rank", model.rank, 1, LARGEST),
        "teacher_rank": teacher_rank,
        "spectrum": spectrum,
        "positional_gram": gram,
        "parameters": parameters,
        "classes": classes,
    }
