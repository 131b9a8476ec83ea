"""What simulations are held against is one value, checked when it is made."""

import math

import pytest

from replica.common.errors import InvalidArgument
from validation import Prediction
from validation.simulation.compared import COMPARED

VALUES = dict.fromkeys(COMPARED, 0.1)


def test_errors_and_allowances_may_be_left_out():
    prediction = Prediction(1.5, VALUES)
    assert (prediction.alpha, prediction.values, prediction.errors) == (1.5, VALUES, {})
    assert prediction.allowance_coefficients == {}
    prediction.require(COMPARED)


def test_it_keeps_what_it_was_given():
    given = dict(VALUES)
    prediction = Prediction(1.5, given, {"train_loss": math.nan})
    given["train_loss"] = 7.0
    assert prediction.values["train_loss"] == 0.1
    assert math.isnan(prediction.errors["train_loss"])
    with pytest.raises(TypeError):
        prediction.values["train_loss"] = 7.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"alpha": 0.0}, r"alpha must be positive and finite, got 0\.0"),
        ({"alpha": "1"}, "alpha must be a real number, got '1'"),
        ({"values": [0.1]}, r"values must map names to numbers, got \[0\.1\]"),
        ({"values": VALUES | {"train_loss": math.inf}}, r"values\['train_loss'\] must be finite, got inf"),
        ({"values": VALUES | {"train_loss": math.nan}}, r"values\['train_loss'\] must be finite, got nan"),
        ({"errors": 3}, "errors must map names to numbers, got 3"),
        ({"errors": {"train_loss": "1"}}, r"errors\['train_loss'\] must be a real number, got '1'"),
        ({"allowance_coefficients": None}, "allowance_coefficients must map names to numbers, got None"),
        ({"allowance_coefficients": {"train_loss": -1.0}}, r"allowance_coefficients\['train_loss'\] .* got -1\.0"),
    ],
)
def test_misuse_is_refused_when_it_is_made(arguments, said):
    with pytest.raises(InvalidArgument, match=said):
        Prediction(**{"alpha": 1.0, "values": VALUES} | arguments)


def test_what_is_compared_must_be_predicted_and_nothing_else_allowed_for():
    lacking = {name: value for name, value in VALUES.items() if name != "test_error"}
    with pytest.raises(InvalidArgument, match="lack test_error; give them too, got"):
        Prediction(1.0, lacking).require(COMPARED)
    with pytest.raises(InvalidArgument, match=r"allowance_coefficients may name .*; got 'nonsense'"):
        Prediction(1.0, VALUES, {}, {"nonsense": 1.0}).require(COMPARED)
    # A solution knows more than runs are compared by.
    Prediction(1.0, VALUES | {"susceptibility": 12.0}, {"susceptibility": 1e-3}).require(COMPARED)
