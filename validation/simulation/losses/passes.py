r"""The two passes over a data set that a gradient needs: to the pre-activations, and back to the student."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.simulation.teacher import TeacherData

__all__ = ["preactivations", "ridge_penalty", "transposed"]

Array = NDArray[np.floating[Any]]


def preactivations(data: TeacherData, student: Array) -> Array:
    r"""Return :math:`h = (x + p) Q/\sqrt d`, shape (L, n), or (L, n, r) for several columns, in float64."""
    tokens = data.tokens
    rows = tokens.reshape(-1, tokens.shape[2])
    from_tokens = (rows @ student.astype(tokens.dtype)).reshape(*tokens.shape[:2], *student.shape[1:])
    return (from_tokens + (data.encodings @ student)[:, None]) / math.sqrt(data.dimension)


def transposed(data: TeacherData, fields: Array) -> Array:
    r"""Return :math:`\sum_{\mu l}(x_l^\mu + p_l) f_l^\mu`, of a student's shape, for fields of that of h."""
    rows = data.tokens.reshape(-1, data.dimension)
    through_tokens = fields.astype(rows.dtype).reshape(-1, *fields.shape[2:]).T @ rows
    return (through_tokens + fields.sum(axis=1).T @ data.encodings).T


def ridge_penalty(data: TeacherData, student: Array) -> float:
    r"""Return :math:`\frac\lambda2 |Q|^2`."""
    return float(data.model.regularization / 2 * np.vdot(student, student))
