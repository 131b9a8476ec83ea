"""Reports on losses other than attention's in words of their own: a sample has vectors, and need not have encodings."""

from __future__ import annotations

import re
from dataclasses import replace

from replica.model.loss_model import LossModel
from replica.reports.passages import Equation, Figure, Heading, Paragraph, Passage, Table

__all__ = ["in_words_of", "passage_in_words_of"]

# What is said of encodings, and what is left of it without them.
_WITHOUT_ENCODINGS = (
    (r"encodings' projections $\tau_l$, teacher's row $\pi$", r"teacher's row $\pi$"),
    (
        r"Moments of $(\tau, \pi)$ at given eigenvalues are $P_{ij} = \mathbb{E}\tau_i\tau_j$, "
        r"$F_{ij} = \mathbb{E}\tau_i\pi_j$, $G_{ij}",
        r"Moments of $\pi$ at given eigenvalues are $G_{ij}",
    ),
    ("There are no encodings. ", ""),
    (r", that of $m$ with weights $c_l$", ""),
    ("(x+p)Q", "xQ"),
    ("covariances, encodings and teacher", "covariances and teacher"),
    ("along an eigenvector, by encodings and teacher", "along an eigenvector, by the teacher"),
)
_OF_TOKENS = (
    (
        r"tokens are independent Gaussian vectors, whose covariances $\Sigma_l$ share their eigenvectors",
        r"their vectors are independent and Gaussian, with covariances $\Sigma_l$ that share their eigenvectors",
    ),
    ("loss, outputs and law of the tokens", "loss, outputs and law of the samples"),
    ("test error per token", "test error"),
    ("number of tokens", "number of vectors in a sample"),
    ("a sequence, ", "a sample, "),
)
_WORDS = ((re.compile(r"\btokens\b"), "vectors"), (re.compile(r"\btoken\b"), "vector"))


def in_words_of(model: LossModel, text: str) -> str:
    """Return a text of a report as it is said of a model: as it is of attention, which has tokens."""
    if model.structure is not None:
        return text
    for usual, other in (*(() if model.layout.directions else _WITHOUT_ENCODINGS), *_OF_TOKENS):
        text = text.replace(usual, other).replace(usual.capitalize(), other.capitalize())
    for word, other in _WORDS:
        text = word.sub(other, text)
    return text


def passage_in_words_of(model: LossModel, passage: Passage) -> Passage:
    """Return a passage with its texts as they are said of a model."""
    match passage:
        case Heading(text) | Paragraph(text):
            return replace(passage, text=in_words_of(model, text))
        case Figure(_, caption):
            return replace(passage, caption=in_words_of(model, caption))
        case Table(header, rows, caption):
            told = tuple(tuple(in_words_of(model, cell) for cell in row) for row in rows)
            return Table(tuple(in_words_of(model, cell) for cell in header), told, in_words_of(model, caption))
        case Equation():
            return passage
