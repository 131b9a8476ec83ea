"""Derivations of all kinds of models pass the checks of their own steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sympy as sp

from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, linear_attention
from replica.checks.check import Check
from replica.checks.verification import CHECKS, Verification
from replica.derivation import derive
from replica.quantities.structure import ModelStructure

DELTA = sp.Symbol("Delta")
MIXED = Spectrum(
    (
        SpectrumAtom(0.4, (0.2, 0.3), [[1.5, -1], [-1, 1]], mixed_moments=[[0.1], [0.0]]),
        SpectrumAtom(0.6, (0.5, 0.1), [[0.5, 0.2], [0.2, 2]], teacher_moments=[[1.3]]),
    )
)


def retrieval(**changes: Any) -> MultiIndexModel:
    """Phase retrieval with an encoding: the smallest model that has all order parameters and all families."""
    own = {"loss": lambda z, y: (y[0] - z[0] ** 2) ** 2, "outputs": lambda h, _: [h[0] ** 2]}
    return MultiIndexModel(**{**own, "regularization": 0.1, "positional_gram": [[1.0]], **changes})


def both_columns(z, y):
    return (y[0] - z[0] ** 2 - z[1] ** 2) ** 2


QUICK = {
    "paper": AttentionModel.paper(),
    "phase retrieval": retrieval(),
    "ridge with noise": MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
        outputs=lambda h, xi: [h[0] + sp.sqrt(DELTA) * xi[0]],
        regularization=0.1,
        noise=1,
        parameters={"Delta": 0.2},
    ),
    "logistic": MultiIndexModel(
        loss=lambda z, y: sp.log(1 + sp.exp(-y[0] * z[0])), outputs=lambda h, _: [sp.sign(h[0])], regularization=0.1
    ),
}
GRAM = [[0.4 * 1.5 + 0.6 * 0.5, -0.4 + 0.6 * 0.2], [-0.4 + 0.6 * 0.2, 0.4 + 0.6 * 2]]
SLOW = {
    "linear attention": AttentionModel(0.3, attention=linear_attention()),
    "phase retrieval, rank two": retrieval(rank=2, loss=both_columns),
    "different variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "three tokens": ModelStructure(3),
    "rank two": AttentionModel(0.3, rank=2),
    "teacher of two": AttentionModel(0.3, teacher_rank=2),
    "mixed moments": AttentionModel(0.3, spectrum=MIXED, positional_gram=GRAM),
    "two directions": AttentionModel(0.0, sequence_length=3, positional_gram=[[1, 0.2, 0], [0.2, 1, 0], [0, 0, 0]]),
    "everything": ModelStructure(2, 2, 2, 2, isotropic=False),
}


def verified(verification: Verification) -> None:
    assert verification.passed, str(verification)
    assert not verification.failures
    # Every check has something to say, sectors where there is one besides the whole space.
    assert {x.step for x in verification.checks} >= set(CHECKS.values()) - {"sectors"}


@pytest.mark.parametrize("name", QUICK)
def test_derivations_pass(name):
    verified(derive(QUICK[name]).verify())


@pytest.mark.parametrize("name", ["phase retrieval", "ridge with noise", "logistic"])
def test_derivations_pass_at_another_point(name):
    verified(derive(QUICK[name]).verify(seed=1))


# What "everything" puts together, the others have one by one.
@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=pytest.mark.measurement if x == "everything" else pytest.mark.slow) for x in SLOW],
)
def test_larger_derivations_pass(name):
    verified(derive(SLOW[name]).verify())


@pytest.mark.measurement
@pytest.mark.parametrize("seed", range(2, 10))
def test_derivations_pass_at_many_points(seed):
    for model in QUICK.values():
        verified(derive(model).verify(seed=seed))


CHEAP = ["determinant and inverse", "no replicas", "shared order parameters", "saddle point", "sectors"]


@pytest.mark.parametrize("name", ["mixed moments", "linear attention"])
def test_cheap_checks_of_larger_derivations_pass(name):
    verification = derive(SLOW[name]).verify(steps=CHEAP)
    assert {x.step for x in verification.checks} == set(CHEAP)
    assert verification.passed, str(verification)


def test_steps_are_chosen_by_name():
    derivation = derive(QUICK["phase retrieval"])
    assert {x.step for x in derivation.verify(steps=["no replicas"]).checks} == {"no replicas"}
    with pytest.raises(ValueError, match="'stationary'"):
        derivation.verify(steps=["stationary"])
    assert set(CHECKS.values()) <= {x.name for x in derivation.steps}
    assert all({x.step for x in check(derivation, 0)} == {step} for check, step in CHECKS.items())


def test_a_verification_reports_every_check_on_a_line():
    good, bad, undefined = (Check("s", f"statement {k}", x, 1e-9) for k, x in enumerate((1e-10, 1e-3, math.nan)))
    outcome = Verification((good, bad, undefined))
    assert not outcome.passed
    assert outcome.failures == (bad, undefined)
    assert [line.split()[0] for line in str(outcome).splitlines()] == ["ok", "FAIL", "FAIL"]
    assert Verification((good,)).passed
