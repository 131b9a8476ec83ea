"""What the derivation starts from, all symbolic: a sample's loss, its outputs and fields, the law of the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from replica.model.attention import attention_matrix, sample_loss, target_matrix
from replica.model.functions.user_functions import matrix_from_text
from replica.model.token_law import TokenLaw, atom_law, encoding_symbols, law_of_structure
from replica.quantities import symbols
from replica.quantities.layout import Layout
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure
from replica.quantities.symbols import SymbolicQuantity

__all__ = ["LossModel", "attention_loss_model", "loss_model_of_structure", "multi_index_loss_model"]


@dataclass(frozen=True, kw_only=True)
class LossModel:
    r"""What the derivation starts from: fields, loss and outputs, and the law of the tokens, all symbolic.

    Attributes
    ----------
    layout
        Index ranges of fields and order parameters.
    proximal_point
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
    proximal_point: tuple[sp.Symbol, ...]
    fields: tuple[sp.Symbol, ...]
    teacher_fields: tuple[sp.Symbol, ...]
    noise_fields: tuple[sp.Symbol, ...] = ()
    loss: sp.Expr
    target_symbols: tuple[sp.Symbol, ...]
    target: sp.ImmutableMatrix
    token_law: TokenLaw
    ridge: sp.Expr
    parameters: tuple[SymbolicQuantity, ...]
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
        proximal_point=z,
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


def multi_index_loss_model(
    structure: LossStructure, loss: sp.Expr | None = None, outputs: Sequence[sp.Expr] | None = None
) -> LossModel:
    """Return the loss model of a multi-index model's structure.

    ``loss`` and ``outputs`` are the expressions that the structure's texts say, if they are known already.
    """
    layout = structure.layout
    length = layout.sequence_length
    if loss is None:
        loss = sp.Add(matrix_from_text(structure.loss, "loss")[0, 0])
    if outputs is None:
        outputs = list(matrix_from_text(structure.outputs, "outputs"))
    parameters = symbols.model_parameters(structure)
    return LossModel(
        layout=layout,
        proximal_point=symbols.proximal_points(length, layout.rank),
        fields=symbols.local_fields(length, layout.rank),
        teacher_fields=symbols.teacher_fields(length, layout.teacher_rank),
        noise_fields=symbols.noise_fields(structure.noise),
        loss=loss,
        target_symbols=symbols.outputs(len(outputs)),
        target=sp.ImmutableMatrix(len(outputs), 1, outputs),
        token_law=atom_law(layout, encoding_symbols(layout), structure.zero_moments),
        ridge=ridge_symbol(parameters),
        parameters=parameters,
    )


def loss_model_of_structure(structure: ModelStructure | LossStructure) -> LossModel:
    """Return the loss model of any structure."""
    if isinstance(structure, LossStructure):
        return multi_index_loss_model(structure)
    return attention_loss_model(structure)


def ridge_symbol(parameters: Sequence[SymbolicQuantity]) -> sp.Symbol:
    """Return the symbol of the ridge penalty among parameters."""
    (found,) = [x.symbol for x in parameters if x.name == "regularization"]
    return found
