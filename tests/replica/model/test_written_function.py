"""Functions kept as the expressions that they return."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
import sympy as sp

from replica import MultiIndexModel, Spectrum

TWO_TOKENS = Spectrum.isotropic(1.0, 1.0)


def square(z, y):
    """A loss for any numbers of tokens and columns, to which rows matter."""
    return sum((k + 1) * (z[k, 0] - y[k]) ** 2 for k in range(z.shape[0])) / 2


def made(**changes) -> MultiIndexModel:
    return MultiIndexModel(**{"loss": square, "regularization": 0.1, **changes})


def test_equal_expressions_are_equal_models():
    other = made(loss=lambda z, y: sum((k + 1) * (y[k] - z[k, 0]) ** 2 for k in range(z.shape[0])) / 2)
    assert other.loss.values[0].expand() == made().loss.values[0].expand()
    assert made() == made()
    assert hash(made()) == hash(made())
    assert made(loss=lambda z, y: 2 * square(z, y)) != made()
    assert made(outputs=lambda h, xi: [h[0] + xi[0]], noise=1) != made()


def test_what_a_model_computes_is_shown():
    z, y = sp.symbols("z_1 y_1", real=True)
    assert repr(made().loss) == f"<(z_1, y_1) -> {square(sp.Matrix([z]), [y])}>"
    assert "-> [h_1 + xi_1]>" in repr(made(outputs=lambda h, xi: [h[0] + xi[0]], noise=1))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_derive_from_the_same_expressions(copied):
    kappa = sp.Symbol("kappa")
    model = made(
        loss=lambda z, y: (sp.tanh(kappa * z[0]) - y[0]) ** 2, parameters={"kappa": 2.0},
        outputs=lambda h, xi: [h[0] + xi[0] / 2], noise=1,
    )  # fmt: skip
    again = copied(model)
    assert again == model
    assert again.loss_model() == model.loss_model()
    changed = dataclasses.replace(again, regularization=0.3, parameters={"kappa": 3.0})
    assert changed == dataclasses.replace(model, regularization=0.3, parameters={"kappa": 3.0})


def test_another_layout_calls_the_function_again():
    """One token with two columns has as many symbols as two tokens with one, and another loss."""
    two = dataclasses.replace(made(), spectrum=TWO_TOKENS)
    assert two == made(spectrum=TWO_TOKENS)
    assert dataclasses.replace(copy.deepcopy(two), spectrum=Spectrum.isotropic(1.0), rank=2, teacher_rank=2) == made(
        rank=2, teacher_rank=2
    )


def test_a_model_that_was_read_back_does_not_guess_another_layout():
    read = pickle.loads(pickle.dumps(made(spectrum=TWO_TOKENS)))
    for changes in ({"spectrum": Spectrum.isotropic(1.0)}, {"spectrum": Spectrum.isotropic(1.0), "rank": 2}):
        with pytest.raises(ValueError, match="give the function again"):
            dataclasses.replace(read, **changes)
    assert dataclasses.replace(read, spectrum=Spectrum.isotropic(1.0), loss=square) == made()
