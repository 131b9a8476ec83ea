"""Where special points may lie between two points of a curve, without any further evaluation.

Two matrices are interpolated linearly: what is singular in between is certain to be looked for. With a third one, or
with the curve interpolated by a cubic, more may show - two zeros within one step: such candidates are speculative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from saddle.continuation.curve.curves import SLACK, CurvePoint, unknown_between

__all__ = ["Candidate", "singular_between", "turning_between"]

# Roots of a pencil closer than this are one root of higher multiplicity.
TOGETHER = 1e-5
# Conjugate roots this close to the real axis may be a double root that is not quite one.
NEARLY_REAL = 0.1


@dataclass(frozen=True)
class Candidate:
    """A fraction of a segment, from 0 to 1, at which something may vanish.

    Attributes
    ----------
    fraction, multiplicity
        Where, and how many singular values at once.
    certain
        Whether something does vanish, unless the interpolation misleads.
    """

    fraction: float
    multiplicity: int = 1
    certain: bool = True


def _roots(matrices: Sequence[np.ndarray], positions: Sequence[float]) -> np.ndarray:
    """Return the eigenvalues (complex) of the matrix polynomial through matrices at positions."""
    before, after = matrices[0], matrices[1]
    if len(matrices) == 2:
        if before.shape == (1, 1):
            a, b = float(before[0, 0]), float(after[0, 0])
            return np.array([a / (a - b)], dtype=complex) if a != b else np.zeros(0, dtype=complex)
        values = scipy.linalg.eigvals(before, before - after)
    else:
        beside, position = matrices[2], positions[2]
        slope = after - before
        curvature = ((beside - before) / position - slope) / (position - 1.0)
        m = len(before)
        zero, one = np.zeros((m, m)), np.eye(m)
        companion = np.block([[zero, one], [-before, curvature - slope]])
        values = scipy.linalg.eigvals(companion, np.block([[one, zero], [zero, curvature]]))
    values = np.asarray(values, dtype=complex)
    return values[np.isfinite(values)]


def _grouped(fractions: np.ndarray, certain: bool) -> list[Candidate]:
    """Count roots that lie together as one."""
    groups: list[list[float]] = []
    for fraction in np.sort(fractions):
        if groups and fraction - groups[-1][-1] <= TOGETHER:
            groups[-1].append(float(fraction))
        else:
            groups.append([float(fraction)])
    return [Candidate(float(np.clip(np.mean(group), 0.0, 1.0)), len(group), certain) for group in groups]


def singular_between(matrices: Sequence[np.ndarray], positions: Sequence[float]) -> list[Candidate]:
    """Return where matrices that vary along a segment may be singular.

    Parameters
    ----------
    matrices
        At the segment's two ends, and perhaps at a point beside it, each (m, m).
    positions
        0, 1 and where the third is, as a fraction of the segment.
    """
    if not matrices[0].size:
        return []
    roots = _roots(matrices[:2], positions)
    inside = (np.real(roots) > -SLACK) & (np.real(roots) < 1.0 + SLACK)
    real = inside & (np.abs(np.imag(roots)) < 1e-6)
    found = _grouped(np.real(roots[real]), True)
    paired = inside & ~real & (np.imag(roots) > 0.0) & (np.abs(np.imag(roots)) < NEARLY_REAL)
    found += [Candidate(float(np.real(root)), 2, False) for root in roots[paired]]
    if len(matrices) > 2 and not found:
        # A quadratic may cross twice where a line does not cross.
        roots = _roots(matrices, positions)
        real = (np.real(roots) > 0.0) & (np.real(roots) < 1.0) & (np.abs(np.imag(roots)) < 1e-6)
        found = _grouped(np.real(roots[real]), False)
    return found


def turning_between(segment: tuple[CurvePoint, CurvePoint], units: np.ndarray) -> list[Candidate]:
    """Return where the last unknown, the parameter, may turn back; certain if it runs backwards at one end."""
    slope = unknown_between(segment, units, -1).deriv()
    roots = np.asarray(slope.roots(), dtype=complex)
    inside = (np.abs(np.imag(roots)) < 1e-9) & (np.real(roots) > -SLACK) & (np.real(roots) < 1.0 + SLACK)
    ends = segment[0].tangent[-1] * segment[1].tangent[-1]
    found = _grouped(np.real(roots[inside]), ends <= 0.0)
    if ends < 0.0 and not found:
        found = [Candidate(0.5)]
    return found
