"""Laws of what the reference solver is made of: rules, fields, the minimiser and the iteration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

from saddle.reference import GaussHermite, LegendrePanels
from saddle.reference.fixed_point import accelerated_fixed_point
from saddle.reference.minimiser import Objective, minimise_from, spread_starts
from saddle.reference.normal_rules import DegenerateLaw, field_loadings, tensor_rule
from saddle.reference.numeric_functions import WeightSide, array_function


@pytest.mark.parametrize(
    "rule", [GaussHermite(12), LegendrePanels(), LegendrePanels(breaks=(-1.0, 0.3, 50.0), width=2.0)]
)
def test_rules_give_the_moments_of_the_normal_law(rule):
    x, weight = rule.table()
    moments = [weight @ x**k for k in range(9)]
    assert moments == pytest.approx([1, 0, 1, 0, 3, 0, 15, 0, 105], rel=1e-11, abs=1e-11)


def test_panels_integrate_what_jumps_at_a_break():
    x, weight = LegendrePanels(breaks=(0.7,)).table()
    assert weight @ np.where(x > 0.7, np.exp(x), 0.0) == pytest.approx(
        math.exp(0.5) * 0.5 * math.erfc((0.7 - 1) / math.sqrt(2)), rel=1e-13
    )


@pytest.mark.parametrize("make", [lambda: GaussHermite(0), lambda: LegendrePanels(width=0.0)])
def test_rules_refuse_what_is_no_rule(make):
    with pytest.raises(ValueError, match="got"):
        make()


def test_product_rule_is_the_product_of_its_rules():
    nodes, weight = tensor_rule([GaussHermite(5), LegendrePanels(), GaussHermite(4)])
    assert nodes.shape == (len(weight), 3)
    assert weight @ (nodes[:, 0] ** 4 * (nodes[:, 1] > 0) * nodes[:, 2] ** 2) == pytest.approx(1.5, rel=1e-12)


def _random_covariance(seed: int, n: int) -> np.ndarray:
    root = np.random.default_rng(seed).standard_normal((n, n))
    return root @ root.T


@pytest.mark.parametrize("seed", range(3))
def test_loadings_reproduce_the_covariance_and_put_forms_first(seed):
    covariance = _random_covariance(seed, 5)
    first = np.random.default_rng(seed).standard_normal(5)
    other = np.linalg.solve(covariance @ np.eye(5), np.linalg.svd(first[None])[2][1])  # uncorrelated with the first
    loadings = field_loadings(covariance, np.array([first, other]), (3, 4, 0, 1, 2))
    np.testing.assert_allclose(loadings @ loadings.T, covariance, atol=1e-12)
    np.testing.assert_allclose((first @ loadings)[1:], 0, atol=1e-12)
    np.testing.assert_allclose(np.delete(other @ loadings, 1), 0, atol=1e-12)


def test_without_forms_earlier_fields_depend_on_no_later_normal():
    loadings = field_loadings(_random_covariance(4, 4), np.zeros((0, 4)), (2, 3, 0, 1))
    np.testing.assert_allclose(loadings[2, 1:], 0, atol=1e-13)
    np.testing.assert_allclose(loadings[3, 2:], 0, atol=1e-13)


def test_loadings_refuse_degenerate_laws_and_correlated_forms():
    with pytest.raises(DegenerateLaw, match="not positive definite"):
        field_loadings(np.ones((2, 2)), np.zeros((0, 2)), (0, 1))
    with pytest.raises(ValueError, match="uncorrelated"):
        field_loadings(np.eye(2), np.array([[1.0, 0.0], [1.0, 1.0]]), (0, 1))


def _tilted_wells(tilt: np.ndarray) -> Objective:
    """Sum over components of (z^2 - 1)^2 + tilt z: one well per sign, the lower one where tilt z < 0."""
    return Objective(
        value=lambda z: np.sum((z**2 - 1) ** 2 + tilt * z, axis=1),
        gradient=lambda z: 4 * z * (z**2 - 1) + tilt,
        hessian=lambda z: (12 * z**2 - 4)[:, :, None] * np.eye(z.shape[1]),
        select=lambda some: _tilted_wells(tilt[some]),
    )


def test_minimiser_finds_the_lowest_of_four_wells():
    tilt = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 2))
    starts = [np.broadcast_to(corner, tilt.shape) for corner in spread_starts(2, 0.3)]
    objective = _tilted_wells(tilt)
    z = minimise_from(objective, starts)
    assert np.all(np.sign(z) == -np.sign(tilt))
    np.testing.assert_allclose(objective.gradient(z), 0, atol=1e-12)


def test_minimiser_leaves_maxima_downhill():
    tilt = np.full((1, 2), 0.1)
    z = minimise_from(_tilted_wells(tilt), [np.zeros((1, 2))])
    assert np.all(z < -0.9)


def _units(state: np.ndarray) -> np.ndarray:
    return np.ones_like(state)


def test_acceleration_solves_a_slow_linear_map():
    rates = np.array([0.999, 0.9, -0.5])
    target = np.array([1.0, -2.0, 3.0])
    found = accelerated_fixed_point(lambda u: target + rates * (u - target), target + 0.01, _units, 1e-13, 60, 0.7)
    np.testing.assert_allclose(found.point, target, atol=1e-9)
    assert found.residual <= 1e-13


def test_acceleration_returns_from_outside_the_domain():
    def cosine_of_positive(u: np.ndarray) -> np.ndarray:
        if u[0] <= 0.7:
            raise DegenerateLaw("too small")
        return np.cos(u)

    found = accelerated_fixed_point(cosine_of_positive, np.array([1.0]), _units, 1e-14, 100, 0.3)
    assert found.point[0] == pytest.approx(0.7390851332151607, abs=1e-13)
    assert not found.left_domain


def test_iteration_says_that_it_left_its_domain():
    def refuse(u: np.ndarray) -> np.ndarray:
        raise DegenerateLaw(f"never: {u}")

    found = accelerated_fixed_point(refuse, np.ones(2), _units, 1e-10, 10, 0.5)
    assert found.left_domain
    assert found.residual == np.inf


def test_functions_name_symbols_without_a_value():
    x, y = sp.symbols("x y")
    with pytest.raises(ValueError, match=r"the law holds symbols without a value: \['y'\]"):
        array_function((x,), [x + y], "the law")
    with pytest.raises(ValueError, match="without a value"):
        WeightSide((x,), (x * y,)).values({x: 1.0}, ((1.0, {}),))
