"""The numeric values of a model's parameters, under their canonical names."""

from __future__ import annotations

import numpy as np

from replica.model.spectrum import Spectrum
from replica.quantities.names import eigenvalue_name, moment_name

__all__ = [
    "atom_values",
    "class_atom_values",
    "encoding_values",
    "group_statistics",
    "statistics_values",
    "zero_moments",
]


ROUNDING = 1e-12


def statistics_values(spectrum: Spectrum, gram: np.ndarray, teacher_rank: int) -> dict[str, float]:
    """Return mean eigenvalues and teacher variances of every group, by name."""
    traces, variances = group_statistics(spectrum, gram, teacher_rank)
    count = len(traces)
    values: dict[str, float] = {}
    for g in range(count):
        values[f"token_trace_{g + 1}" if count > 1 else "token_trace"] = float(traces[g])
    for g in range(count):
        stem = f"teacher_variance_{g + 1}" if count > 1 else "teacher_variance"
        for i in range(teacher_rank):
            for j in range(i, teacher_rank):
                name = f"{stem}_{i + 1}{j + 1}" if teacher_rank > 1 else stem
                values[name] = float(variances[g, i, j])
    return values


def group_statistics(spectrum: Spectrum, gram: np.ndarray, teacher_rank: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return :math:`R_g = \mathrm{Tr}\,\Sigma_g/d`, (groups,), and :math:`\rho_g`, (groups, t, t), of every group."""
    length = spectrum.sequence_length
    joint = spectrum.moments(gram, teacher_rank)
    eigenvalues = spectrum.group_eigenvalues()
    traces = spectrum.weights @ eigenvalues
    variances = np.einsum("n,ng,nst->gst", spectrum.weights, eigenvalues, joint[:, length:, length:])
    return traces, variances


def atom_values(
    spectrum: Spectrum, gram: np.ndarray, encoding: np.ndarray, teacher_rank: int
) -> list[tuple[float, dict[str, float]]]:
    r"""Return weight and symbol values of every atom: eigenvalues of the groups and moments along the directions.

    Projections are expressed along the encodings' directions, :math:`\tau = C u`, so that moments of u are those of
    :math:`C^+\tau`. Names are those of ``replica.model.token_law``.
    """
    directions = encoding.shape[1]
    joint = direction_moments(spectrum, gram, encoding, teacher_rank)
    atoms = []
    for weight, eigenvalues, moments in zip(spectrum.weights, spectrum.group_eigenvalues(), joint, strict=True):
        values = {eigenvalue_name(g, len(eigenvalues)): float(x) for g, x in enumerate(eigenvalues)}
        for i in range(directions + teacher_rank):
            for j in range(i, directions + teacher_rank):
                values[moment_name(i, j, directions)] = float(moments[i, j])
        atoms.append((float(weight), values))
    return atoms


def class_atom_values(spectrum: Spectrum, directions: int, teacher_rank: int) -> list[tuple[float, dict[str, float]]]:
    """Return what :func:`atom_values` does, for directions like no eigenvector in particular.

    Their moments are those of the identity on every atom, and they know nothing of the teacher.
    """
    length = spectrum.sequence_length
    teacher = spectrum.moments(np.zeros((length, length)), teacher_rank)[:, length:, length:]
    atoms = []
    for weight, eigenvalues, own in zip(spectrum.weights, spectrum.group_eigenvalues(), teacher, strict=True):
        joint = np.eye(directions + teacher_rank)
        joint[directions:, directions:] = own
        values = {eigenvalue_name(g, len(eigenvalues)): float(x) for g, x in enumerate(eigenvalues)}
        for i in range(directions + teacher_rank):
            for j in range(i, directions + teacher_rank):
                values[moment_name(i, j, directions)] = float(joint[i, j])
        atoms.append((float(weight), values))
    return atoms


def encoding_values(encoding: np.ndarray) -> dict[str, float]:
    """Return the components of encodings along their directions, (L, k), by name."""
    values: dict[str, float] = {}
    for i, row in enumerate(encoding.tolist(), start=1):
        for j, entry in enumerate(row, start=1):
            values[f"positional_encoding_{i}" if len(row) == 1 else f"positional_encoding_{i}{j}"] = entry
    return values


def direction_moments(spectrum: Spectrum, gram: np.ndarray, encoding: np.ndarray, teacher_rank: int) -> np.ndarray:
    r"""Return the joint moments of (u, pi) on every atom, (n, k + t, k + t), with :math:`\tau = C u`."""
    length, directions = spectrum.sequence_length, encoding.shape[1]
    change = np.zeros((directions + teacher_rank, length + teacher_rank))
    change[:directions, :length] = np.linalg.pinv(encoding)
    change[directions:, length:] = np.eye(teacher_rank)
    return change @ spectrum.moments(gram, teacher_rank) @ change.T


def zero_moments(atoms: list[tuple[float, dict[str, float]]]) -> tuple[str, ...]:
    """Return the letters of the moments that vanish on every atom, up to rounding."""
    letters = [name for name in atoms[0][1] if not name.startswith("gamma")]
    return tuple(name for name in letters if all(abs(values[name]) < ROUNDING for _, values in atoms))
