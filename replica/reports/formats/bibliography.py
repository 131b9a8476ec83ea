"""BibTeX of what a report rests on: the paper, the library, and methods only where they were used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replica.common.version import library_version
from replica.reports.passages import Figure, Paragraph, Passage, Table

__all__ = ["CITATION", "PUBLICATIONS", "Publication", "bibtex", "cited"]

CITATION = re.compile(r"\{cite:([\w-]+)\}")


@dataclass(frozen=True)
class Publication:
    """One entry of the bibliography.

    Attributes
    ----------
    key, kind, fields
        BibTeX's key, type and fields; names with accents in LaTeX.
    text
        The entry in a list of references, plain text.
    link
        Address of the publication, if any.
    """

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]
    text: str
    link: str = ""


PUBLICATIONS = (
    Publication(
        "cui2024phase", "inproceedings",
        (("author", r"Cui, Hugo and Behrens, Freya and Krzakala, Florent and Zdeborov{\'a}, Lenka"),
         ("title", "A phase transition between positional and semantic learning in a solvable model of dot-product "
                   "attention"),
         ("booktitle", "Advances in Neural Information Processing Systems"),
         ("volume", "37"), ("year", "2024"), ("eprint", "2402.03902"), ("archiveprefix", "arXiv")),
        "H. Cui, F. Behrens, F. Krzakala and L. Zdeborová, A phase transition between positional and semantic "
        "learning in a solvable model of dot-product attention, NeurIPS 2024, arXiv:2402.03902.",
        "https://arxiv.org/abs/2402.03902",
    ),
    Publication(
        "attention-phase", "software",
        (("author", "{The attention-phase founders}"), ("title", "attention-phase"), ("version", "@version@"),
         ("note", "MIT licence")),
        "The attention-phase founders, attention-phase, version @version@ (software, MIT licence).",
    ),
    Publication(
        "sobol1967", "article",
        (("author", "Sobol', I. M."),
         ("title", "On the distribution of points in a cube and the approximate evaluation of integrals"),
         ("journal", "USSR Computational Mathematics and Mathematical Physics"), ("volume", "7"), ("number", "4"),
         ("pages", "86--112"), ("year", "1967")),
        "I. M. Sobol', On the distribution of points in a cube and the approximate evaluation of integrals, USSR "
        "Comput. Math. Math. Phys. 7 (1967) 86.",
    ),
    Publication(
        "price1958", "article",
        (("author", "Price, Robert"), ("title", "A useful theorem for nonlinear devices having {Gaussian} inputs"),
         ("journal", "IRE Transactions on Information Theory"), ("volume", "4"), ("number", "2"), ("pages", "69--72"),
         ("year", "1958")),
        "R. Price, A useful theorem for nonlinear devices having Gaussian inputs, IRE Trans. Inf. Theory 4 (1958) 69.",
    ),
)  # fmt: skip


def cited(passages: Iterable[Passage]) -> tuple[Publication, ...]:
    """Return the publications that passages cite, in the order of their first citation.

    Raises
    ------
    ValueError
        If one is unknown.
    """
    known = {publication.key: publication for publication in PUBLICATIONS}
    keys: dict[str, None] = {}
    for passage in passages:
        match passage:
            case Paragraph(text):
                texts: Sequence[str] = (text,)
            case Table():
                texts = (*passage.header, *(cell for row in passage.rows for cell in row), passage.caption)
            case Figure():
                texts = (passage.caption,)
            case _:
                texts = ()
        keys |= dict.fromkeys(key for text in texts for key in CITATION.findall(text))
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise ValueError(f"no publication is known as {unknown[0]!r}: add it to replica.reports.formats.bibliography")
    return tuple(known[key] for key in keys)


def bibtex(publications: Iterable[Publication]) -> str:
    """Return publications as a BibTeX file."""
    entries = []
    for publication in publications:
        fields = ",\n".join(f"  {name} = {{{value}}}" for name, value in publication.fields)
        entries.append(f"@{publication.kind}{{{publication.key},\n{fields}\n}}".replace("@version@", library_version()))
    return "\n\n".join(entries) + "\n"
