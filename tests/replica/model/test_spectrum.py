"""The law of covariances, encodings and teacher: moments, groups, factors of Gram matrices, the power law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from replica import AttentionModel, Spectrum, SpectrumAtom
from replica.model.spectrum import gram_factor
from replica.quantities.names import model_parameters, moment_name
from saddle.testing import attention_models, spectra


@settings(max_examples=60)
@given(data=st.data(), length=st.integers(1, 6), rank=st.integers(0, 6))
def test_the_factor_of_a_gram_matrix_is_a_root_of_its_rank(data, length, rank):
    numbers = st.integers(-3, 3).map(float)
    root = data.draw(arrays(float, (length, rank), elements=numbers))
    gram = root @ root.T
    factor = gram_factor(gram)
    assert factor.shape == (length, np.linalg.matrix_rank(root) if rank else 0)
    np.testing.assert_allclose(factor @ factor.T, gram, atol=1e-9 * max(1.0, np.trace(gram)))
    # Gram and Schmidt: a new direction starts with a positive component at a token that no earlier one had left.
    starts = [np.flatnonzero(np.abs(column) > 1e-6)[0] for column in factor.T]
    assert starts == sorted(set(starts))
    assert all(factor[token, k] > 0.0 for k, token in enumerate(starts))


def test_the_factor_of_opposite_encodings_is_the_papers():
    np.testing.assert_array_equal(gram_factor(np.array([[1.0, -1.0], [-1.0, 1.0]])), [[1.0], [-1.0]])


@pytest.mark.parametrize("gram", [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.4, 1.0]], [[-1.0]]])
def test_a_matrix_that_is_no_gram_matrix_is_refused(gram):
    with pytest.raises(ValueError, match=r"symmetric|semidefinite"):
        gram_factor(np.array(gram))


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ((0, (1,)), "weight must be positive, got 0.0"),
        ((-1, (1,)), "-1.0"),
        (("a", (1,)), "weight must be a real number"),
        ((1, (-1,)), "eigenvalues[0] must not be negative, got -1.0"),
        ((1, (1, float("nan"))), "eigenvalues[1]"),
        ((1, ()), "one number per token"),
        ((1, 3), "3"),
        ((1, (1, 1), [[1]]), "positional_moments must be a 2 x 2 matrix"),
        ((1, (1, 1), 3), "positional_moments must be a matrix"),
        ((1, (1, 1), [[1, 2], [2, 1]]), "positional_moments must be positive semidefinite"),
        ((1, (1, 1), [[1, 0], [0.5, 1]]), "positional_moments must be symmetric"),
        ((1, (1, 1), None, [[1, 2], [2, 1]]), "teacher_moments must be positive semidefinite"),
        ((1, (1, 1), None, [[1, 0, 0], [0, 1, 0]]), "teacher_moments must be a 2 x 2 matrix"),
        ((1, (1, 1), None, None, [[1], [1], [1]]), "mixed_moments must be a 2 x 1 matrix"),
        ((1, (1, 1), None, None, [1, 2]), "mixed_moments must be a matrix"),
    ],
)
def test_atoms_are_refused_with_the_offending_value(arguments, quoted):
    with pytest.raises(ValueError, match="must") as caught:
        SpectrumAtom(*arguments)
    assert quoted in str(caught.value)
    assert "\n" not in str(caught.value)


HALF = SpectrumAtom(0.5, (1.0,))


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: Spectrum(()), "at least one atom"),
        (lambda: Spectrum(3), "3"),
        (lambda: Spectrum((3,)), "3"),
        (lambda: Spectrum((HALF,)), "weights must sum to 1, got 0.5"),
        (lambda: Spectrum((HALF, HALF, HALF)), "weights must sum to 1, got 1.5"),
        (lambda: Spectrum((HALF, SpectrumAtom(0.5, (1.0, 2.0)))), "[1, 2] eigenvalues"),
        (lambda: Spectrum.isotropic(0.0, 1.0), "every token must have variance"),
        (lambda: Spectrum.isotropic(-1.0), "-1.0"),
        (lambda: Spectrum.isotropic(), "one number per token"),
        (lambda: Spectrum.power_law(0.0, 2), "exponent"),
        (lambda: Spectrum.power_law(1.0, 0), "tokens"),
        (lambda: Spectrum.power_law(1.0, 2, 1.5), "count"),
        (lambda: Spectrum.power_law(1.0, 2, largest=-1.0), "largest"),
    ],
)
def test_spectra_are_refused_with_the_offending_value(make, quoted):
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert quoted in str(caught.value)


def test_groups_are_tokens_with_equal_eigenvalues_on_every_atom():
    spectrum = Spectrum((SpectrumAtom(0.5, (1.0, 2.0, 1.0, 1.0)), SpectrumAtom(0.5, (3.0, 1.0, 3.0, 2.0))))
    assert spectrum.groups == (0, 1, 0, 2)
    np.testing.assert_array_equal(spectrum.group_eigenvalues(), [[1.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    assert spectrum.token_traces == (2.0, 1.5, 2.0, 1.5)
    assert Spectrum.isotropic(0.2, 0.3, 0.2).groups == (0, 1, 0)


def test_moments_of_a_point_are_products():
    (tau, pi), gamma = ((1.0, -2.0), (0.5, 3.0)), (0.3, 0.2)
    spectrum = Spectrum((SpectrumAtom.at_point(0.5, gamma, tau, pi), SpectrumAtom.at_point(0.5, gamma, (0, 1), (2, 0))))
    vectors = np.array([[*tau, *pi], [0.0, 1.0, 2.0, 0.0]])
    expected = np.einsum("ni,nj->nij", vectors, vectors)
    np.testing.assert_allclose(spectrum.moments(expected[:, :2, :2].mean(axis=0), 2), expected)


def test_moments_are_the_models_where_an_atom_says_nothing():
    gram = np.array([[1.0, -0.5], [-0.5, 2.0]])
    (joint,) = Spectrum.isotropic(0.2, 0.2).moments(gram, 2)
    np.testing.assert_array_equal(joint[:2, :2], gram)
    np.testing.assert_array_equal(joint[2:, 2:], np.eye(2))
    assert not joint[:2, 2:].any()


SHARE = 1e3


def power_law_mean(exponent: float, power: int) -> float:
    """The integral of (1 + c x)^(-a p) over [0, 1]."""
    total = exponent * power
    return math.log1p(SHARE) / SHARE if total == 1.0 else ((1 + SHARE) ** (1 - total) - 1) / (SHARE * (1 - total))


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("power", [1, 2])
def test_moments_of_the_power_law_converge_to_the_integral(exponent, power):
    exact = 1.7**power * power_law_mean(exponent, power)
    errors = []
    for count in (2, 4, 8, 16, 32):
        spectrum = Spectrum.power_law(exponent, 3, count, largest=1.7)
        assert len(spectrum.atoms) == count
        assert spectrum.groups == (0, 0, 0)
        assert math.fsum(spectrum.weights) == pytest.approx(1.0, abs=1e-12)
        moment = spectrum.weights @ spectrum.eigenvalues[:, 0] ** power
        errors.append(abs(moment / exact - 1.0))
    # A Gauss rule converges faster than any power of the number of atoms until rounding.
    assert errors[2] < max(0.05 * errors[0], 1e-13)
    assert errors[4] < 1e-11


def test_eigenvalues_of_the_power_law_stay_within_their_three_decades():
    eigenvalues = Spectrum.power_law(1.3, 1, largest=0.7).eigenvalues[:, 0]
    assert np.all(np.diff(eigenvalues) < 0.0)
    assert 0.7 * (1 + SHARE) ** -1.3 < eigenvalues[-1] < eigenvalues[0] < 0.7


@settings(max_examples=40)
@given(data=st.data(), length=st.integers(1, 4), rank=st.integers(1, 3))
def test_a_spectrum_survives_its_dictionaries(data, length, rank):
    spectrum, gram = data.draw(spectra(length, rank))
    again = Spectrum(tuple(SpectrumAtom(**atom) for atom in spectrum.to_list()))
    assert again == spectrum
    np.testing.assert_array_equal(again.moments(gram, rank), spectrum.moments(gram, rank))


@settings(max_examples=40)
@given(model=attention_models())
def test_values_of_atoms_and_parameters_say_the_same(model):
    values, atoms, layout = model.parameter_values(), model.atoms, model.structure.layout
    assert list(values) == [x.name for x in model_parameters(model.structure)]
    assert sum(weight for weight, _ in atoms) == pytest.approx(1.0)
    if model.spectrum is None:
        assert atoms == [(1.0, {})]
        return
    groups, t, k = layout.group_count, layout.teacher_rank, layout.directions
    for g in range(groups):
        gamma, suffix = ("gamma", "") if groups == 1 else (f"gamma_{g + 1}", f"_{g + 1}")
        assert sum(w * x[gamma] for w, x in atoms) == pytest.approx(values[f"token_trace{suffix}"])
        for i in range(t):
            for j in range(i, t):
                name = f"teacher_variance{suffix}" + (f"_{i + 1}{j + 1}" if t > 1 else "")
                mean = sum(w * x[gamma] * x[moment_name(k + i, k + j, k)] for w, x in atoms)
                assert mean == pytest.approx(values[name], abs=1e-12)
    # Projections on orthonormal directions: tau = C u, whose second moments are the Gram matrix on average.
    C = model.encoding_matrix
    P = np.array([[sum(w * x[moment_name(min(i, j), max(i, j), k)] for w, x in atoms) for j in range(k)]
                  for i in range(k)])  # fmt: skip
    np.testing.assert_allclose(C @ P @ C.T, model.gram, atol=1e-8 * np.trace(model.gram))
    for (_, x), joint in zip(atoms, model.spectrum.moments(model.gram, t), strict=True):
        X = np.array([[x[moment_name(i, k + s, k)] for s in range(t)] for i in range(k)])
        np.testing.assert_allclose(C @ X, joint[: len(C), len(C) :], atol=1e-6)


def test_moments_that_vanish_on_every_atom_are_left_out_of_the_equations():
    plain = AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3))
    assert plain.structure.zero_moments == (moment_name(0, 1, 1),)
    tied = Spectrum((SpectrumAtom(1.0, (0.2, 0.3), mixed_moments=[[0.2], [-0.2]]),))
    assert AttentionModel(0.3, spectrum=tied).structure.zero_moments == ()
