r"""Multi-index models: any loss of a few linear projections of Gaussian data, on both sides.

A sample's loss depends on the student's pre-activations z (L tokens, r columns) and on outputs that are functions of
the teacher's pre-activations h* (L tokens, t columns) and of noise. Attention is one instance, ridge and logistic
regression are others: the derivation knows only this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from replica.algebra.computable import check_computable
from replica.common.checked_arguments import checked_items, quoted
from replica.common.errors import InvalidArgument, InvalidModel
from replica.model.attention import attention_matrix, sample_loss, target_matrix
from replica.model.attention_model import AttentionModel
from replica.model.given_functions import called_on_symbols, check_parameters_used
from replica.model.parameter_values import atom_values, statistics_values, zero_moments
from replica.model.spectrum import Spectrum, gram_factor
from replica.model.token_law import TokenLaw, atom_law, encoding_symbols, law_of_structure
from replica.model.user_functions import check_expression, check_smooth, matrix_from_text
from replica.quantities import names, symbols
from replica.quantities.layout import Layout
from replica.quantities.structure import ModelStructure
from replica.quantities.symbols import Quantity

__all__ = ["LossModel", "MultiIndexModel", "loss_model", "model_atoms"]


@dataclass(frozen=True, kw_only=True)
class LossModel:
    r"""What the derivation starts from: fields, loss and outputs, and the law of the tokens, all symbolic.

    Attributes
    ----------
    layout
        Index ranges of fields and order parameters.
    points
        Symbols of the student's pre-activations z as arguments of the loss, token by token.
    fields, teacher_fields, noise_fields
        Symbols of the Gaussian fields w, h* and of independent standard normal noise.
    loss
        One sample's loss in (z, output symbols).
    target_symbols, target
        Symbols that stand for the outputs in ``loss``, and the outputs in terms of (h*, noise).
    token_law
        Covariances of the tokens, moments of encodings and teacher.
    ridge
        The ridge penalty lambda.
    parameters
        Numeric parameters, in the order of the kernel's parameter vector.
    structure
        The attention models it stands for, or nothing.
    """

    layout: Layout
    points: tuple[sp.Symbol, ...]
    fields: tuple[sp.Symbol, ...]
    teacher_fields: tuple[sp.Symbol, ...]
    noise_fields: tuple[sp.Symbol, ...] = ()
    loss: sp.Expr
    target_symbols: tuple[sp.Symbol, ...]
    target: sp.ImmutableMatrix
    token_law: TokenLaw
    ridge: sp.Expr
    parameters: tuple[Quantity, ...]
    structure: ModelStructure | None = None


def attention_loss_model(structure: ModelStructure) -> LossModel:
    """Return the loss model of an attention model's structure (section 2 of arXiv:2402.03902)."""
    layout = structure.layout
    length, rank, teacher_rank = structure.sequence_length, structure.rank, structure.teacher_rank
    z, h = symbols.proximal_points(length, rank), symbols.teacher_fields(length, teacher_rank)
    law = law_of_structure(structure)
    at_z = sp.Matrix(length, rank, z)
    # Texts are written in the teacher fields' symbols, whatever the function is for.
    renaming = dict(zip(symbols.teacher_fields(length, rank), z, strict=True))
    attention = (
        matrix_from_text(structure.attention).xreplace(renaming) if structure.attention else attention_matrix(at_z)
    )
    at_h = sp.Matrix(length, teacher_rank, h)
    target = matrix_from_text(structure.target) if structure.target else target_matrix(at_h)
    entries = symbols.target_entries(length)
    traces = [law.traces[group] for group in layout.groups]
    return LossModel(
        layout=layout,
        points=z,
        fields=symbols.local_fields(length, rank),
        teacher_fields=h,
        loss=sample_loss(attention, entries, traces),
        target_symbols=tuple(entries),
        target=sp.ImmutableMatrix(target),
        token_law=law,
        ridge=symbols.parameter("regularization"),
        parameters=symbols.model_parameters(structure),
        structure=structure,
    )


@dataclass(frozen=True)
class MultiIndexModel:
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

    Raises
    ------
    ValueError
        If a number is out of range, or an expression has a free symbol, an unknown function, a function without
        numerical code, or no second derivative.
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

    def __post_init__(self) -> None:
        """Validate numbers; expressions are checked when the loss model is made, here once."""
        from replica.model.checked_fields import checked_multi_index

        for name, value in checked_multi_index(self).items():
            object.__setattr__(self, name, value)
        model = self.loss_model()
        check_computable("loss", model.loss, model.points)
        for k, output in enumerate(model.target):
            check_computable(f"outputs[{k}]", output)

    @property
    def gram(self) -> np.ndarray:
        """Gram matrix of the encodings, (L, L)."""
        length = self.spectrum.sequence_length
        return np.zeros((length, length)) if self.positional_gram is None else np.array(self.positional_gram)

    @property
    def encoding_matrix(self) -> np.ndarray:
        """Encodings along orthonormal directions, (L, k)."""
        return gram_factor(self.gram)

    @property
    def layout(self) -> Layout:
        """Index ranges of the order parameters."""
        return Layout(self.spectrum.groups, self.rank, self.teacher_rank, self.encoding_matrix.shape[1])

    @property
    def atoms(self) -> list[tuple[float, dict[str, float]]]:
        """Weight of every atom of the spectrum, and the values of its symbols."""
        return atom_values(self.spectrum, self.gram, self.encoding_matrix, self.teacher_rank)

    def loss_model(self) -> LossModel:
        """Return what the derivation starts from."""
        layout = self.layout
        length = layout.sequence_length
        z, h = symbols.proximal_points(length, self.rank), symbols.teacher_fields(length, self.teacher_rank)
        noise = tuple(sp.Symbol(f"xi_{k + 1}", real=True) for k in range(self.noise))
        encoding = encoding_symbols(layout)
        ridge = names.Quantity("regularization", "regularization", r"\lambda", "ridge penalty", positive=True)
        entries = [
            ridge,
            *(names.Quantity(f"positional_encoding_{str(x)[2:]}", str(x), f"c_{{{str(x)[2:]}}}",
                             "component of a token's encoding") for x in encoding),
            *names.token_statistics(layout),
            *(names.Quantity(x, x, names.parameter_latex(x), "parameter of loss or outputs")
              for x in dict(self.parameters)),
        ]  # fmt: skip
        parameters = tuple(symbols.with_symbol(x) for x in entries)
        known = [x.symbol for x in parameters]
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
        y = tuple(sp.Symbol(f"y_{k + 1}", real=True) for k in range(len(outputs)))
        written = called_on_symbols("loss", self.loss)(sp.Matrix(length, self.rank, z), y)
        loss = check_expression("loss", written, [*z, *y, *known], declare)
        check_smooth("loss", loss, z)
        used = {str(x) for expression in (loss, *outputs) for x in expression.free_symbols}
        own = dict(self.parameters)
        check_parameters_used(own, {x for x in used if x in own}, "loss or outputs")
        return LossModel(
            layout=layout,
            points=z,
            fields=symbols.local_fields(length, self.rank),
            teacher_fields=h,
            noise_fields=noise,
            loss=loss,
            target_symbols=y,
            target=sp.ImmutableMatrix(len(outputs), 1, outputs),
            token_law=atom_law(layout, encoding, zero_moments(self.atoms)),
            ridge=ridge_symbol(parameters),
            parameters=parameters,
        )

    def parameter_values(self) -> dict[str, float]:
        """Return every numeric parameter by name."""
        encoding = self.encoding_matrix
        values = {"regularization": self.regularization}
        for i, row in enumerate(encoding.tolist(), start=1):
            for j, entry in enumerate(row, start=1):
                values[f"positional_encoding_{i}" if len(row) == 1 else f"positional_encoding_{i}{j}"] = entry
        values |= statistics_values(self.spectrum, self.gram, self.teacher_rank)
        return values | dict(self.parameters)


def ridge_symbol(parameters: Sequence[Quantity]) -> sp.Symbol:
    """Return the symbol of the ridge penalty among parameters."""
    (found,) = [x.symbol for x in parameters if x.name == "regularization"]
    return found


def loss_model(model: AttentionModel | MultiIndexModel | ModelStructure | LossModel) -> LossModel:
    """Return what the derivation starts from, for any kind of model; raises InvalidArgument for anything else."""
    if isinstance(model, LossModel):
        return model
    if isinstance(model, MultiIndexModel):
        return model.loss_model()
    if not isinstance(model, AttentionModel | ModelStructure):
        raise InvalidArgument(f"model must be an AttentionModel or a MultiIndexModel, got {quoted(model)}")
    return attention_loss_model(model if isinstance(model, ModelStructure) else model.structure)


def model_atoms(model: AttentionModel | MultiIndexModel) -> list[tuple[float, dict[str, float]]]:
    """Return weight and symbol values of every atom of a model's spectrum; one without values if isotropic."""
    return model.atoms
