"""The solvable model of dot-product attention, as a validated immutable value."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["AttentionModel", "ModelStructure"]

SEQUENCE_LENGTH = 2


def _finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, or say what is wrong with it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a real number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number!r}")
    return number


def _square_matrix(name: str, rows: Any, size: int) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a ``size`` x ``size`` tuple of tuples of finite floats."""
    advice = f"{name} must be a {size} x {size} matrix, one row per token, got {rows!r}"
    try:
        listed = [list(row) for row in rows]
    except TypeError:
        raise ValueError(advice) from None
    if len(listed) != size or any(len(row) != size for row in listed):
        raise ValueError(advice)
    return tuple(
        tuple(_finite_number(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)) for i, row in enumerate(listed)
    )


def _count(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an integer of at least ``least``, or say what is wrong with it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number!r}")
    return number


@dataclass(frozen=True)
class ModelStructure:
    """What the equations of a model depend on apart from numbers: one structure, one kernel.

    Parameters
    ----------
    sequence_length
        Number of tokens L, at least 2.
    rank
        Number of columns of Q, at least 1.

    Raises
    ------
    ValueError
        If a value is not an integer or too small; the message quotes it.
    """

    sequence_length: int = SEQUENCE_LENGTH
    rank: int = 1

    def __post_init__(self) -> None:
        """Convert to plain integers and validate."""
        object.__setattr__(self, "sequence_length", _count("sequence_length", self.sequence_length, 2))
        object.__setattr__(self, "rank", _count("rank", self.rank, 1))


@dataclass(frozen=True)
class AttentionModel:
    r"""Teacher-student model of tied, rank-one dot-product attention on two tokens.

    The student :math:`S[(x+p)Q/\sqrt d](x+p)` with :math:`S` the row softmax of :math:`h h^T` learns the
    target :math:`T[xQ_*/\sqrt d]\,x`, where :math:`T(h) = (1-\omega) S(h) + \omega A`.

    Parameters
    ----------
    omega
        Weight of the positional matrix in the target, in [0, 1].
    sigma
        Standard deviation of every token component, > 0.
    regularization
        Ridge penalty lambda on Q, > 0.
    positional_matrix
        The 2 x 2 matrix A; any finite entries (rows need not sum to one).
    positional_encoding
        Coefficients c_l of the encodings along one direction, :math:`p_l = c_l 1_d/\sqrt d`; not all zero.

    Raises
    ------
    ValueError
        If a value is out of range, of the wrong shape or not finite; the message quotes it.

    Notes
    -----
    Source: section 2 of arXiv:2402.03902. Entries are normalised as there: :math:`|Q_*|^2/d \to 1`,
    :math:`|p_l| = |c_l| = O(1)`, sample complexity :math:`\alpha = n/d`.
    """

    omega: float
    sigma: float = 0.5
    regularization: float = 0.01
    positional_matrix: Sequence[Sequence[float]] = ((0.6, 0.4), (0.4, 0.6))
    positional_encoding: Sequence[float] = (1.0, -1.0)

    def __post_init__(self) -> None:
        """Convert to plain immutable floats and validate."""
        omega = _finite_number("omega", self.omega)
        sigma = _finite_number("sigma", self.sigma)
        regularization = _finite_number("regularization", self.regularization)
        if not 0.0 <= omega <= 1.0:
            raise ValueError(f"omega must lie in [0, 1], got {omega!r}")
        if sigma <= 0.0:
            raise ValueError(f"sigma must be positive, got {sigma!r}")
        if regularization <= 0.0:
            raise ValueError(f"regularization (lambda) must be positive, got {regularization!r}")
        matrix = _square_matrix("positional_matrix", self.positional_matrix, SEQUENCE_LENGTH)
        try:
            encoding = [*self.positional_encoding]
        except TypeError:
            encoding = []
        if len(encoding) != SEQUENCE_LENGTH:
            raise ValueError(
                f"positional_encoding must hold {SEQUENCE_LENGTH} coefficients, "
                f"one per token, got {self.positional_encoding!r}"
            )
        coefficients = tuple(_finite_number(f"positional_encoding[{i}]", value) for i, value in enumerate(encoding))
        if not any(coefficients):
            raise ValueError("positional_encoding must not vanish: got only zeros, so position is invisible")
        for name, value in (
            ("omega", omega),
            ("sigma", sigma),
            ("regularization", regularization),
            ("positional_matrix", matrix),
            ("positional_encoding", coefficients),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def paper(cls, omega: float = 0.3, **changes: Any) -> AttentionModel:
        """Return the instance solved in arXiv:2402.03902 (sigma = 0.5, lambda = 0.01), with any changes."""
        return cls(omega=omega, **changes)

    @property
    def sequence_length(self) -> int:
        """Number of tokens L."""
        return SEQUENCE_LENGTH

    @property
    def rank(self) -> int:
        """Number of columns of Q."""
        return 1

    @property
    def structure(self) -> ModelStructure:
        """What of the model its equations depend on; everything else is a number they take."""
        return ModelStructure(self.sequence_length, self.rank)

    @property
    def token_variance(self) -> float:
        """Variance sigma^2 of a token component; also the teacher's pre-activation variance rho."""
        return self.sigma**2

    def token_exchanged(self) -> AttentionModel:
        """Return the same model with its two tokens renamed: p and A permuted together."""
        (a, b), (c, d) = self.positional_matrix
        return dataclasses.replace(
            self,
            positional_matrix=((d, c), (b, a)),
            positional_encoding=tuple(reversed(self.positional_encoding)),
        )

    def parameter_values(self) -> dict[str, float]:
        """Return every numeric parameter under its canonical name (see ``replica.names``)."""
        values = {"omega": self.omega, "sigma": self.sigma, "regularization": self.regularization}
        for i, row in enumerate(self.positional_matrix, start=1):
            for j, entry in enumerate(row, start=1):
                values[f"positional_matrix_{i}{j}"] = entry
        for i, coefficient in enumerate(self.positional_encoding, start=1):
            values[f"positional_encoding_{i}"] = coefficient
        return values

    def to_dict(self) -> dict[str, object]:
        """Return the constructor's arguments as plain lists and floats, for JSON."""
        return {
            "omega": self.omega,
            "sigma": self.sigma,
            "regularization": self.regularization,
            "positional_matrix": [list(row) for row in self.positional_matrix],
            "positional_encoding": list(self.positional_encoding),
        }
