"""General models: what is refused and with which words, round trips, and texts that are read and not run."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import sympy as sp

from baselines import bayes_optimal
from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, linear_attention, softmax_attention
from replica.code.source import function_specifications
from replica.derivation import derive
from replica.quantities.names import is_parameter_name
from validation.message_passing.bayes import fields_up_to_sign

UNKNOWN = sp.Function("unknown")
KAPPA, DELTA = sp.symbols("kappa Delta")


def entrywise(function):
    """Attention whose entries are a function of the products of pre-activations."""
    return lambda h: (h * h.T).applyfunc(function)


def ridge(**changes):
    own = {"loss": lambda z, y: (y[0] - z[0]) ** 2 / 2, "regularization": 0.1}
    return MultiIndexModel(**{**own, **changes})


def refusal(make) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("which", ["attention", "target"])
@pytest.mark.parametrize(
    ("function", "quoted"),
    [
        (lambda h: h, "L x L"),
        (lambda h: h[0], "L x L"),
        (lambda h: sp.eye(3), "2 x 2"),
        (lambda h: [[1, 2], [3]], "L x L"),
        (lambda h: None, "None"),
        (3, "3"),
        (entrywise(UNKNOWN), "'unknown'"),
        (lambda h: KAPPA * h * h.T, "'kappa'"),
        (lambda h: sp.I * h * h.T, "real"),
        (lambda h: sp.oo * sp.eye(2), "finite"),
        (lambda h: [[sp.nan, 1], [1, 1]], "finite"),
        (lambda h: [["h_1", 1], [1, 1]], "h_1"),
    ],
)
def test_functions_are_refused_with_the_offending_piece(which, function, quoted):
    message = refusal(lambda: AttentionModel.paper(**{which: function}))
    assert which in message
    assert quoted in message


@pytest.mark.parametrize(
    ("function", "culprit"),
    [
        (sp.Abs, "Abs"),
        (sp.floor, "floor"),
        (sp.ceiling, "ceiling"),
        (lambda x: sp.Max(x, 0), "Max(0,"),
        (sp.sign, "sign"),
        (sp.Heaviside, "Heaviside"),
        (lambda x: sp.Mod(x, 1), "Mod"),
        # SymPy's derivatives of these know nothing of their kinks.
        (lambda x: sp.Piecewise((x, x > 0), (0, True)), "Piecewise"),
        (lambda x: sp.Piecewise((x**2, x > 0), (0, True)), "Piecewise"),
    ],
)
def test_attention_must_be_twice_differentiable_and_a_target_need_not(function, culprit):
    message = refusal(lambda: AttentionModel.paper(attention=entrywise(function)))
    assert "twice differentiable" in message
    assert culprit in message
    if culprit == "Piecewise":
        assert "target must not be piecewise" in refusal(lambda: AttentionModel.paper(target=entrywise(function)))
    else:
        assert AttentionModel.paper(target=entrywise(function)).target
    loss = refusal(lambda: ridge(loss=lambda z, y: function(z[0] - y[0])))
    assert "loss must be twice differentiable" in loss
    assert culprit in loss


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"spectrum": Spectrum.isotropic(0.2, 0.3), "sigma": 0.5}, "sigma must be None"),
        ({"positional_gram": [[1, 0], [0, 1]], "positional_encoding": [1, -1]}, "positional_encoding must be None"),
        ({"positional_gram": [[1, 2], [2, 1]]}, "positive semidefinite: eigenvalue -1"),
        ({"positional_gram": [[1, 0.2], [0.3, 1]]}, "symmetric"),
        ({"positional_gram": [[0, 0], [0, 0]]}, "invisible"),
        ({"positional_gram": [[1, 0, 0], [0, 1, 0]]}, "2 x 2"),
        ({"positional_gram": 3}, "3"),
        ({"positional_gram": [[1, float("nan")], [0, 1]]}, "positional_gram[0][1]"),
        ({"sequence_length": 3}, "positional_encoding or positional_gram must be given"),
        ({"sequence_length": 3, "positional_matrix": [[1, 0], [0, 1]]}, "agree on the number of tokens"),
        ({"spectrum": Spectrum.isotropic(1, 1, 1), "positional_matrix": [[1, 0], [0, 1]]}, "'spectrum': 3"),
        ({"sequence_length": 2.5}, "2.5"),
        ({"sequence_length": 1}, "between 2 and 9"),
        ({"rank": 0}, "rank must lie between 1 and 9"),
        ({"rank": 1.5}, "rank must be an integer"),
        ({"spectrum": 3}, "3"),
        ({"spectrum": []}, "at least one atom"),
        ({"spectrum": [{"weight": 1}]}, "spectrum must be a Spectrum"),
        ({"spectrum": [{"weight": 1, "eigenvalues": [1, 1], "colour": 1}]}, "'colour'"),
        ({"spectrum": Spectrum.isotropic(1.0)}, "number of tokens"),
        ({"parameters": 3}, "parameters must map names to numbers"),
        ({"parameters": {"kappa": "x"}}, "parameters['kappa']"),
        ({"parameters": {"kappa": float("inf")}}, "finite"),
        ({"parameters": [("kappa", 1), ("kappa", 2)]}, "'kappa' twice"),
    ],
)
def test_conflicting_arguments_are_refused(changes, quoted):
    assert quoted in refusal(lambda: AttentionModel.paper(**changes))


def one_atom(**moments):
    return {"spectrum": Spectrum((SpectrumAtom(1.0, (1.0, 1.0), **moments),))}


@pytest.mark.parametrize(
    ("moments", "quoted"),
    [
        # Each matrix is that of a random vector, the joint one is not: |E tau pi| > 1.
        ({"mixed_moments": [[2.0], [-2.0]]}, "the joint moments of atoms[0]"),
        # The default encodings are opposite, so that tau_1 = -tau_2.
        ({"mixed_moments": [[0.1], [0.1]]}, "the joint moments of atoms[0]"),
        ({"positional_moments": [[1, 0], [0, 1]]}, "Gram matrix"),
        ({"teacher_moments": [[1, 0], [0, 1]]}, "teacher_moments must be 1 x 1"),
        ({"mixed_moments": [[0, 0], [0, 0]]}, "mixed_moments must be 2 x 1"),
        ({"teacher_moments": [[0]]}, "variance"),
    ],
)
def test_spectra_must_fit_encodings_and_teacher(moments, quoted):
    assert quoted in refusal(lambda: AttentionModel.paper(**one_atom(**moments)))


def test_a_multi_index_model_without_encodings_refuses_projections_on_them():
    atom = SpectrumAtom(1.0, (1.0,), positional_moments=[[1.0]])
    assert "Gram matrix" in refusal(lambda: ridge(spectrum=Spectrum((atom,))))
    assert ridge(spectrum=Spectrum((atom,)), positional_gram=[[1.0]]).layout.directions == 1


@pytest.mark.parametrize(
    ("changes", "quoted"),
    [
        ({"regularization": 0}, "regularization"),
        ({"noise": -1}, "noise"),
        ({"spectrum": None}, "spectrum"),
        ({"loss": 3}, "loss must be a function"),
        ({"outputs": 3}, "outputs must be a function"),
        ({"loss": lambda z, y: DELTA * z[0]}, "'Delta'"),
        ({"loss": lambda z, y: UNKNOWN(z[0])}, "'unknown'"),
        ({"loss": lambda z, y: z}, "scalar"),
        ({"loss": lambda z, y: sp.I * z[0]}, "real"),
        ({"outputs": lambda h, xi: [DELTA]}, "outputs[0] contains the free symbol 'Delta'"),
        ({"outputs": lambda h, xi: 3}, "outputs must return a list"),
        ({"positional_gram": [[-1]]}, "positive semidefinite"),
        ({"positional_gram": [[1, 0]]}, "1 x 1"),
    ],
)
def test_multi_index_models_are_refused_alike(changes, quoted):
    assert quoted in refusal(lambda: ridge(**changes))


RESERVED = """alpha beta omega sigma regularization q m V theta q_1 V_hat theta_hat_12 w_1 z_1 h_1 xi_1 T_11 A_12 c_1 R
rho token_trace teacher_variance_1 positional_matrix_11 positional_encoding_2 x0 x1 x12 y_1 K_11 H_12 g_1 dT_11_domega
common_mode_1 line_coordinate inverse_determinant average_envelope average_loss weight_norm prior parameters exponential
math lambda if False abs __debug__ 1a"""


@pytest.mark.parametrize("name", ["", *RESERVED.split()])
def test_a_parameter_may_not_have_a_name_that_equations_or_code_use(name):
    assert repr(name) in refusal(lambda: AttentionModel.paper(parameters={name: 1.0}))


def test_every_own_symbol_of_a_model_is_reserved():
    derivation = derive(AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)))
    own = {str(x) for s in function_specifications(derivation.saddle_system) for x in (*s.arguments, *s.parameters)}
    own |= {name for names in (derivation.parameter_values, *(v for _, v in derivation.model.atoms)) for name in names}
    assert not [name for name in own if is_parameter_name(name)]
    assert is_parameter_name("kappa")
    assert is_parameter_name("kappa_1")


MODELS = {
    "temperature": AttentionModel(0.2, attention=softmax_attention(KAPPA), parameters={"kappa": 2.0}),
    "linear": AttentionModel(0.3, rank=2, attention=linear_attention(), target=entrywise(sp.tanh)),
    "gram": AttentionModel(0.0, sequence_length=3, positional_gram=[[1, 0.2, 0], [0.2, 1, 0], [0, 0, 0]]),
    "teacher": AttentionModel(0.1, teacher_rank=2),
    "spectrum": AttentionModel(
        0.3,
        spectrum=Spectrum(
            (
                SpectrumAtom(0.4, (0.2, 0.3), mixed_moments=[[0.3], [-0.3]]),
                SpectrumAtom(0.6, (0.5, 0.1), teacher_moments=[[2.0]]),
            )
        ),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_round_trips(name):
    model = MODELS[name]
    again = AttentionModel(**json.loads(json.dumps(model.to_dict())))
    assert again == model
    assert hash(again) == hash(model)
    assert again.structure == model.structure
    assert again.parameter_values() == model.parameter_values()
    assert dataclasses.replace(model) == model
    assert len({model, *MODELS.values()}) == len(MODELS)


def test_text_and_function_are_the_same_model():
    functions = (softmax_attention(), lambda h: softmax_attention(1)(h), softmax_attention(sp.Integer(1)))
    models = [AttentionModel(0.3, attention=f) for f in functions]
    assert len(set(models)) == 1
    assert AttentionModel(0.3, attention=models[0].attention) == models[0]
    # Symbols go by their names: users need not know our assumptions.
    named = [AttentionModel(0.3, attention=softmax_attention(x), parameters={"kappa": 1})
             for x in (KAPPA, sp.Symbol("kappa", real=True), sp.Symbol("kappa", positive=True))]  # fmt: skip
    assert len(set(named)) == 1


def test_replace_keeps_what_is_not_changed_and_checks_what_is():
    model = MODELS["temperature"]
    warmer = dataclasses.replace(model, parameters={"kappa": 1.0})
    assert warmer.attention == model.attention
    assert warmer.structure == model.structure
    assert warmer.parameter_values()["kappa"] == 1.0
    assert "'kappa'" in refusal(lambda: dataclasses.replace(model, parameters={}))
    # The text is that of rank one; it does not become another rank's.
    assert "'h_1'" in refusal(lambda: dataclasses.replace(model, rank=2))
    assert "sigma" in refusal(lambda: dataclasses.replace(model, spectrum=Spectrum.isotropic(0.2, 0.3)))
    assert "agree" in refusal(lambda: dataclasses.replace(MODELS["gram"], sequence_length=2))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch {path}')",
        'Matrix([[\'__import__("os").system("touch {path}")\', 1], [1, 1]])',
        'Matrix(\'__import__("os").system("touch {path}")\')',
        'Add(\'__import__("os").system("touch {path}")\', 1)',
        'sympify(\'__import__("os").system("touch {path}")\')',
        'S(\'__import__("os").system("touch {path}")\')',
        'Function(\'__import__("os").system("touch {path}")\')',
        'Rational(\'__import__("os").system("touch {path}")\')',
        "Matrix(2, 2, lambda i, j: open('{path}', 'w'))",
        "[open('{path}', 'w') for i in (1,)]",
        "preview(1)",
        "x.y",
        "garbage(",
        "Matrix([[1, x], [1, 1]])",
        "Matrix([[1, 2]] * 2)",
        "\0",
        "(" * 500,
        "-" * 100_000 + "1",
    ],
)
@pytest.mark.parametrize("which", ["attention", "target"])
def test_texts_are_read_and_not_run(which, text, tmp_path):
    path = tmp_path / "run"
    message = refusal(lambda: AttentionModel.paper(**{which: text.replace("{path}", str(path))}))
    assert not path.exists()
    assert len(message) < 400


@pytest.mark.parametrize("name", MODELS)
def test_what_only_knows_plain_models_refuses_others(name):
    model = MODELS[name]
    fields = {"temperature": "attention", "linear": "rank = 2", "gram": "directions = 2", "teacher": "teacher_rank = 2",
              "spectrum": "isotropic = False"}  # fmt: skip
    for what, make in (
        ("reading fields off a target", lambda: fields_up_to_sign(np.eye(2), model)),
        ("the Bayes-optimal baseline", lambda: bayes_optimal(model)),
        ("renaming tokens", model.token_exchanged),
    ):
        message = refusal(make)
        assert message.startswith(f"{what} must have")
        assert fields[name] in message


def test_more_tokens_are_plain():
    AttentionModel(0.0, positional_encoding=[1, 0, -1]).require_paper_kind("anything")
    # Encodings along one direction are plain however they are given.
    given = AttentionModel(0.3, positional_gram=[[1, -1], [-1, 1]])
    assert given == AttentionModel(0.3)
    given.require_paper_kind("anything")
