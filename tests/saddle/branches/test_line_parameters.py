"""The numbers of a model that lines run over: each is one number, and changing it changes no other."""

from __future__ import annotations

import math

import pytest
import sympy as sp

from replica import AttentionModel, InvalidModel, Spectrum, SpectrumAtom, softmax_attention
from saddle import line_parameters, with_parameters
from saddle.branches.line_parameters import parameter_latex, parameter_unit

TWO_ATOMS = Spectrum([SpectrumAtom(0.5, (0.2, 0.2)), SpectrumAtom(0.5, (0.3, 0.3), teacher_moments=[[1.5]])])
TWO_COLUMNS = SpectrumAtom(1.0, (0.2, 0.2), teacher_moments=[[1.0, 0.2], [0.2, 2.0]])
MODELS = {
    "paper's": AttentionModel.paper(),
    "declared": AttentionModel(0.3, attention=softmax_attention(sp.Symbol("kappa")), parameters={"kappa": 1.3}),
    "atoms": AttentionModel(0.3, spectrum=TWO_ATOMS),
    "groups": AttentionModel(0.3, spectrum=Spectrum([SpectrumAtom(1.0, (0.25, 0.16))])),
    "gram": AttentionModel(0.3, positional_gram=[[1.0, 0.3], [0.3, 1.0]]),
    "two teachers": AttentionModel(0.3, rank=2, teacher_rank=2, spectrum=Spectrum([TWO_COLUMNS])),
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_number_changes_by_itself(model):
    known = line_parameters(model)
    assert with_parameters(model, {}) is model
    assert with_parameters(model, known) is model
    for name, value in known.items():
        changed = line_parameters(with_parameters(model, {name: value + 0.01}))
        assert math.isclose(changed.pop(name), value + 0.01, rel_tol=1e-12)
        assert changed == {other: x for other, x in known.items() if other != name}
        assert parameter_unit(name, value) > 0.0
        assert parameter_latex(model, name)


def test_names_are_what_one_would_write():
    assert set(line_parameters(MODELS["declared"])) >= {
        "omega",
        "sigma",
        "regularization",
        "kappa",
        "positional_matrix_21",
    }
    assert {"eigenvalue_2", "teacher_moment_2"} <= set(line_parameters(MODELS["atoms"]))
    assert "sigma" not in line_parameters(MODELS["atoms"])
    assert {"eigenvalue_1_1", "eigenvalue_1_2"} <= set(line_parameters(MODELS["groups"]))
    assert {"positional_gram_12"} <= set(line_parameters(MODELS["gram"]))
    assert "teacher_moment_1_12" in line_parameters(MODELS["two teachers"])


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ("paper's", {"kappa": 1.0}, "no parameter 'kappa'"),
        ("groups", {"eigenvalue_1_1": 0.16}, "structure changes"),
        ("gram", {"positional_gram_12": 1.0}, "structure changes"),
        ("paper's", {"omega": 1.5}, "omega must lie in"),
        ("atoms", {"eigenvalue_1": -1.0}, "must not be negative"),
    ],
)
def test_what_is_no_such_model_is_refused(model, changes, said):
    with pytest.raises(InvalidModel, match=said):
        with_parameters(MODELS[model], changes)
