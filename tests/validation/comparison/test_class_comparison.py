"""Samples of several classes: drawn, trained on, and held against theory."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from replica import MultiIndexModel
from saddle import solve_phase_diagram
from tests.models.multi_index import clouds, exclusive_or, logistic, two_classes
from validation import compare_with_theory, draw_teacher_data
from validation.comparison.theory_points import theory_point
from validation.simulation.losses.any_loss import training_loss

LOGISTIC = clouds(logistic, two_classes(0.3))


def draw(model: MultiIndexModel = LOGISTIC, dimension: int = 60, alpha: float = 20.0, seed: int = 0):
    return draw_teacher_data(model, dimension, alpha, np.random.default_rng(seed))


def test_classes_have_their_shares_and_their_means():
    data = draw()
    assert data.classes is not None
    share = np.mean(data.classes == 0)
    assert abs(share - 0.3) < 4.0 * np.sqrt(0.21 / data.samples)
    direction = data.coordinates.directions[:, 0]
    along = data.tokens[0] @ direction / np.sqrt(data.dimension)
    for index, mean in enumerate((1.0, -1.0)):
        own = along[data.classes == index]
        assert abs(own.mean() - mean) < 4.0 / np.sqrt(len(own))
    assert not data.encodings.any()


def test_the_loss_knows_the_class_of_each_sample():
    data = draw(alpha=2.0)
    assert data.classes is not None
    loss, generator = training_loss(data), np.random.default_rng(1)
    student, step = generator.standard_normal((2, data.dimension))
    fields = data.tokens[0] @ student / np.sqrt(data.dimension)
    labels = np.where(data.classes == 0, 1.0, -1.0)
    expected = np.logaddexp(0.0, -labels * fields).sum() + 0.05 * student @ student
    assert loss.value(student) == pytest.approx(expected, rel=1e-12)
    slope = (loss.value(student + 1e-5 * step) - loss.value(student - 1e-5 * step)) / 2e-5
    assert slope == pytest.approx(loss.gradient(student) @ step, rel=1e-8)


def test_descent_on_clouds_agrees_with_theory():
    diagram = solve_phase_diagram(LOGISTIC, (1.0, 2.0), points=2, progress=False)
    found = compare_with_theory(
        diagram, [1.5], starts=["positional-informed"], dimensions=[150, 300], seeds=range(50, 62)
    )
    assert float(np.abs(found.statistics["significance"]).max()) < 3.5
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert repr(again) == repr(found)
    found.plot().clear()


def test_solutions_along_another_direction_are_those_of_a_start_along_the_first():
    """Labels tell the directions apart, so that solutions along them have other numbers and other names."""
    model = exclusive_or(2.5)
    diagram = solve_phase_diagram(model, (0.8, 1.2), points=2, tolerance=2e-3, progress=False)
    point = theory_point(diagram, "positional-informed", 1.0)
    assert (point.exists, point.branch) == (True, "positional")
    assert diagram.branches["positional"].at(1.0).sector.name != "positional"
    assert max(abs(x) for name, x in point.values.items() if name.startswith("positional_overlap")) > 0.3
