"""What a model says it is: something that can be evaluated, or clearly an abbreviation."""

from __future__ import annotations

import numpy as np
import pytest

from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, softmax
from replica.common.by_value import exact_text

SHORT = {
    "paper": AttentionModel.paper(omega=0.2),
    "rank": AttentionModel(0.0, rank=2),
    "variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.1 / 3.0, 0.4)),
    "atoms": AttentionModel(0.3, spectrum=Spectrum([SpectrumAtom(0.5, (1.0, 2.0)), SpectrumAtom(0.5, (3.0, 1.0))])),
}
NINE = np.random.default_rng(0).random((9, 10))
LONG = {
    "power law": lambda: AttentionModel(0.3, spectrum=Spectrum.power_law(1.2, tokens=2)),
    "another power law": lambda: AttentionModel(0.3, spectrum=Spectrum.power_law(1.3, tokens=2)),
    "nine tokens": lambda: AttentionModel(
        0.3, positional_matrix=NINE[:, 1:].tolist(), positional_encoding=NINE[:, 0].tolist()
    ),
    "function": lambda: AttentionModel(
        0.0, sequence_length=4, positional_encoding=(1, 2, 3, 4), attention=lambda h: softmax(3 * h * h.T)
    ),
}


@pytest.mark.parametrize("model", SHORT.values(), ids=SHORT)
def test_the_text_of_a_short_model_is_the_model(model):
    assert eval(repr(model)) == model
    assert repr(model) == exact_text(model)


@pytest.mark.parametrize("make", LONG.values(), ids=LONG)
def test_the_text_of_a_long_model_is_short_and_no_python(make):
    model = make()
    assert len(repr(model)) < 700
    assert "omega=0." in repr(model)
    with pytest.raises(SyntaxError):
        compile(repr(model), "text", "eval")
    # What names stored runs still tells models apart.
    assert eval(exact_text(model)) == model
    assert AttentionModel(**model.to_dict()) == model


def test_spectra_are_summarised():
    text = repr(Spectrum.power_law(1.2, tokens=2))
    assert text == "<Spectrum of 32 atoms for 2 tokens, eigenvalues 0.000254 to 0.989>"
    one = Spectrum.isotropic(0.5)
    assert eval(repr(one)) == one


def test_a_model_of_any_loss_is_short():
    model = MultiIndexModel(lambda z, y: sum((z[0] - y[0]) ** (2 * k) for k in range(1, 40)), 0.1)
    assert len(repr(model)) < 700
    assert repr(model).startswith("MultiIndexModel(loss=<")
    assert model._repr_html_().startswith("<table><caption>MultiIndexModel")
