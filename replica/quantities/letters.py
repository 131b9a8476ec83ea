"""The table of letters: every symbol of a page that is no order parameter, conjugate or parameter.

Those are in ``replica.quantities.names``. A new letter is entered here, once: reports print it, define it, let it be
renamed or say that it is taken, and what symbols or generated code use, no parameter of a user may be called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["IN_CODE", "LETTERS", "STEMS", "Letter"]


@dataclass(frozen=True)
class Letter:
    """A symbol of the theory, or a family of them told apart by indices.

    Attributes
    ----------
    latex
        LaTeX, without indices.
    meaning
        For the table of definitions, text with inline mathematics; "" if sentences or the model say it.
    stem
        How the names of SymPy symbols that abbreviate or are met by the way begin, up to an underscore; "" if none do.
    name
        The word by which a user may choose other LaTeX for it; "" if it has no name.
    stands_for
        Of a letter without a name: what it stands for, in a few words.
    shown
        LaTeX in the table of definitions, if not ``latex``.
    in_code
        Whether symbols without a ``stem`` or variables of generated code are called so.
    """

    latex: str
    meaning: str = ""
    stem: str = ""
    name: str = ""
    stands_for: str = ""
    shown: str = ""
    in_code: bool = False

    @property
    def word(self) -> str:
        """The letter as it is written in the names of symbols: "w", "Lambda"."""
        return re.findall("[A-Za-z]+", self.latex)[0]


_SETTING = (
    Letter("L", "number of tokens", name="length"),
    Letter("d", "dimension of a token", name="dimension"),
    Letter("n", "number of samples", name="samples", in_code=True),
    Letter("x", name="tokens", in_code=True),
    Letter("p", name="encodings"),
    Letter("y", "output of the target", stem="y", stands_for="the target's output"),
    Letter("f_{Q}", "output of the student"),
    Letter("Q", name="student_weights"),
    Letter(r"Q_{\star}", name="teacher_weights"),
    Letter(r"\Sigma", stands_for="a covariance"),
)

_FIELDS = (
    Letter(
        "w",
        "local field of a token: the pre-activation of a student that was not trained on the sample",
        name="local_field",
        in_code=True,
    ),
    Letter(
        r"h^{\star}",
        r"pre-activation of the teacher, $x_l \cdot Q_{\star}/\sqrt{d}$",
        name="teacher_field",
        in_code=True,
    ),
    Letter(r"z^{\star}", r"proximal point: the global minimiser in $\mathcal{M}$", name="proximal_point", in_code=True),
    Letter("T", r"entries of the target's matrix $T(h^{\star})$", name="target", in_code=True),
    Letter(r"\xi", "noise in the outputs, standard normal", stem="xi", stands_for="the noise in the outputs"),
)

_RESULTS = (
    Letter("z", "pre-activation of the student; in $\\mathcal{M}$ what is minimised over", name="preactivation"),
    Letter("S", name="attention", in_code=True),
    Letter(r"\ell", r"loss of one sample, in terms of pre-activations", name="sample_loss"),
    Letter(r"\Phi", "free entropy per dimension, replica-symmetric, at zero temperature", name="free_entropy"),
    Letter(r"\mathcal{M}", r"Moreau envelope of $\ell$", name="envelope"),
    Letter(r"\mathbb{E}", r"average over $w$ and $h^{\star}$"),
    Letter(r"\epsilon_{t}", "training loss per dimension", name="training_loss"),
    Letter(r"\epsilon_{g}", "test error per token", name="test_error"),
    Letter(
        r"\epsilon_{\mathrm{lin}}", "test error per token of the best linear positional layer", name="baseline_error"
    ),
    Letter("W", r"matrix of the best linear positional layer", name="baseline_matrix", in_code=True),
    Letter(r"\alpha_{c}", r"where the best positional and the best semantic solution have equal $\Phi$"),
    Letter(r"\alpha_{l}", r"where $\epsilon_{g}$ of the global minimum falls below $\epsilon_{\mathrm{lin}}$"),
    Letter(r"\beta", "inverse temperature, taken to infinity", stands_for="the inverse temperature", in_code=True),
)

_DERIVATION = (
    Letter(r"\gamma", "eigenvalue of a token's covariance", "gamma", stands_for="an eigenvalue of a covariance"),
    Letter(
        "P",
        r"moments $\mathbb{E}\tau\tau^\top$ of the encodings' projections at given eigenvalues",
        "P",
        stands_for="moments of the encodings",
    ),
    Letter("F", r"moments $\mathbb{E}\tau\pi^\top$ at given eigenvalues", "F",
           stands_for="moments of encodings and teacher"),
    Letter("G", r"moments $\mathbb{E}\pi\pi^\top$ at given eigenvalues", "G", stands_for="moments of the teacher"),
    Letter(r"\tau", r"projection of the encodings on an eigenvector, times $\sqrt{d}$",
           stands_for="a projection of the encodings", in_code=True),
    Letter(r"\pi", r"row of $Q_{\star}$ along an eigenvector", stands_for="a row of the teacher", in_code=True),
    Letter(r"\mathbb{E}_{\nu}", "average over the eigenvectors of the covariances"),
    Letter("X", "the two parts of a replica-symmetric matrix", stands_for="a part of a replica-symmetric matrix",
           shown="X, Y", in_code=True),
    Letter("Y", stands_for="a part of a replica-symmetric matrix", in_code=True),
    Letter("B", r"precision of the weights along an eigenvector", "B", stands_for="the weights' precision"),
    Letter(r"\mathcal{B}", "precision of the replicated weights", name="replicated_precision",
           shown=r"\mathcal{B}^{ab}"),
    Letter(r"\eta", "tilt of the weights along an eigenvector, by encodings and teacher",
           stands_for="the weights' tilt", in_code=True),
    Letter("v", "row of the weights along an eigenvector", stands_for="the weights along a direction"),
    Letter("K", r"entries of $B^{-1}$", "K", stands_for="the inverse of the weights' precision"),
    Letter("N", r"$\sum_l \gamma_l \hat{q}_l$", "N", stands_for="a sum of conjugates"),
    Letter("M", r"second moments $\mathbb{E}\, \eta\eta^\top$ of the tilt", "M", stands_for="moments of the tilt"),
    Letter("U", r"entries of $N + M$", "U", stands_for="moments of the weights"),
    Letter("J", r"entries of $V^{-1}$", "J", stands_for="the inverse of V"),
    Letter(r"\Lambda", r"inverse covariance of $(w, h^{\star})$ of a token", "Lambda",
           stands_for="the fields' inverse covariance"),
    Letter("g", r"$V^{-1}(z^{\star} - w)$, minus the slope of $\mathcal{M}$ in $w$", "g",
           stands_for="the slope of the envelope"),
    Letter("s", "number of replicas, taken to zero", stands_for="the number of replicas", in_code=True),
    Letter(r"\delta", r"Kronecker's delta of replicas $a, b$", stands_for="Kronecker's delta", in_code=True),
    Letter(r"\mathcal{A}", "exponent of the replicated partition function, per dimension", name="action",
           shown=r"\mathcal{A}_{s}"),
    Letter("Z", "partition function of the weights", stands_for="the partition function"),
    Letter(r"\zeta", "partition function of one sample's pre-activations",
           stands_for="a sample's partition function", in_code=True),
    Letter(r"\mathcal{N}", "normal density", name="normal_density"),
    Letter(r"\Psi", "term of the weights in the free entropy", stands_for="the weights' term in the free entropy",
           shown=r"\Psi_{w}"),
)  # fmt: skip

# Letters that sentences bind themselves, parameters that a report names as a family, and constants.
_UNDEFINED = (
    Letter("A", name="positional_matrix", in_code=True),
    Letter("c", name="positional_encoding", in_code=True),
    Letter("R", stands_for="a covariance's mean eigenvalue", in_code=True),
    Letter(r"\rho", stands_for="the teacher's variance", in_code=True),
    Letter(r"\mu", stands_for="the number of a sample"),
    Letter(r"\nu", stands_for="the law of the eigenvectors"),
    Letter("a", stands_for="a replica"),
    Letter("b", stands_for="a replica"),
    *(Letter(x, stands_for="a token") for x in "ijkl"),
    Letter("e", stands_for="Euler's number"),
    Letter("f", stands_for="the student's output"),
    Letter(r"\partial", stands_for="a derivative"),
    Letter(r"\infty", stands_for="infinity"),
)

LETTERS = MappingProxyType(
    {"setting": _SETTING, "fields": _FIELDS, "results": _RESULTS, "derivation": _DERIVATION, "": _UNDEFINED}
)
"""All letters by the part of the table of definitions that they stand in; the last stand in none."""

STEMS = MappingProxyType({x.stem: x.latex for part in LETTERS.values() for x in part if x.stem})
"""LaTeX of the SymPy symbols whose name begins with a stem."""

IN_CODE = frozenset(letter.word for part in LETTERS.values() for letter in part if letter.in_code or letter.stem)
"""Letters that symbols and generated code use, and no user's parameter may."""
