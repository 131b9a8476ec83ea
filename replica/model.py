"""The solvable model of dot-product attention, as a validated immutable value."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["AttentionModel", "ModelStructure"]

PAPER_LENGTH = 2
# Names of entries carry one digit per index: A_111 would not say which of its digits is the row.
LARGEST = 9


def _finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, or say what is wrong with it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a real number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number!r}")
    return number


def _square_matrix(name: str, rows: Any) -> tuple[tuple[float, ...], ...]:
    """Return ``rows`` as a square tuple of tuples of finite floats, one row per token."""
    try:
        listed = [list(row) for row in rows]
    except TypeError:
        raise ValueError(f"{name} must be a square matrix, one row per token, got {rows!r}") from None
    size = len(listed)
    if not PAPER_LENGTH <= size <= LARGEST:
        raise ValueError(f"{name} must have {PAPER_LENGTH} to {LARGEST} rows, one per token, got {rows!r}")
    if any(len(row) != size for row in listed):
        raise ValueError(f"{name} must be a {size} x {size} matrix, as wide as it has rows, got {rows!r}")
    return tuple(
        tuple(_finite_number(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)) for i, row in enumerate(listed)
    )


def _coefficients(name: str, values: Any, size: int) -> tuple[float, ...]:
    """Return ``values`` as a tuple of ``size`` finite floats, not all zero."""
    try:
        listed = [*values]
    except TypeError:
        listed = []
    if len(listed) != size:
        raise ValueError(
            f"{name} must hold {size} coefficients, one per token of the {size} x {size} positional_matrix, "
            f"got {values!r}"
        )
    coefficients = tuple(_finite_number(f"{name}[{i}]", value) for i, value in enumerate(listed))
    if not any(coefficients):
        raise ValueError(f"{name} must not vanish: got only zeros, so position is invisible")
    return coefficients


def _count(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an integer from ``least`` to the largest allowed, or say what is wrong with it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if not least <= number <= LARGEST:
        raise ValueError(f"{name} must lie between {least} and {LARGEST}, got {number!r}")
    return number


@dataclass(frozen=True)
class ModelStructure:
    """What the equations of a model depend on apart from numbers: one structure, one kernel.

    Parameters
    ----------
    sequence_length
        Number of tokens L, 2 to 9.
    rank
        Number of columns of Q, 1 to 9.

    Raises
    ------
    ValueError
        If a value is not an integer or out of range; the message quotes it.
    """

    sequence_length: int = PAPER_LENGTH
    rank: int = 1

    def __post_init__(self) -> None:
        """Convert to plain integers and validate."""
        object.__setattr__(self, "sequence_length", _count("sequence_length", self.sequence_length, PAPER_LENGTH))
        object.__setattr__(self, "rank", _count("rank", self.rank, 1))


@dataclass(frozen=True)
class AttentionModel:
    r"""Teacher-student model of tied, rank-one dot-product attention.

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
        The L x L matrix A, which sets the number of tokens, 2 <= L <= 9; any finite entries (rows need not sum
        to one).
    positional_encoding
        The L coefficients c_l of the encodings along one direction, :math:`p_l = c_l 1_d/\sqrt d`; not all zero.

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
        matrix = _square_matrix("positional_matrix", self.positional_matrix)
        coefficients = _coefficients("positional_encoding", self.positional_encoding, len(matrix))
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
        return len(self.positional_matrix)

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
        """Return the same model with its tokens renamed in reverse order: p and A permuted together."""
        return dataclasses.replace(
            self,
            positional_matrix=tuple(tuple(reversed(row)) for row in reversed(self.positional_matrix)),
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
