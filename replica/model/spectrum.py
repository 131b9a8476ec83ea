r"""The joint law of covariance eigenvalues, positional projections and teacher components, as weighted atoms.

Over the common eigenvectors :math:`e_i` of the tokens' covariances, an atom says which share of them has the
eigenvalues :math:`\gamma_l`, and what the projections :math:`\tau_l = \sqrt d\, e_i\cdot p_l` and the teacher's row
:math:`\pi` look like there. Only second moments of :math:`(\tau, \pi)` enter the theory (section 3 of the theory
notes), so these are what an atom holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from replica.common.by_value import ShortText, exact_text
from replica.common.checked_arguments import checked_items, quoted
from replica.common.checked_values import count as integer, finite_number, positive, real_matrix
from replica.common.errors import InvalidArgument, InvalidModel

__all__ = ["Spectrum", "SpectrumAtom", "gram_factor"]

ROUNDING = 1e-9
# Characters of a spectrum that is shown whole; a longer one is summarised, and its ``to_list`` holds all.
LONGEST_SHOWN = 500
# By how much positive weights whose sum is one may miss it once they are rounded to single precision.
SINGLE_PRECISION = float(np.finfo(np.float32).eps)


def _positive_semidefinite(name: str, matrix: np.ndarray, shown: Any) -> None:
    if not np.allclose(matrix, matrix.T, rtol=0.0, atol=ROUNDING * max(1.0, float(np.abs(matrix).max(initial=0.0)))):
        raise InvalidModel(f"{name} must be symmetric, got {shown!r}")
    least = float(np.linalg.eigvalsh(matrix).min(initial=0.0))
    if least < -ROUNDING * max(1.0, float(np.trace(matrix))):
        raise InvalidModel(f"{name} must be positive semidefinite: eigenvalue {least:.6g} of {shown!r}")


@dataclass(frozen=True, repr=False)
class SpectrumAtom(ShortText):
    r"""One atom of the joint law.

    Parameters
    ----------
    weight
        Its share of the directions, > 0; the weights of a spectrum sum to one.
    eigenvalues
        :math:`\gamma_l`, one per token, >= 0.
    positional_moments
        :math:`E[\tau_k\tau_l]` on this atom, L x L; by default the model's Gram matrix of encodings, that is,
        encodings that know nothing of the covariances. Averaged over the atoms it is that Gram matrix by definition.
    teacher_moments
        :math:`E[\pi\pi^\top]`, t x t; by default the identity.
    mixed_moments
        :math:`E[\tau_l\pi_s]`, L x t; by default zero.

    Raises
    ------
    ValueError
        If a weight or an eigenvalue is negative, a matrix has the wrong shape, or moments are not those of any
        random vector (their joint matrix is not positive semidefinite).
    """

    weight: float
    eigenvalues: Sequence[float]
    positional_moments: Sequence[Sequence[float]] | None = None
    teacher_moments: Sequence[Sequence[float]] | None = None
    mixed_moments: Sequence[Sequence[float]] | None = None

    def __post_init__(self) -> None:
        """Convert to plain immutable floats and validate."""
        weight = positive("weight", self.weight)
        listed = checked_items("eigenvalues", self.eigenvalues, "a sequence, one per token", error=InvalidModel)
        eigenvalues = tuple(finite_number(f"eigenvalues[{i}]", x) for i, x in enumerate(listed))
        for i, x in enumerate(eigenvalues):
            if x < 0.0:
                raise InvalidModel(f"eigenvalues[{i}] must not be negative, got {x!r}")
        if not eigenvalues:
            raise InvalidModel("eigenvalues must hold one number per token, got none")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "eigenvalues", eigenvalues)
        length = len(eigenvalues)
        for name, columns in (("positional_moments", length), ("mixed_moments", None), ("teacher_moments", None)):
            value = getattr(self, name)
            if value is None:
                continue
            outer = checked_items(name, value, "a matrix", error=InvalidModel)
            try:
                rows = [checked_items(name, row) for row in outer]
            except InvalidArgument:
                raise InvalidModel(f"{name} must be a matrix, got {quoted(value)}") from None
            height = len(rows) if name == "teacher_moments" else length
            width = columns or (len(rows) if name == "teacher_moments" else len(rows[0]) if rows else 1)
            object.__setattr__(self, name, real_matrix(name, rows, (height, width)))
        for name in ("positional_moments", "teacher_moments"):
            value = getattr(self, name)
            if value is not None:
                _positive_semidefinite(name, np.array(value), value)

    @classmethod
    def at_point(
        cls, weight: float, eigenvalues: Sequence[float], projections: Sequence[float], teacher: Sequence[float]
    ) -> SpectrumAtom:
        r"""Return the atom of a single point :math:`(\gamma, \tau, \pi)`."""
        tau, pi = (
            np.array([finite_number(f"{name}[{i}]", x) for i, x in enumerate(
                checked_items(name, values, "a sequence of numbers", error=InvalidModel))])
            for name, values in (("projections", projections), ("teacher", teacher))
        )  # fmt: skip
        moments = (np.outer(tau, tau), np.outer(pi, pi), np.outer(tau, pi))
        return cls(weight, eigenvalues, *(matrix.tolist() for matrix in moments))


@dataclass(frozen=True, repr=False)
class Spectrum(ShortText):
    """Weighted atoms whose weights sum to one; weights that were rounded to single precision are divided by their sum.

    Attributes
    ----------
    atoms
        As given.
    moment_error
        By how much :meth:`from_covariances` changed a mean product of two tokens' eigenvalues when it put directions
        into bins, relatively, at most; 0 for what is exact or typed.

    Raises
    ------
    ValueError
        If there is no atom, numbers of tokens differ, or weights do not sum to one.

    Examples
    --------
    Half of the directions have variance 1, half have 3:

    >>> spectrum = Spectrum([SpectrumAtom(0.5, (1.0, 1.0)), SpectrumAtom(0.5, (3.0, 3.0))])
    >>> spectrum.token_traces
    (2.0, 2.0)
    """

    atoms: Sequence[SpectrumAtom]
    moment_error: float = field(default=0.0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validate what concerns several atoms."""
        what = "a sequence of SpectrumAtom objects"
        atoms = tuple(checked_items("atoms", self.atoms, what, error=InvalidModel))
        if not atoms:
            raise InvalidModel("atoms must hold at least one atom, got none")
        for atom in atoms:
            if not isinstance(atom, SpectrumAtom):
                raise InvalidModel(f"atoms must be {what}, got {quoted(atom)}")
        lengths = {len(atom.eigenvalues) for atom in atoms}
        if len(lengths) > 1:
            raise InvalidModel(f"atoms must have one eigenvalue per token each, got {sorted(lengths)} eigenvalues")
        total = math.fsum(atom.weight for atom in atoms)
        if abs(total - 1.0) > SINGLE_PRECISION:
            raise InvalidModel(f"weights must sum to 1, got {total!r}; divide them by it")
        if abs(total - 1.0) > ROUNDING:
            atoms = tuple(replace(atom, weight=atom.weight / total) for atom in atoms)
        object.__setattr__(self, "atoms", atoms)
        if not all(x > 0.0 for x in self.token_traces):
            raise InvalidModel(f"every token must have variance: mean eigenvalues are {self.token_traces!r}")

    def __repr__(self) -> str:
        whole = exact_text(self)
        if len(whole) <= LONGEST_SHOWN:
            return whole
        least, most = float(self.eigenvalues.min()), float(self.eigenvalues.max())
        return (
            f"<Spectrum of {len(self.atoms)} atoms for {self.sequence_length} tokens, "
            f"eigenvalues {least:.3g} to {most:.3g}>"
        )

    @classmethod
    def isotropic(cls, *variances: float) -> Spectrum:
        """Return covariances that are multiples of the identity, one variance per token."""
        return cls((SpectrumAtom(1.0, variances),))

    @classmethod
    def power_law(cls, exponent: float, tokens: int, count: int = 32, largest: float = 1.0) -> Spectrum:
        r"""Return eigenvalues that fall as a power of their rank, the same for all tokens.

        A share x of the directions has eigenvalues above :math:`\gamma(x) = \gamma_{\max}(1 + c x)^{-a}`, x from 0 to
        1. With :math:`c = 10^3` they are nearly constant over the first thousandth of the directions, and fall as
        :math:`x^{-a}` over the three decades that follow. The average over x is a Gauss-Legendre rule of ``count``
        nodes in :math:`\log(1 + cx)`, each an atom.

        Parameters
        ----------
        exponent
            a > 0.
        tokens
            Number of tokens.
        count
            Number of atoms.
        largest
            The largest eigenvalue :math:`\gamma_{\max}`, at x = 0.
        """
        exponent, largest = positive("exponent", exponent), positive("largest", largest)
        count, tokens = integer("count", count, 1, 1000), integer("tokens", tokens, 1, 1000)
        slope = 1e3
        nodes, weights = np.polynomial.legendre.leggauss(count)
        end = math.log1p(slope)
        logarithm = 0.5 * end * (nodes + 1.0)
        # x = (e^y - 1)/c, so that dx = e^y dy / c.
        shares = 0.5 * end * weights * np.exp(logarithm) / slope
        shares /= shares.sum()
        eigenvalues = largest * np.exp(-exponent * logarithm)
        return cls(tuple(SpectrumAtom(w, (x,) * tokens) for w, x in zip(shares.tolist(), eigenvalues, strict=True)))

    @classmethod
    def from_covariances(
        cls,
        covariances: Any,
        *,
        groups: Sequence[int] | None = None,
        encodings: Any = None,
        teacher: Any = None,
        atoms: int | None = None,
        tolerance: float | None = None,
    ) -> Spectrum:
        r"""Return the spectrum of covariance matrices that commute: directions of equal eigenvalues are one atom.

        Parameters
        ----------
        covariances
            One d x d matrix for all tokens, or one per group of tokens, (groups, d, d).
        groups
            For each token, the number of its matrix, from 0. By default every matrix is that of one token; a single one
            that of as many as there are encodings, or of two.
        encodings
            Positional encodings :math:`p_l`, (L, d), that may know of the covariances; the model then needs their Gram
            matrix, ``positional_gram=encodings @ encodings.T``. By default they know nothing, and the model says what
            they are.
        teacher
            The teacher's columns, as rows, (t, d), or one of d entries: :math:`|Q_\star|^2/d` is near one. By default
            they know nothing of the covariances.
        atoms
            At most so many atoms: directions with the nearest eigenvalues become one, with their mean. Weights, mean
            eigenvalues and the Gram matrix stay exact; by how much mean products of eigenvalues fall short is
            ``moment_error`` of what is returned. By default nothing is put together but equal eigenvalues.
        tolerance
            For rounding: of asymmetry, negative eigenvalues and commutators, relatively to the largest entries and
            eigenvalues, and to the product of norms. By default 1e-8, and 1e-4 for numbers in single precision.

        Raises
        ------
        ValueError
            If a matrix is not square, finite, symmetric or positive semidefinite, or two do not commute, or vectors
            have another length; the message quotes the offending number.

        Examples
        --------
        >>> measured = Spectrum.from_covariances(np.diag([1.0, 1.0, 3.0, 3.0]))
        >>> measured == Spectrum([SpectrumAtom(0.5, (1.0, 1.0)), SpectrumAtom(0.5, (3.0, 3.0))])
        True
        """
        # No kernel depends on how a spectrum was measured: what a kernel's key covers does not import it.
        from replica.covariances import binned, checked_covariances, checked_vectors, common_eigenvectors, equal_rows

        matrices, rounding = checked_covariances(covariances, tolerance)
        size = matrices.shape[1]
        if groups is not None:
            listed = checked_items("groups", groups, "a sequence, one per token", error=InvalidModel)
            own = [integer(f"groups[{k}]", g, 0, len(matrices) - 1) for k, g in enumerate(listed)]
        elif len(matrices) > 1:
            own = list(range(len(matrices)))
        else:
            own = [0] * (2 if encodings is None else len(checked_vectors("encodings", encodings, size)))
        tau = None if encodings is None else math.sqrt(size) * checked_vectors("encodings", encodings, size, len(own))
        pi = None if teacher is None else checked_vectors("teacher", teacher, size)
        found = common_eigenvectors(matrices, rounding)
        sets = equal_rows(found.eigenvalues, rounding)
        if atoms is not None:
            sets = binned(sets, found.eigenvalues, integer("atoms", atoms, 1, 1_000_000))
        made, means = [], []
        for rows in sets:
            here, directions = found.eigenvalues[rows], found.vectors[:, rows]
            # Equal ones have exactly their own mean.
            means.append(here[0] + (here - here[0]).mean(axis=0))
            positional, components = (None if x is None else x @ directions for x in (tau, pi))
            pairs = ((positional, positional), (components, components), (positional, components))
            moments = [None if x is None or y is None else (x @ y.T / len(rows)).tolist() for x, y in pairs]
            made.append(SpectrumAtom(len(rows) / size, means[-1][own].tolist(), *moments))
        spectrum = cls(made)
        exact = found.eigenvalues.T @ found.eigenvalues / size
        kept = np.einsum("n,ng,nh->gh", spectrum.weights, means, means)
        lost = np.abs(kept - exact)[exact > 0.0] / exact[exact > 0.0]
        object.__setattr__(spectrum, "moment_error", float(lost.max()) if atoms is not None else 0.0)
        return spectrum

    @property
    def sequence_length(self) -> int:
        """Number of tokens L."""
        return len(self.atoms[0].eigenvalues)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the atoms, (n,)."""
        return np.array([atom.weight for atom in self.atoms])

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues, (n, L)."""
        return np.array([atom.eigenvalues for atom in self.atoms])

    @property
    def token_traces(self) -> tuple[float, ...]:
        r"""Mean eigenvalues :math:`\mathrm{Tr}\,\Sigma_l/d`, one per token."""
        return tuple(float(x) for x in self.weights @ self.eigenvalues)

    @property
    def groups(self) -> tuple[int, ...]:
        """For each token, the number of its group: tokens of one group have equal eigenvalues on every atom."""
        columns: list[tuple[float, ...]] = []
        groups = []
        for column in self.eigenvalues.T.tolist():
            if tuple(column) not in columns:
                columns.append(tuple(column))
            groups.append(columns.index(tuple(column)))
        return tuple(groups)

    def group_eigenvalues(self) -> np.ndarray:
        """Return the eigenvalues of one token of each group, (n, groups)."""
        groups = self.groups
        return self.eigenvalues[:, [groups.index(g) for g in range(max(groups) + 1)]]

    def moments(self, gram: np.ndarray, teacher_rank: int) -> np.ndarray:
        r"""Return the joint second moments of :math:`(\tau, \pi)` on every atom, (n, L + t, L + t).

        Parameters
        ----------
        gram
            The model's Gram matrix of encodings, for atoms that do not say otherwise, (L, L).
        teacher_rank
            Number t of the teacher's columns.

        Raises
        ------
        ValueError
            If an atom's moments have another number of columns than the teacher, or are not those of any random
            vector; if encodings do not have their Gram matrix on average, or a teacher's field has no variance.
        """
        length = self.sequence_length
        joint = np.zeros((len(self.atoms), length + teacher_rank, length + teacher_rank))
        for k, atom in enumerate(self.atoms):
            teacher = np.eye(teacher_rank) if atom.teacher_moments is None else np.array(atom.teacher_moments)
            if len(teacher) != teacher_rank:
                raise InvalidModel(
                    f"atoms[{k}].teacher_moments must be {teacher_rank} x {teacher_rank} as teacher_rank says, "
                    f"got {atom.teacher_moments!r}"
                )
            mixed = np.zeros((length, teacher_rank)) if atom.mixed_moments is None else np.array(atom.mixed_moments)
            if mixed.shape != (length, teacher_rank):
                raise InvalidModel(
                    f"atoms[{k}].mixed_moments must be {length} x {teacher_rank}, got {atom.mixed_moments!r}"
                )
            joint[k, :length, :length] = gram if atom.positional_moments is None else np.array(atom.positional_moments)
            joint[k, :length, length:], joint[k, length:, :length] = mixed, mixed.T
            joint[k, length:, length:] = teacher
            _positive_semidefinite(f"the joint moments of atoms[{k}]", joint[k], joint[k].tolist())
        average = np.einsum("n,nij->ij", self.weights, joint[:, :length, :length])
        if not np.allclose(average, gram, rtol=0.0, atol=1e-6 * max(1.0, float(np.trace(gram)))):
            raise InvalidModel(
                f"positional_moments must average to the encodings' Gram matrix {gram.tolist()!r}, "
                f"got {average.tolist()!r}"
            )
        for token in range(length):
            shares = self.weights * self.eigenvalues[:, token]
            variance = np.einsum("n,nst->st", shares, joint[:, length:, length:])
            if np.linalg.eigvalsh(variance)[0] <= ROUNDING * shares.sum():
                raise InvalidModel(f"teacher_moments must give every column variance, got {variance.tolist()!r}")
        return joint

    def to_list(self) -> list[dict[str, Any]]:
        """Return the atoms as dictionaries of plain lists and floats, for JSON."""
        names = ("positional_moments", "teacher_moments", "mixed_moments")
        return [
            {"weight": atom.weight, "eigenvalues": list(atom.eigenvalues)}
            | {name: [list(row) for row in value] for name in names if (value := getattr(atom, name)) is not None}
            for atom in self.atoms
        ]


def gram_factor(gram: np.ndarray) -> np.ndarray:
    r"""Return C with :math:`G = C C^\top`, L x k with k the rank of G: token l's encoding along k directions.

    Directions are those of Gram and Schmidt: the first token with an encoding defines the first, with a positive
    coefficient, and so on. Opposite encodings of two tokens give the column (1, -1).

    Raises
    ------
    ValueError
        If the matrix is not symmetric and positive semidefinite.
    """
    _positive_semidefinite("positional_gram", gram, gram.tolist())
    remainder = gram.astype(float).copy()
    columns: list[np.ndarray] = []
    for token in range(len(gram)):
        if remainder[token, token] > ROUNDING * max(float(np.trace(gram)), 1e-300):
            column = remainder[:, token] / math.sqrt(remainder[token, token])
            remainder -= np.outer(column, column)
            columns.append(column)
    return np.array(columns).T.reshape(len(gram), len(columns))
