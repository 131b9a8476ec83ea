"""The table of names of numbers that go in and come out, with LaTeX: order parameters, conjugates, parameters.

Letters of the other symbols of equations (fields, matrices, averages) are in ``replica.quantities.letters``.

Everything that names a quantity (equations, generated code, result variables, figures, reports) reads it here;
``replica.quantities.symbols`` gives its entries their SymPy symbols. It does not know SymPy, so that a solve with a
cached kernel need not import it.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from replica.quantities.layout import Layout
from replica.quantities.letters import IN_CODE
from replica.quantities.loss_structure import LossStructure
from replica.quantities.structure import ModelStructure

__all__ = [
    "ALPHA",
    "AVERAGE_ENVELOPE",
    "CONJUGATES",
    "MODEL_PARAMETERS",
    "ORDER_PARAMETERS",
    "Quantity",
    "conjugates",
    "eigenvalue_name",
    "is_parameter_name",
    "model_parameters",
    "moment_name",
    "order_parameters",
    "parameter_latex",
    "token_statistics",
]


@dataclass(frozen=True)
class Quantity:
    """A named quantity: its word in public names, its letter in equations, its LaTeX, its meaning, and its sign.

    Attributes
    ----------
    kind
        Name of the matrix or vector it is an entry of; its own name where there is but one entry.
    group
        Number of the group of tokens it belongs to, or nothing if it belongs to all.
    indices
        Row and column in that matrix, counted from 0.
    """

    name: str
    letter: str
    latex: str
    meaning: str
    positive: bool = False
    kind: str = ""
    group: int | None = None
    indices: tuple[int, ...] = ()

    @property
    def stem(self) -> str:
        """What all entries of its matrix or vector are called: the name without numbers."""
        return self.name.rstrip("0123456789_")


ALPHA = Quantity("alpha", "alpha", r"\alpha", "samples per dimension $n/d$", positive=True)
AVERAGE_ENVELOPE = Quantity("average_envelope", "average_envelope", r"\mathbb{E}[\mathcal{M}]", "its average")


@dataclass(frozen=True)
class _Kind:
    """A matrix of order parameters or of their conjugates."""

    name: str
    letter: str
    latex: str
    meaning: str
    # "symmetric": r x r; "directions": r x k; "teacher": r x t.
    shape: str
    positive: bool = False


_ORDER_KINDS = (
    _Kind("self_overlap", "q", "q", r"$Q^\top \Sigma Q/d$, variance of a pre-activation", "symmetric", True),
    _Kind("positional_overlap", "m", "m", r"$Q^\top p_l/\sqrt d = c_l\, m$, overlap with the encodings", "directions"),
    _Kind(
        "susceptibility",
        "V",
        "V",
        r"$\lim \beta\,(q_{aa} - q_{ab})$, response of a pre-activation",
        "symmetric",
        True,
    ),
    _Kind("semantic_overlap", "theta", r"\theta", r"$Q^\top \Sigma Q_*/d$, overlap with the teacher", "teacher"),
)

_CONJUGATE_KINDS = (
    _Kind("self_overlap_conjugate", "q_hat", r"\hat{q}", r"pairs with $V$ in $\Phi$", "symmetric"),
    _Kind("positional_overlap_conjugate", "m_hat", r"\hat{m}", r"pairs with $m$ in $\Phi$", "directions"),
    _Kind("susceptibility_conjugate", "V_hat", r"\hat{V}", r"pairs with $q$ in $\Phi$", "symmetric"),
    _Kind("semantic_overlap_conjugate", "theta_hat", r"\hat{\theta}", r"pairs with $\theta$ in $\Phi$", "teacher"),
)


def _entries(kind: _Kind, layout: Layout) -> Iterator[Quantity]:
    """Yield the entries of one kind, group by group; an index that takes one value only is not written.

    Without encodings, from which meaning would be told, a semantic overlap is called the teacher's.
    """
    columns = {"symmetric": layout.rank, "directions": layout.directions, "teacher": layout.teacher_rank}[kind.shape]
    grouped = kind.shape != "directions" and layout.group_count > 1
    for group in range(layout.group_count if kind.shape != "directions" else 1):
        for row in range(layout.rank):
            for column in range(row if kind.shape == "symmetric" else 0, columns):
                written = [str(row + 1)] * (layout.rank > 1) + [str(column + 1)] * (columns > 1)
                suffix = f"_{group + 1}" * grouped + ("_" + "".join(written)) * bool(written)
                stem = kind.name if layout.directions else kind.name.replace("semantic", "teacher")
                latex = kind.latex + rf"^{{({group + 1})}}" * grouped + f"_{{{''.join(written)}}}" * bool(written)
                yield Quantity(
                    stem + suffix,
                    kind.letter + suffix,
                    latex,
                    kind.meaning,
                    kind.positive and row == column,
                    kind.name,
                    group if kind.shape != "directions" else None,
                    (row, column),
                )


def order_parameters(layout: Layout) -> tuple[Quantity, ...]:
    """Return the order parameters of a layout, in the order of every state vector: all q, m, V, then theta."""
    return tuple(entry for kind in _ORDER_KINDS for entry in _entries(kind, layout))


def conjugates(layout: Layout) -> tuple[Quantity, ...]:
    """Return the conjugates, summed over a group's tokens (m: over encodings), in the same order."""
    return tuple(entry for kind in _CONJUGATE_KINDS for entry in _entries(kind, layout))


ORDER_PARAMETERS = order_parameters(Layout())
"""Order parameters of the paper's model, u = (q, m, V, theta)."""

CONJUGATES = conjugates(Layout())
"""Conjugates of the paper's model, summed over tokens (for m: the sum weighted with c_l), in the same order."""


def _matrix_entries(name: str, letter: str, latex: str, meaning: str, shape: Sequence[int]) -> Iterator[Quantity]:
    for i in range(1, shape[0] + 1):
        for j in range(1, shape[1] + 1):
            yield Quantity(f"{name}_{i}{j}", f"{letter}_{i}{j}", f"{latex}_{{{i}{j}}}", meaning)


def _loss_parameters(structure: LossStructure) -> tuple[Quantity, ...]:
    layout = structure.layout
    quantities = [Quantity("regularization", "regularization", r"\lambda", "ridge penalty", positive=True)]
    for i in range(1, layout.sequence_length + 1):
        for j in range(1, layout.directions + 1):
            index = f"{i}" if layout.directions == 1 else f"{i}{j}"
            meaning = "component of a token's encoding"
            quantities.append(Quantity(f"positional_encoding_{index}", f"c_{index}", f"c_{{{index}}}", meaning))
    quantities += token_statistics(layout)
    quantities += [
        Quantity(name, name, parameter_latex(name), "parameter of loss or outputs")
        for name in structure.parameter_names
    ]
    return tuple(quantities)


def model_parameters(structure: ModelStructure | LossStructure) -> tuple[Quantity, ...]:
    """Return the numeric parameters of all models of one structure, in the order of the kernel's parameter vector."""
    if isinstance(structure, LossStructure):
        return _loss_parameters(structure)
    tokens, layout = structure.sequence_length, structure.layout
    quantities = [Quantity("omega", "omega", r"\omega", "weight of the positional matrix in the target")]
    if structure.isotropic:
        quantities.append(
            Quantity("sigma", "sigma", r"\sigma", "standard deviation of a token component", positive=True)
        )
    quantities.append(Quantity("regularization", "regularization", r"\lambda", "ridge penalty", positive=True))
    quantities += _matrix_entries(
        "positional_matrix", "A", "A", "entry of the target's positional matrix", (tokens, tokens)
    )
    if layout.directions == 1:
        for i in range(1, tokens + 1):
            meaning = f"coefficient of token {i}'s encoding"
            quantities.append(Quantity(f"positional_encoding_{i}", f"c_{i}", f"c_{{{i}}}", meaning))
    else:
        meaning = "component of a token's encoding along a direction"
        quantities += _matrix_entries("positional_encoding", "c", "c", meaning, (tokens, layout.directions))
    if not structure.isotropic:
        quantities += token_statistics(layout)
    quantities += [
        Quantity(name, name, parameter_latex(name), "parameter of attention or target")
        for name in structure.parameter_names
    ]
    return tuple(quantities)


def token_statistics(layout: Layout) -> Iterator[Quantity]:
    r"""Yield what the channel needs to know of a spectrum: :math:`\mathrm{Tr}\Sigma/d` and the teacher's variance."""
    for group in range(1, layout.group_count + 1):
        suffix, mark = (f"_{group}", f"^{{({group})}}") if layout.group_count > 1 else ("", "")
        meaning = r"mean eigenvalue $\mathrm{Tr}\,\Sigma/d$"
        yield Quantity(f"token_trace{suffix}", f"R{suffix}", f"R{mark}", meaning, positive=True)
    for group in range(1, layout.group_count + 1):
        suffix, mark = (f"_{group}", f"^{{({group})}}") if layout.group_count > 1 else ("", "")
        for i in range(1, layout.teacher_rank + 1):
            for j in range(i, layout.teacher_rank + 1):
                index = f"_{i}{j}" * (layout.teacher_rank > 1)
                latex = rf"\rho{mark}" + (f"_{{{i}{j}}}" if index else "")
                meaning = r"$Q_*^\top \Sigma Q_*/d$, variance of a teacher's pre-activation"
                yield Quantity(f"teacher_variance{suffix}{index}", f"rho{suffix}{index}", latex, meaning, i == j)


_GREEK = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi
    omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"""
GREEK = frozenset(_GREEK.split())
# First words of public names, and names in generated code; digits may follow, and an underscore with anything.
_WORDS = """
    omega sigma regularization positional token teacher average weight prior inverse parameters exponential shared
    softmax root placeholder math dT H common line np work count state out"""
_KIND_LETTERS = frozenset(kind.letter for kind in _ORDER_KINDS)
RESERVED = IN_CODE | _KIND_LETTERS | {ALPHA.letter} | frozenset(_WORDS.split())
"""Beginnings of names that no user's parameter may have."""


def is_parameter_name(name: object) -> bool:
    """Return whether a user's parameter may have this name."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
        return False
    match = re.match("[^_0-9]+", name)
    return match is not None and match.group() not in RESERVED


def parameter_latex(name: str) -> str:
    """Return LaTeX for a user's parameter: Greek where its name is, indices after the first underscore."""
    stem, _, index = name.partition("_")
    shown = f"\\{stem}" if stem in GREEK else stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    return shown + (rf"_{{\mathrm{{{index.replace('_', ',')}}}}}" if index else "")


MODEL_PARAMETERS = model_parameters(ModelStructure())
"""Numeric parameters of models of two tokens, the paper's."""


def eigenvalue_name(group: int, count: int) -> str:
    """Return the letter of a group's eigenvalue on an atom."""
    return f"gamma_{group + 1}" if count > 1 else "gamma"


def moment_name(i: int, j: int, directions: int) -> str:
    """Return the letter of a joint moment of (u, pi), by its place: P for u u, F for u pi, G for pi pi."""
    if j < directions:
        return f"P_{i + 1}{j + 1}"
    if i < directions:
        return f"F_{i + 1}{j + 1 - directions}"
    return f"G_{i + 1 - directions}{j + 1 - directions}"
