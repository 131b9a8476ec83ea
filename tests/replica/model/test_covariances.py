"""Spectra of measured covariances: traces, hand-typed spectra, bins, encodings and teachers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from replica import AttentionModel, Spectrum, SpectrumAtom

HALVES = Spectrum([SpectrumAtom(0.5, (1.0, 1.0)), SpectrumAtom(0.5, (3.0, 3.0))])
VALUES = (0.0, 0.3, 0.3, 1.0, 2.5)


def commuting(seed: int, size: int, count: int, values=VALUES) -> list[np.ndarray]:
    """Return covariances with common eigenvectors and few eigenvalues, at least one not zero."""
    generator = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(generator.normal(size=(size, size)))
    found = []
    for _ in range(count):
        eigenvalues = generator.choice(values, size=size)
        eigenvalues[0] = 1.0
        found.append(vectors @ np.diag(eigenvalues) @ vectors.T)
    return found


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(2, 30), count=st.integers(1, 3), most=st.integers(1, 12))
def test_moments_are_traces(seed, size, count, most):
    covariances = commuting(seed, size, count)
    exact = np.array([[np.trace(a @ b) / size for a in covariances] for b in covariances])
    traces = [np.trace(a) / size for a in covariances]
    groups = range(count)
    whole = Spectrum.from_covariances(covariances, groups=groups)
    assert whole.moment_error == 0.0
    assert len(whole.atoms) <= min(size, 4**count)
    rough = Spectrum.from_covariances(covariances, groups=groups, atoms=most)
    assert len(rough.atoms) <= most
    for spectrum in (whole, rough):
        assert spectrum.weights.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(spectrum.token_traces, traces, rtol=1e-12)
        moments = np.einsum("n,ng,nh->gh", spectrum.weights, spectrum.eigenvalues, spectrum.eigenvalues)
        error = np.max(np.abs(moments / exact - 1.0), where=exact > 0, initial=0.0)
        assert error == pytest.approx(spectrum.moment_error, abs=1e-12)


def test_diagonal_covariances_are_the_spectrum_typed_by_hand():
    measured = Spectrum.from_covariances(np.diag([3.0, 1.0, 3.0, 1.0]))
    assert measured == HALVES
    assert AttentionModel(0.3, spectrum=measured) == AttentionModel(0.3, spectrum=HALVES)
    assert AttentionModel(0.3, spectrum=measured).structure == AttentionModel(0.3, spectrum=HALVES).structure
    first, second = np.diag([1.0, 1.0, 3.0, 3.0]), np.diag([0.2, 0.1, 0.1, 0.1])
    typed = Spectrum([
        SpectrumAtom(0.25, (1.0, 0.1, 1.0)), SpectrumAtom(0.25, (1.0, 0.2, 1.0)), SpectrumAtom(0.5, (3.0, 0.1, 3.0)),
    ])  # fmt: skip
    assert Spectrum.from_covariances([first, second], groups=(0, 1, 0)) == typed
    assert Spectrum.from_covariances([first, second]).groups == (0, 1)
    assert Spectrum.from_covariances([first, first]).groups == (0, 0)


def test_turning_all_covariances_changes_nothing():
    generator = np.random.default_rng(3)
    vectors, _ = np.linalg.qr(generator.normal(size=(4, 4)))
    turned = Spectrum.from_covariances(vectors @ np.diag([1.0, 1.0, 3.0, 3.0]) @ vectors.T)
    np.testing.assert_allclose(turned.eigenvalues, HALVES.eigenvalues, rtol=1e-12)
    np.testing.assert_array_equal(turned.weights, HALVES.weights)


def test_encodings_and_teacher_have_their_moments():
    generator = np.random.default_rng(5)
    size = 40
    covariances = commuting(7, size, 2, values=(0.3, 1.0, 2.5))
    encodings = generator.normal(size=(3, size)) / np.sqrt(size)
    teacher = generator.normal(size=(2, size))
    gram = encodings @ encodings.T
    for most in (None, 3):
        spectrum = Spectrum.from_covariances(
            covariances, groups=(0, 1, 0), encodings=encodings, teacher=teacher, atoms=most
        )
        joint = spectrum.moments(gram, 2)
        vectors = np.vstack([np.sqrt(size) * encodings, teacher])
        np.testing.assert_allclose(np.einsum("n,nij->ij", spectrum.weights, joint), vectors @ vectors.T / size)
    # Without bins, moments weighted with eigenvalues are those of the matrices.
    spectrum = Spectrum.from_covariances(covariances, groups=(0, 1, 0), encodings=encodings, teacher=teacher)
    for token, matrix in ((0, covariances[0]), (1, covariances[1])):
        weighted = np.einsum("n,nij->ij", spectrum.weights * spectrum.eigenvalues[:, token], spectrum.moments(gram, 2))
        np.testing.assert_allclose(weighted, vectors @ matrix @ vectors.T / size, atol=1e-10)
    model = AttentionModel(
        0.3, positional_matrix=np.eye(3).tolist(), spectrum=spectrum, teacher_rank=2, positional_gram=gram.tolist()
    )
    assert model.structure.groups == (0, 1, 0)


def test_more_atoms_are_more_exact():
    covariance = np.diag(np.linspace(0.1, 2.0, 200))
    errors = [Spectrum.from_covariances(covariance, atoms=n).moment_error for n in (1, 2, 4, 8, 16)]
    assert errors == sorted(errors, reverse=True)
    # A uniform law in n bins loses 1/n^2 of its variance.
    assert errors[3] == pytest.approx(errors[0] / 64, rel=0.05)


def test_single_precision_is_read_as_what_it_was():
    covariances = np.array(commuting(11, 20, 2), dtype=np.float32)
    spectrum = Spectrum.from_covariances(covariances)
    assert len(spectrum.atoms) == len(Spectrum.from_covariances(commuting(11, 20, 2)).atoms)
    third = np.float32(1 / 3)
    assert float(third) * 3 > 1.0
    weights = Spectrum([SpectrumAtom(third, (x,)) for x in (1.0, 2.0, 3.0)]).weights
    np.testing.assert_allclose(weights, np.full(3, 1 / 3), rtol=1e-15)


EYE = np.eye(2)
ROTATED = np.array([[1.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize(("covariances", "options", "quoted"), [
    (np.eye(3)[:2], {}, "square matrix of real numbers, got an array of 2 x 3"),
    ([[1, np.nan], [np.nan, 1]], {}, "covariances[0][1] must be finite, got nan"),
    ([EYE, np.diag([1.0, np.inf])], {}, "covariances[1][1][1] must be finite, got inf"),
    ([[1, 2], [3, 4]], {}, "must be symmetric, got 2.0 at (0, 1) and 3.0 at (1, 0)"),
    ([[1, 2], [2, 1]], {}, "must be positive semidefinite, got an eigenvalue of -1"),
    ([EYE, np.eye(3)], {}, "covariances[1] must be as large as the others, got 3 x 3 beside 2 x 2"),
    ([np.diag([1.0, 2.0]), ROTATED], {}, "covariances[0] and covariances[1], whose commutator is 0.2"),
    (np.zeros((2, 2)), {}, "must have variance, got only zeros"),
    ([], {}, "at least one matrix"),
    (3, {}, "covariances must be matrices, got 3"),
    ("twelve", {}, "covariances must be matrices, got 'twelve'"),
    ([[1, 1j], [-1j, 1]], {}, "square matrix of real numbers"),
    ([["a", "b"], ["c", "d"]], {}, "square matrix of real numbers"),
    (EYE, {"groups": (0, 1)}, "groups[1] must lie between 0 and 0, got 1"),
    (EYE, {"groups": 3}, "groups must be a sequence"),
    (EYE, {"atoms": 0}, "atoms must lie between"),
    (EYE, {"atoms": 1.5}, "atoms must be an integer, got 1.5"),
    (EYE, {"encodings": [[1.0, 2.0, 3.0]]}, "encodings must be vectors of 2 real numbers each"),
    (EYE, {"encodings": EYE, "groups": (0, 0, 0)}, "encodings must be 3 vectors of 2 real numbers"),
    (EYE, {"teacher": [1.0, np.nan]}, "teacher[0][1] must be finite, got nan"),
    (EYE, {"tolerance": -1.0}, "tolerance"),
])  # fmt: skip
def test_what_is_no_covariance_is_quoted(covariances, options, quoted):
    with pytest.raises(ValueError, match="must") as caught:
        Spectrum.from_covariances(covariances, **options)
    assert quoted in str(caught.value)
    assert "\n" not in str(caught.value)
