"""Functions beyond the elementary ones in losses and outputs: computed rightly, or refused by name at construction."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import special

from replica import MultiIndexModel, derive, softmax
from replica.algebra.computable import check_computable
from replica.common.errors import InvalidModel
from saddle.reference import GaussHermite, ReferenceRule, solve_model
from saddle.reference.numeric_functions import array_function

X = sp.Symbol("x", real=True)

COMPUTED = [
    (sp.erf(X), special.erf),
    (sp.erfc(X), special.erfc),
    (sp.erfi(X), special.erfi),
    (sp.erfinv(X), special.erfinv),
    (sp.gamma(X**2 + 1), lambda x: special.gamma(x**2 + 1)),
    (sp.loggamma(X**2 + 1), lambda x: special.gammaln(x**2 + 1)),
    (sp.digamma(X**2 + 1), lambda x: special.digamma(x**2 + 1)),
    (sp.factorial(X**2), lambda x: special.gamma(x**2 + 1)),
    (sp.besselj(1, X), special.j1),
    (sp.airyai(X), lambda x: special.airy(x)[0]),
    (sp.Si(X), lambda x: special.sici(x)[0]),
    (sp.fresnels(X), lambda x: special.fresnel(x)[0]),
    (sp.sinc(X), lambda x: np.sinc(x / np.pi)),
    (softmax(softmax(sp.Matrix([[X, 1, 0]])))[0, 0], lambda x: _softmax_twice(x)),
]


def _softmax_twice(x: np.ndarray) -> np.ndarray:
    logits = np.stack([x, np.ones_like(x), np.zeros_like(x)])
    return special.softmax(special.softmax(logits, axis=0), axis=0)[0]


@pytest.mark.parametrize(("expression", "expected"), COMPUTED, ids=lambda x: str(x)[:20])
def test_what_is_accepted_is_computed(expression, expected):
    check_computable("outputs[0]", expression)
    x = np.linspace(-0.9, 0.9, 7)
    np.testing.assert_allclose(array_function((X,), [expression], "it")(x)[0], expected(x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "culprit"),
    [
        (lambda x: sp.polylog(2, x), "polylog(2, h_1) (NameError"),
        (lambda x: sp.hyper([1], [2], x), "hyper((1,), (2,), h_1)"),
        (lambda x: 1 + x * sp.elliptic_k(x), "elliptic_k(h_1)"),
        (lambda x: sp.fibonacci(x), "fibonacci(h_1)"),
        (lambda x: sp.LambertW(sp.exp(x)), "LambertW(exp(h_1)) (its values are not real numbers)"),
        (lambda x: sp.KroneckerDelta(x, 0), "KroneckerDelta(0, h_1)"),
    ],
)
def test_outputs_without_code_are_refused(make, culprit):
    with pytest.raises(InvalidModel, match=r"outputs\[0\] must have numerical code, and there is none for ") as refusal:
        MultiIndexModel(lambda z, y: (y[0] - z[0]) ** 2 / 2, 0.1, outputs=lambda h, xi: [make(h[0])])
    assert culprit in str(refusal.value)


def test_a_loss_whose_derivatives_have_no_code_is_refused():
    with pytest.raises(InvalidModel, match=r"loss must have .* none for airyaiprime\(z_1\), which is in its deriv"):
        MultiIndexModel(lambda z, y: (y[0] - sp.airyai(z[0])) ** 2 / 2, 0.1)


def test_what_is_not_worked_out_is_refused():
    t = sp.Symbol("t", real=True)
    with pytest.raises(InvalidModel, match=r"outputs\[0\] must be explicit, got Integral.*; call .doit\(\) on it"):
        MultiIndexModel(
            lambda z, y: (y[0] - z[0]) ** 2 / 2,
            0.1,
            outputs=lambda h, xi: [sp.Integral(sp.exp(-(t**2)), (t, 0, h[0]))],
        )


def test_a_pole_or_a_root_of_a_negative_number_is_code_enough():
    check_computable("it", sp.gamma(X - sp.Rational(7123, 10000)))
    check_computable("it", sp.sqrt(X - 3) / (X - sp.Rational(7123, 10000)), [X])


def test_a_loss_of_the_error_function_is_solved_as_its_expansion():
    """erf(z/s) s sqrt(pi)/2 is z for a large s: ridge regression, with a correction that falls as 1/s^2."""

    def solved(loss):
        model = MultiIndexModel(loss, 0.3, outputs=lambda h, xi: [h[0] + xi[0] / 2], noise=1)
        return solve_model(model, 1.5, rule=ReferenceRule(GaussHermite(10), GaussHermite(10), start_height=None))

    def bounded(scale):
        return lambda z, y: (y[0] - scale * sp.sqrt(sp.pi) / 2 * sp.erf(z[0] / scale)) ** 2 / 2

    ridge = solved(lambda z, y: (y[0] - z[0]) ** 2 / 2).order_parameters["teacher_overlap"]
    far, further = (solved(bounded(s)).order_parameters["teacher_overlap"] - ridge for s in (20.0, 40.0))
    assert abs(far) < 1e-2
    assert far / further == pytest.approx(4.0, rel=0.05)


def test_a_model_of_the_error_function_is_verified():
    model = MultiIndexModel(lambda z, y: (y[0] - sp.erf(z[0])) ** 2 / 2, 0.3, outputs=lambda h, xi: [sp.erf(h[0])])
    assert derive(model).verify().passed
