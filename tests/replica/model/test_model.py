"""The model validates itself and is immutable."""

from __future__ import annotations

import dataclasses

import pytest

from replica import AttentionModel
from replica.quantities.names import model_parameters
from replica.quantities.structure import ModelStructure


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"sigma": 0.0}, "0.0"),
        ({"sigma": -1.0}, "-1.0"),
        ({"sigma": float("inf")}, "inf"),
        ({"regularization": 0.0}, "0.0"),
        ({"regularization": -2.0}, "-2.0"),
        ({"omega": -0.1}, "-0.1"),
        ({"omega": 1.5}, "1.5"),
        ({"omega": float("nan")}, "nan"),
        ({"omega": "high"}, "'high'"),
        ({"positional_matrix": [[1.0, 2.0]]}, "[[1.0, 2.0]]"),
        ({"positional_matrix": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]}, "2 x 2"),
        ({"positional_matrix": [[1.0, float("inf")], [0.0, 0.0]]}, "positional_matrix[0][1]"),
        ({"positional_matrix": 3.0}, "3.0"),
        ({"positional_matrix": [[1.0]]}, "[[1.0]]"),
        ({"positional_matrix": [[0.0] * 10] * 10}, "9 rows"),
        ({"positional_matrix": [[0.1, 0.2, 0.7]] * 3}, "3 tokens"),
        ({"positional_encoding": (1.0, 0.5, -1.0)}, "(1.0, 0.5, -1.0)"),
        ({"positional_encoding": (1.0,)}, "(1.0,)"),
        ({"positional_encoding": (0.0, 0.0)}, "zeros"),
        ({"positional_encoding": 1.0}, "1.0"),
    ],
)
def test_misuse_is_refused_with_the_value(changes, quoted):
    with pytest.raises(ValueError, match="must") as caught:
        AttentionModel.paper(**changes)
    message = str(caught.value)
    assert quoted in message
    assert "\n" not in message


def test_paper_instance():
    model = AttentionModel.paper()
    assert (model.omega, model.sigma, model.regularization) == (0.3, 0.5, 0.01)
    assert model.positional_matrix == ((0.6, 0.4), (0.4, 0.6))
    assert model.token_variance == 0.25


def test_models_are_values():
    model = AttentionModel.paper(positional_matrix=[[0.6, 0.4], [0.4, 0.6]])
    assert model == AttentionModel.paper()
    assert hash(model) == hash(AttentionModel.paper())
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.omega = 0.1  # pyright: ignore[reportAttributeAccessIssue]
    assert dataclasses.replace(model, omega=0.1).omega == 0.1


def test_token_exchange_permutes_both_axes_and_is_an_involution():
    model = AttentionModel.paper(positional_matrix=[[1, 2], [3, 4]], positional_encoding=(1, -2))
    exchanged = model.token_exchanged()
    assert exchanged.positional_matrix == ((4.0, 3.0), (2.0, 1.0))
    assert exchanged.positional_encoding == (-2.0, 1.0)
    assert exchanged.token_exchanged() == model


def test_dictionary_round_trip():
    model = AttentionModel.paper(omega=0.1, positional_matrix=[[0.3, 0.7], [0.8, 0.2]])
    assert AttentionModel(**model.to_dict()) == model


def test_the_positional_matrix_sets_the_number_of_tokens():
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    model = AttentionModel.paper(positional_matrix=rows, positional_encoding=[1, 0, -1])
    assert model.sequence_length == 3
    assert model.structure == ModelStructure(3, 1)
    values = list(model.parameter_values().items())
    assert [name for name, _ in values] == [x.name for x in model_parameters(model.structure)]
    assert values[3:] == [
        *((f"positional_matrix_{i}{j}", 3.0 * (i - 1) + j) for i in (1, 2, 3) for j in (1, 2, 3)),
        ("positional_encoding_1", 1.0),
        ("positional_encoding_2", 0.0),
        ("positional_encoding_3", -1.0),
    ]
    assert AttentionModel(**model.to_dict()) == model
    exchanged = model.token_exchanged()
    assert exchanged.positional_matrix == ((9.0, 8.0, 7.0), (6.0, 5.0, 4.0), (3.0, 2.0, 1.0))
    assert exchanged.positional_encoding == (-1.0, 0.0, 1.0)
    assert AttentionModel.paper().structure == ModelStructure()
