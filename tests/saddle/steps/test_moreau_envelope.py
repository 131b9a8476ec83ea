"""The Moreau envelope at any fields: the kernel's own search, and laws."""

import numpy as np
import pytest

from replica import AttentionModel
from saddle.averages.moreau_envelope import moreau_envelope
from saddle.kernel.kernel import load_kernel
from tests.oracles.kernel_calls import global_minima
from tests.oracles.oracles import target

MODEL = AttentionModel.paper(omega=0.3)


def draw(count: int, seed: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, 2, 1)) * scale, generator.normal(size=(count, 2, 1)) * MODEL.sigma


@pytest.mark.parametrize("scale", [0.2, 1.0, 2.5])
def test_it_is_what_the_kernels_search_finds(scale):
    fields, teacher = draw(2000, 1, scale)
    found = moreau_envelope(MODEL, fields, teacher, 15.0)
    kernel = load_kernel(MODEL.structure)
    expected = global_minima(kernel, MODEL, fields[:, :, 0], target(MODEL, teacher[:, :, 0]), 15.0)
    np.testing.assert_allclose(found.value, expected[:, 2], rtol=1e-12)


def test_the_slope_is_minus_the_gradient_and_squares_to_the_derivative_in_the_susceptibility():
    fields, teacher = draw(200, 2, 0.3)
    here, step, V = moreau_envelope(MODEL, fields, teacher, 12.0), 1e-5, 12.0
    kept = np.ones(200, dtype=bool)
    for token in range(2):
        moved = np.zeros((1, 2, 1))
        moved[0, token] = step
        up, down = (moreau_envelope(MODEL, fields + sign * moved, teacher, V) for sign in (1, -1))
        # Where the minimiser jumps in between there is no derivative.
        smooth = np.max(np.abs(up.proximal_point - down.proximal_point), axis=(1, 2)) < 1e-2
        kept &= smooth
        slope = -(up.value - down.value) / (2 * step)
        np.testing.assert_allclose(here.slope[smooth, token, 0], slope[smooth], atol=1e-8)
    assert kept.mean() > 0.97
    by_V = (
        moreau_envelope(MODEL, fields, teacher, V + 1e-4).value
        - moreau_envelope(MODEL, fields, teacher, V - 1e-4).value
    ) / 2e-4
    np.testing.assert_allclose(by_V[kept], -0.5 * np.sum(here.slope**2, axis=(1, 2))[kept], atol=1e-8)


def test_tokens_exchange_and_signs_do_not_matter_where_they_are_symmetries():
    fields, teacher = draw(300, 3, 0.5)
    here = moreau_envelope(MODEL, fields, teacher, 10.0)
    for sign in (1, -1):
        exchanged = moreau_envelope(MODEL, sign * fields[:, ::-1], teacher[:, ::-1], 10.0)
        np.testing.assert_allclose(exchanged.value, here.value, rtol=1e-12)
    np.testing.assert_allclose(moreau_envelope(MODEL, fields, -teacher, 10.0).value, here.value, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fields": np.zeros((3, 2))}, "fields must be finite numbers of shape"),
        ({"teacher_fields": np.zeros((2, 2, 1))}, "teacher_fields must be finite"),
        ({"fields": np.full((3, 2, 1), np.nan)}, "fields must be finite"),
        ({"susceptibility": -1.0}, "susceptibility must be a positive number"),
        ({"susceptibility": np.zeros((2, 2))}, "susceptibility must be a positive number"),
    ],
)
def test_bad_input_is_named(change, said):
    given = {"fields": np.zeros((3, 2, 1)), "teacher_fields": np.zeros((3, 2, 1)), "susceptibility": 10.0} | change
    with pytest.raises(ValueError, match=said):
        moreau_envelope(MODEL, **given)
