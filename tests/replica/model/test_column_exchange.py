"""Columns of a student that may be exchanged, and the same model in their sum and difference."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy as sp

from replica import MultiIndexModel


def committee(units: int, outputs=None, **others) -> MultiIndexModel:
    def all_units(h):
        return sum(sp.tanh(h[k]) for k in range(units))

    return MultiIndexModel(
        lambda z, y: (all_units(z) - y[0]) ** 2 / 2,
        0.1,
        outputs or (lambda h, xi: [sp.tanh(h[0]) + sp.tanh(h[1])]),
        rank=units,
        teacher_rank=2,
        **others,
    )


def sample_loss(model: MultiIndexModel, z: np.ndarray, h: np.ndarray) -> float:
    """Return the loss at pre-activations (L, r) of the student and (L, t) of the teacher."""
    written = model.loss_model()
    values = dict(zip((*written.proximal_point, *written.teacher_fields), [*z.ravel(), *h.ravel()], strict=True))
    outputs = {y: value.subs(values) for y, value in zip(written.target_symbols, written.target, strict=True)}
    return float(written.loss.subs(outputs).subs(values))


TURN = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)


@pytest.mark.parametrize("reread", [False, True])
def test_the_loss_of_a_sample_is_the_same_in_sum_and_difference(reread):
    model = committee(2)
    model = pickle.loads(pickle.dumps(model)) if reread else model
    other = model.in_sum_and_difference()
    generator = np.random.default_rng(0)
    for _ in range(5):
        z, h = generator.normal(size=(1, 2)), generator.normal(size=(1, 2))
        assert sample_loss(other, z @ TURN, h @ TURN) == pytest.approx(sample_loss(model, z, h), abs=1e-12)
    # Exchanging units reverses their difference.
    flipped = sample_loss(other, (z[:, ::-1]) @ TURN, h @ TURN)
    assert flipped == pytest.approx(sample_loss(other, z @ TURN, h @ TURN), abs=1e-12)


def test_a_model_so_written_is_read_back():
    other = committee(2).in_sum_and_difference()
    assert MultiIndexModel.from_dict(other.to_dict()) == other
    assert pickle.loads(pickle.dumps(other)) == other
    assert hash(pickle.loads(pickle.dumps(other))) == hash(other)


def test_turning_the_student_twice_is_turning_it_back():
    """The teacher's sum and difference may not be exchanged: it stays."""
    model = committee(2)
    twice = model.in_sum_and_difference().in_sum_and_difference()
    z, h = np.array([[0.3, -1.1]]), np.array([[0.7, 0.2]])
    assert sample_loss(twice, z, h @ TURN) == pytest.approx(sample_loss(model, z, h), abs=1e-12)


def test_a_teacher_whose_units_differ_stays_as_it_is():
    model = committee(2, lambda h, xi: [sp.tanh(h[0]) + 2 * sp.tanh(h[1])])
    other = model.in_sum_and_difference()
    z, h = np.array([[0.3, -1.1]]), np.array([[0.7, 0.2]])
    assert sample_loss(other, z @ TURN, h) == pytest.approx(sample_loss(model, z, h), abs=1e-12)


def test_units_may_be_exchanged_unless_the_loss_tells_them_apart():
    assert committee(2).exchangeable_columns == ((0, 1),)
    assert committee(3).exchangeable_columns == ((0, 1), (0, 2), (1, 2))
    assert committee(2).in_sum_and_difference().exchangeable_columns == ()
    apart = MultiIndexModel(lambda z, y: (z[0] - y[0]) ** 2 / 2 + (z[1] - y[1]) ** 2 / 2, 0.1, rank=2, teacher_rank=2)
    assert apart.exchangeable_columns == ()
    assert MultiIndexModel(lambda z, y: (z[0] - y[0]) ** 2 / 2, 0.1).exchangeable_columns == ()


@pytest.mark.parametrize("units", [1, 3])
def test_only_two_columns_have_a_sum_and_a_difference(units):
    with pytest.raises(ValueError, match=f"rank must be 2 .* got {units}"):
        committee(units).in_sum_and_difference()
