"""The solvable model of dot-product attention, as a validated immutable value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from replica.common.by_value import ShortText
from replica.common.checked_arguments import quoted
from replica.common.errors import InvalidModel
from replica.model.checked_fields import checked_fields
from replica.model.parameter_values import atom_values, statistics_values, zero_moments
from replica.model.spectrum import Spectrum, gram_factor
from replica.quantities.structure import ModelStructure

__all__ = ["AttentionModel", "parameter_values"]

# "By default", typed as whatever is there after validation.
DEFAULT: Any = None


@dataclass(frozen=True, repr=False)
class AttentionModel(ShortText):
    r"""Teacher-student model of tied, low-rank dot-product attention.

    The student :math:`S[(x+p)Q/\sqrt d](x+p)` learns the target :math:`T[xQ_*/\sqrt d]\,x` of a teacher. By default
    both are the paper's: :math:`S(h)` is the row softmax of :math:`h h^T`, and :math:`T(h) = (1-\omega)\,
    \mathrm{softmax}(hh^T) + \omega A`.

    Parameters
    ----------
    omega
        Weight of the positional matrix in the target, in [0, 1].
    sigma
        Standard deviation of every token component, > 0; 0.5 by default. Not to be given with ``spectrum``.
    regularization
        Ridge penalty lambda on Q, > 0.
    positional_matrix
        The L x L matrix A; any finite entries (rows need not sum to one). By default the paper's for two tokens; for
        more it must be given unless omega is 0.
    positional_encoding
        The L coefficients c_l of encodings along one direction, :math:`p_l = c_l 1_d/\sqrt{d}`; not all zero. By
        default (1, -1) for two tokens.
    sequence_length
        Number of tokens L, 2 to 9; by default that of the other arguments.
    rank, teacher_rank
        Numbers of columns of Q and of Q*.
    attention
        The student's S: a function of the L x r matrix of pre-activations (SymPy symbols) that returns an L x L
        matrix; see ``replica.softmax_attention`` and ``replica.linear_attention``.
    target
        T: likewise a function of the teacher's L x t pre-activations. Both may use the model's parameters by their
        symbols (``sympy.Symbol("omega")``) and those declared in ``parameters``.
    spectrum
        Joint law of covariance eigenvalues, positional projections and teacher components; by default isotropic.
    positional_gram
        Gram matrix :math:`p_k\cdot p_l` of encodings that do not lie along one direction, L x L; instead of
        ``positional_encoding``.
    parameters
        Values of further symbols in ``attention`` and ``target``, by name.

    Raises
    ------
    ValueError
        If a value is out of range, of the wrong shape or not finite, or a function is not as it must be; the message
        quotes the offending piece.

    Notes
    -----
    Source: section 2 of arXiv:2402.03902. Entries are normalised as there: :math:`|Q_*|^2/d \to 1`,
    :math:`|p_l| = |c_l| = O(1)`, sample complexity :math:`\alpha = n/d`.

    Examples
    --------
    >>> model = AttentionModel(omega=0.3)
    >>> model.sigma, model.sequence_length, model == AttentionModel.paper(omega=0.3)
    (0.5, 2, True)
    >>> AttentionModel(omega=1.5)
    Traceback (most recent call last):
    ...
    replica.common.errors.InvalidModel: omega must lie in [0, 1], got 1.5
    """

    omega: float
    sigma: float = DEFAULT
    regularization: float = 0.01
    positional_matrix: Sequence[Sequence[float]] = DEFAULT
    positional_encoding: Sequence[float] = DEFAULT
    sequence_length: int = DEFAULT
    rank: int = 1
    teacher_rank: int = 1
    attention: Callable[[Any], Any] | str = ""
    target: Callable[[Any], Any] | str = ""
    spectrum: Spectrum | Sequence[Mapping[str, Any]] | None = None
    positional_gram: Sequence[Sequence[float]] | None = None
    parameters: Mapping[str, float] | Sequence[tuple[str, float]] = ()

    def __post_init__(self) -> None:
        """Convert to plain immutable values and validate."""
        for name, value in checked_fields(vars(self)).items():
            object.__setattr__(self, name, value)

    @classmethod
    def paper(cls, omega: float = 0.3, **changes: Any) -> AttentionModel:
        """Return the instance solved in arXiv:2402.03902 (sigma = 0.5, lambda = 0.01), with any changes."""
        return cls(omega=omega, **changes)

    @property
    def structure(self) -> ModelStructure:
        """What of the model its equations depend on; everything else is a number they take."""
        return self._kept_structure

    @cached_property
    def _kept_structure(self) -> ModelStructure:
        return ModelStructure(
            sequence_length=self.sequence_length,
            rank=self.rank,
            teacher_rank=self.teacher_rank,
            directions=self.encoding_matrix.shape[1],
            groups=self.spectrum.groups if isinstance(self.spectrum, Spectrum) else (),
            isotropic=self.spectrum is None,
            zero_moments=zero_moments(self.atoms),
            attention=str(self.attention),
            target=str(self.target),
            parameter_names=tuple(dict(self.parameters)),
        )

    @property
    def gram(self) -> np.ndarray:
        """Gram matrix of the positional encodings, (L, L)."""
        if self.positional_gram is not None:
            return np.array(self.positional_gram)
        return np.outer(self.positional_encoding, self.positional_encoding)

    @property
    def encoding_matrix(self) -> np.ndarray:
        r"""Encodings along orthonormal directions, C with :math:`G = C C^\top`, (L, k)."""
        if self.positional_gram is not None:
            return gram_factor(self.gram)
        return np.array(self.positional_encoding)[:, None]

    @property
    def atoms(self) -> list[tuple[float, dict[str, float]]]:
        """Weight of every atom of the spectrum, and the values of its symbols; one without values if isotropic."""
        if self.spectrum is None:
            return [(1.0, {})]
        assert isinstance(self.spectrum, Spectrum)
        return atom_values(self.spectrum, self.gram, self.encoding_matrix, self.teacher_rank)

    @property
    def classes(self) -> tuple[()]:
        """Kinds of samples: one, and none is given."""
        return ()

    @property
    def noise(self) -> int:
        """Number of noise variables of a sample's outputs: none."""
        return 0

    @property
    def token_variance(self) -> float:
        """Variance sigma^2 of a token component; also the teacher's pre-activation variance rho."""
        return self.sigma**2

    def token_exchanged(self) -> AttentionModel:
        """Return the same model with its tokens renamed in reverse order: p and A permuted together.

        Raises
        ------
        ValueError
            If attention, target, encodings or spectrum are not the default kind, for which renaming is not defined.
        """
        self.require_paper_kind("renaming tokens")
        return dataclasses.replace(
            self,
            positional_matrix=tuple(tuple(reversed(row)) for row in reversed(self.positional_matrix)),
            positional_encoding=tuple(reversed(self.positional_encoding)),
        )

    @staticmethod
    def require_any(model: object, what: str) -> None:
        """Refuse what is no attention model.

        Raises
        ------
        ValueError
            If it is none; naming ``what``, which does not handle it.
        """
        if not isinstance(model, AttentionModel):
            shown = f"{type(model).__name__} {quoted(model)}"
            raise InvalidModel(f"model: {what} must have an AttentionModel, got {shown}")

    @staticmethod
    def require(model: object, what: str) -> None:
        """Refuse what is no attention model of the paper's kind; see :meth:`require_paper_kind`."""
        AttentionModel.require_any(model, what)
        assert isinstance(model, AttentionModel)
        model.require_paper_kind(what)

    def require_paper_kind(self, what: str) -> None:
        """Refuse a model that differs from the paper's by more than numbers and the number of tokens.

        Raises
        ------
        ValueError
            If rank, teacher, attention, target, covariances or encodings are of another kind; naming ``what``, which
            does not handle them.
        """
        if self.structure.is_paper_kind:
            return
        plain = ModelStructure(self.sequence_length)
        # Moments are details of a spectrum, which is named already.
        derived = ("sequence_length", "zero_moments")
        names = [x.name for x in dataclasses.fields(ModelStructure) if x.name not in derived]
        others = [f"{x} = {getattr(self.structure, x)!r}" for x in names
                  if getattr(self.structure, x) != getattr(plain, x)]  # fmt: skip
        raise InvalidModel(
            f"{what} must have a model of rank one with the paper's attention and target, equal isotropic "
            f"covariances and encodings along one direction; got {', '.join(others)}"
        )

    def parameter_values(self) -> dict[str, float]:
        """Return every numeric parameter under its canonical name (see ``replica.quantities.names``)."""
        return parameter_values(self)

    def to_dict(self) -> dict[str, object]:
        """Return the constructor's arguments as plain lists and floats, for JSON; what is unset is left out."""
        values: dict[str, object] = {
            "omega": self.omega,
            "sigma": self.sigma,
            "regularization": self.regularization,
            "positional_matrix": [list(row) for row in self.positional_matrix],
        }
        if self.positional_encoding is not None:
            values["positional_encoding"] = list(self.positional_encoding)
        if self.positional_gram is not None:
            values["positional_gram"] = [list(row) for row in self.positional_gram]
        if isinstance(self.spectrum, Spectrum):
            values["spectrum"] = self.spectrum.to_list()
        for name, default in (("rank", 1), ("teacher_rank", 1), ("attention", ""), ("target", "")):
            if getattr(self, name) != default:
                values[name] = getattr(self, name)
        if self.parameters:
            values["parameters"] = dict(self.parameters)
        return values


def parameter_values(model: AttentionModel) -> dict[str, float]:
    """Return every numeric parameter of a model by name, in the order of ``names.model_parameters``."""
    values = {"omega": model.omega}
    if model.spectrum is None:
        values["sigma"] = model.sigma
    values["regularization"] = model.regularization
    for i, row in enumerate(model.positional_matrix, start=1):
        for j, entry in enumerate(row, start=1):
            values[f"positional_matrix_{i}{j}"] = entry
    encoding = model.encoding_matrix
    for i, row in enumerate(encoding.tolist(), start=1):
        for j, entry in enumerate(row, start=1):
            values[f"positional_encoding_{i}" if len(row) == 1 else f"positional_encoding_{i}{j}"] = entry
    if isinstance(model.spectrum, Spectrum):
        values |= statistics_values(model.spectrum, model.gram, model.teacher_rank)
    return values | dict(model.parameters)
