r"""Maps of models onto each other map every transition onto itself.

Two tokens, rank one, isotropic tokens of variance :math:`\sigma^2`, encodings :math:`p_l = c_l 1_d/\sqrt d`. A sample's
loss is :math:`\ell = \tfrac{\sigma^2}2 |S(h) - T(h^\star)|^2` with :math:`S(h) = \mathrm{softmax}(\kappa h h^\top)`
(theory notes, section 1). Every docstring derives its law.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from replica import AttentionModel, softmax_attention
from saddle import LineRule, PhaseDiagram, solve_phase_diagram
from saddle.testing import Asking, assert_agree, assert_symmetric, images_of, lively_models

ALPHA, POINTS = (0.2, 2.0), 3
# One rule for both: so what differs between the two is not what a rule was chosen for.
RULE = LineRule.for_tolerance(3e-3)


def solved(model: AttentionModel, alpha: tuple[float, float] = ALPHA) -> PhaseDiagram:
    return solve_phase_diagram(model, alpha, points=POINTS, rule=RULE, threads=1)


def changed(model: AttentionModel, **changes) -> AttentionModel:
    return dataclasses.replace(model, **changes)


def check(first: PhaseDiagram, second: PhaseDiagram, leaving_out: Collection[str] = ()) -> None:
    assert first.transitions, "nothing is tested by a model without transitions"
    assert_agree(first, second, leaving_out=leaving_out)


def check_values(first: PhaseDiagram, second: PhaseDiagram, expected: Callable) -> None:
    """Compare Phi of the second with what the first's becomes, (alpha, Phi) -> Phi, within errors."""
    for name, branch in first.branches.items():
        other = second.branches[name]
        both = branch.distinct & other.distinct
        mapped = expected(branch.alpha, branch.free_entropy)
        # By how much an error of Phi grows on the way.
        stretch = np.abs(expected(branch.alpha, branch.free_entropy + 1e-6) - mapped) / 1e-6
        errors = stretch * branch.free_entropy_error + other.free_entropy_error
        allowed = 3.0 * errors + 1e-4 * np.abs(other.free_entropy)
        assert np.all(np.abs(other.free_entropy - mapped)[both] <= allowed[both]), name


# First examples have the simplest seed and numbers: a generic model, and no map that is the identity.
@pytest.mark.slow
@settings(max_examples=1, derandomize=True)
@given(model=lively_models(3))
def test_images_of_a_model_have_its_diagram(model):
    r"""Tokens permuted: renaming them by P takes x to P x, c to P c and A to P A P^T; S, T become P S P^T, P T P^T.

    Encodings reversed: reflecting every token and Q in the direction 1_d turns p into -p; their law, |Q| and the
    teacher's law stay. Sums reflected: the law of shifted rows, below, with u_i = 2 (1 - a_i)/L, so that a_i - 1
    changes its sign: its constant is zero, and alpha_l stays too.
    """
    assert list(images_of(model)) == ["tokens renamed 2, 1", "encodings reversed", "sums of A's rows reflected"]
    assert_symmetric(model, Asking(ALPHA, POINTS, rule=RULE))


def shifted(model: AttentionModel, shift: np.ndarray) -> AttentionModel:
    return changed(model, positional_matrix=(np.array(model.positional_matrix) + shift[:, None]).tolist())


@settings(max_examples=1, derandomize=True)
@given(model=lively_models(5), shift=st.tuples(st.floats(0.1, 0.5), st.floats(-0.4, -0.1)))
def test_rows_of_the_positional_matrix_shifted(model, shift):
    r"""A + u 1^T moves T - S along rows (1, 1) only, where S and softmax sum to one: l gains a constant.

    Row i of T - S sums to omega (a_i - 1), a_i the sum of A's row i, whatever h and h* are; that contributes
    sigma^2 omega^2 (a_i - 1)^2/(2 L) to l, and a_i becomes a_i + L u_i. So solutions, bifurcations and first-order
    transitions stay, and Phi falls by alpha times the constant. Test errors gain one too, while the linear baseline
    (T - E[T], without A) has none: alpha_l moves, unless every a_i - 1 keeps its size.
    """
    first, second = solved(model), solved(shifted(model, np.array(shift)))
    check(first, second, ("alpha_l", "values", "phi"))
    sums = [np.array(m.positional_matrix).sum(axis=1) - 1.0 for m in (first.model, second.model)]
    constant = model.token_variance * model.omega**2 / 4.0 * (np.sum(sums[1] ** 2) - np.sum(sums[0] ** 2))
    check_values(first, second, lambda alpha, phi: phi - alpha * constant)


@pytest.mark.slow
@settings(max_examples=1, derandomize=True)
@given(model=lively_models(7), sharpness=st.floats(1.5, 3.0))
def test_sharper_softmax_is_a_weaker_penalty(model, sharpness):
    r"""With Q' = sqrt(kappa) Q, kappa h h^T = h' h'^T and lambda |Q|^2 = (lambda/kappa) |Q'|^2; the target stays."""
    sharp = changed(model, attention=softmax_attention(sp.Symbol("kappa")), parameters={"kappa": sharpness})
    check(solved(changed(model, regularization=model.regularization / sharpness)), solved(sharp))


@pytest.mark.slow
@settings(max_examples=1, derandomize=True)
@given(model=lively_models(9, omega=1.0), scale=st.floats(1.1, 1.4))
def test_units_of_tokens(model, scale):
    r"""At omega = 1, T = A: with x' = s x, p' = s p and Q' = Q/s fields are the same, l' = s^2 l, lambda' = s^4 lambda.

    For then lambda' |Q'|^2 = s^2 lambda |Q|^2, and all of the training loss is multiplied by s^2.
    """
    other = changed(
        model,
        sigma=scale * model.sigma,
        positional_encoding=[scale * c for c in model.positional_encoding],
        regularization=scale**4 * model.regularization,
    )
    # Where A is learnt, it is learnt from few samples.
    first, second = (solved(m, (0.005, 1.0)) for m in (model, other))
    check(first, second, ("values", "phi"))
    check_values(first, second, lambda alpha, phi: scale**2 * phi)
