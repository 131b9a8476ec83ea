"""A step that does not hold when it is checked is refused, also where Python leaves assertions out."""

from __future__ import annotations

import dataclasses

import pytest

from replica import AttentionModel, DerivationError
from replica.derivation import Derivation
from replica.equations import prior_term
from replica.equations.moreau import moreau_problem
from replica.model.any_model import loss_model
from replica.quantities.structure import ModelStructure
from replica.reports.content.equation_report import equation_report


def test_a_wrong_limit_of_the_prior(monkeypatch):
    limit = prior_term.replica_limit
    monkeypatch.setattr(prior_term, "replica_limit", lambda action: 2 * limit(action))
    # NOTE: past the cache, which must not keep what is wrong.
    with pytest.raises(DerivationError, match="prior term"):
        prior_term.prior_limit.__wrapped__(1)


def test_forces_that_are_not_the_objectives_slope():
    problem = moreau_problem(ModelStructure(rank=2))
    wrong = dataclasses.replace(problem, forces={x: 2 * y for x, y in problem.forces.items()})
    assert problem.slope(problem.fields[0])
    with pytest.raises(DerivationError, match="slope"):
        wrong.slope(problem.fields[0])


def test_a_loss_that_is_not_the_one_printed():
    model = AttentionModel(0.3, rank=2)
    wrong = loss_model(model)
    with pytest.raises(DerivationError, match="as printed"):
        equation_report(Derivation(model, dataclasses.replace(wrong, loss=2 * wrong.loss)))
