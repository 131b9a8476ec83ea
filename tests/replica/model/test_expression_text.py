"""The text of a function is read as what it says, and whatever a model accepts reads back."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from replica import AttentionModel, softmax
from replica.algebra.expression_bounds import CONSTANTS, KINDS
from replica.code.source import _KernelPrinter
from replica.common.errors import InvalidModel
from replica.model.functions.user_functions import matrix_from_text
from replica.quantities.symbols import teacher_fields
from tests.replica.equations.test_expressions import combined

H = teacher_fields(2, 1)
OTHER = sp.Symbol("kappa", real=True)
ONE_ARGUMENT = [
    kind for name, kind in KINDS.items()
    if issubclass(kind, sp.Function) and name not in ("SoftmaxWeight", "Max", "Min", "Mod", "atan2", "Piecewise")
]  # fmt: skip


def read(entry: sp.Basic) -> sp.Basic:
    return matrix_from_text(sp.srepr(sp.ImmutableMatrix([[entry]])))[0]


@pytest.mark.parametrize("kind", ONE_ARGUMENT, ids=str)
def test_every_function_that_may_be_used_can_be_read_and_printed(kind):
    value = kind(H[0] ** 2 + 1.5)
    assert read(value) == value
    assert AttentionModel.paper(target=lambda h: [[kind(h[0]), 0], [0, 1]]).target
    assert "math" in _KernelPrinter().doprint(kind(OTHER)) or kind in (sp.Abs, sp.Heaviside)


@pytest.mark.parametrize(
    "value",
    [
        sp.Integer(-3), sp.Rational(-2, 3), sp.Rational(0.1), sp.Float(0.1), sp.Float("0.1", 50), sp.Float("1e-200"),
        sp.pi, sp.E, sp.EulerGamma, sp.GoldenRatio, sp.Catalan, sp.sqrt(2), sp.log(2) / 3, sp.exp(-sp.sqrt(2)),
        sp.erf(1 / sp.sqrt(2)), 2**OTHER, H[0] ** OTHER, H[0] ** 20, 1 / (1 + H[0] ** 2) ** sp.Rational(3, 2),
        sp.atan2(H[0], H[1]), sp.Max(H[0], 0, H[1]), sp.Min(H[0], H[1]), sp.Mod(H[0] * H[1], 1),
        sp.Piecewise((H[0], H[0] > 0), (0, True)),
        sp.Piecewise((H[0], (H[0] > 0) & (H[0] < H[1])), (H[1], sp.Or(H[0] >= 2, sp.Ne(H[1], 1))), (0, True)),
        sp.Symbol("x", positive=True), sp.Symbol("x", nonnegative=True), softmax(sp.Matrix([list(H)]))[0],
        softmax(softmax(sp.Matrix([[H[0], H[1], 1]])))[1],
    ],
    ids=str,
)  # fmt: skip
def test_values_read_back(value):
    assert read(value) == value


@given(entry=st.recursive(st.sampled_from([*H, OTHER, sp.Integer(2), sp.Float(0.3)]), combined, max_leaves=8))
@settings(max_examples=25)
def test_what_a_model_accepts_reads_back(entry):
    def target(h):
        return [[entry, h[0]], [h[1], 1]]

    try:
        model = AttentionModel.paper(target=target, parameters={"kappa": 1.5})
    except InvalidModel:
        return
    assert matrix_from_text(model.target)[0, 0] == entry
    assert AttentionModel.paper(target=model.target, parameters={"kappa": 1.5}) == model


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Matrix([[1, -2.5]])", sp.Matrix([[1, -2.5]])),
        ("[[1], [2]]", sp.Matrix([1, 2])),
        ("((1, 2), (3, 4))", sp.Matrix([[1, 2], [3, 4]])),
        ("ImmutableMatrix(2, 1, [1, Symbol('x')])", sp.Matrix([1, sp.Symbol("x", real=True)])),
        ('Matrix([[Symbol("x", positive=True), ], ])', sp.Matrix([sp.Symbol("x", positive=True)])),
        ("Matrix([[Float('.5', 30), Float(2), Integer(-3), Rational(1, -2)]])",
         sp.Matrix([[sp.Float("0.5", 30), sp.Float(2), -3, -sp.Rational(1, 2)]])),
    ],
)  # fmt: skip
def test_texts_may_be_written_by_hand(text, value):
    assert matrix_from_text(text) == value


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Matrix([[1]", "before ''"),
        ("Matrix([[1]]) Matrix([[1]])", "nothing may follow"),
        ("Matrix([[1], [1, 2]])", "equally long rows"),
        ("Matrix([])", "rows"),
        ("Matrix([[]])", "rows"),
        ("Matrix(1, 2, [3])", "from its rows"),
        ("Matrix(1000000, 1000000, [])", "from its rows"),
        ("Matrix([[Integer(1.5)]])", "whole number"),
        ("Matrix([[Rational(1, 0)]])", "two whole numbers"),
        ("Matrix([[Float('x')]])", "digits"),
        ("Matrix([[Float('nan')]])", "digits"),
        ("Matrix([[Float('1e350')]])", "between 1e-300 and 1e+300"),
        ("Matrix([[Symbol(1)]])", "must have a name"),
        ("Matrix([[Symbol('a b')]])", "must have a name"),
        ("Matrix([[Symbol('a', imaginary=True)]])", "imaginary"),
        ("Matrix([[Symbol('a', real=False)]])", "real=False"),
        ("Matrix([[exp(1, evaluate=False)]])", "exp(...)"),
        ("Matrix([[exp()]])", "exp"),
        ("Matrix([[zoo]])", "zoo"),
        ("Matrix([[I]])", "got I"),
        ("Matrix([[Pow(Integer(0), Integer(-1))]])", "finite"),
        ("Matrix([[Pow(Integer(-2), Rational(1, 2))]])", "I"),
        ("Matrix([[log(Integer(-2))]])", "real"),
        ("Matrix([[Derivative(Symbol('x'), Symbol('x'))]])", "Derivative"),
        ("Matrix([[StrictGreaterThan(Symbol('x'), Integer(0))]])", "scalar"),
    ],
)
def test_what_a_text_may_not_say_is_refused_with_the_piece(text, quoted):
    with pytest.raises(InvalidModel, match="target") as caught:
        AttentionModel.paper(
            target=text.replace("Matrix([[", "Matrix([[1, 1], [1, ", 1) if quoted == "scalar" else text
        )
    assert quoted in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "quoted"),
    [
        (lambda h: sp.besselj(0, h[0]), "besselj"),
        (lambda h: sp.Integral(h[0], (h[0], 0, 1)) * h[1], "Integral"),
        (lambda h: h[0] ** 1000, "exponent"),
        (lambda h: h[0] * 7**1000, "bits"),
        (lambda h: sp.Mul(*(h[0] + k for k in range(100))), "factors may be 64 at most"),
    ],
)
def test_a_function_whose_text_could_not_be_read_is_refused(entry, quoted):
    def make():
        return AttentionModel.paper(target=lambda h: [[entry(h), 1], [1, 1]])

    if quoted is None:
        make()
        return
    with pytest.raises(InvalidModel, match="target") as caught:
        make()
    assert quoted in str(caught.value)


def test_attention_that_could_not_be_differentiated_in_time_is_refused():
    product = sp.Mul(*(sp.sin(k * H[0] + H[1]) for k in range(1, 150)))
    with pytest.raises(InvalidModel, match="second derivatives"):
        AttentionModel.paper(attention=lambda h: [[product, 1], [1, 1]])


def test_a_piecewise_target_is_refused_with_what_says_the_same():
    with pytest.raises(InvalidModel, match=r"target must not be piecewise.*sp\.Heaviside"):
        AttentionModel.paper(target=lambda h: [[sp.Piecewise((h[0], h[0] > 0), (0, True)), 0], [0, 1]])


def test_the_names_of_constants_are_their_own():
    for name, value in CONSTANTS.items():
        assert str(value).lower() == {"E": "e"}.get(name, name).lower()
