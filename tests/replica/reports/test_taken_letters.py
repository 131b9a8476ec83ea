"""No symbol may be given a letter that stands for something else on the same page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from replica import AttentionModel, Spectrum, derive
from replica.common.errors import InvalidArgument
from replica.reports.content.equation_report import equation_report
from replica.reports.passages import Equation, Paragraph, Passage, Table
from replica.reports.typesetting.naming import TAKEN, Naming, token_stems
from replica.reports.typesetting.tokens import canonical, group_end, tokenise

WORDS = {r"\mathrm", r"\operatorname", r"\operatorname*", r"\text", r"\label", r"\mathbb", r"\mathcal"}
# What LaTeX calls by words and no sentence explains.
_TYPESETTING = r"""
    \left \right \bigl \bigr \Bigl \Bigr \biggl \biggr \lvert \rvert \frac \tfrac \sqrt \hat \quad \cdot \times \to \in
    \sum \prod \int \det \lim \log \min \top \star \ldots \dots \exp \tanh \langle \rangle \le \ge \ne \mid \lVert
    \rVert"""
TYPESETTING = frozenset(_TYPESETTING.split())
MODELS = {
    "paper": AttentionModel.paper(),
    "two columns": AttentionModel.paper(rank=2, teacher_rank=2),
    "spectrum": AttentionModel(0.0, spectrum=Spectrum.isotropic(0.2, 0.3)),
}


def mathematics(passage: Passage) -> Iterator[str]:
    texts: list[str] = []
    match passage:
        case Equation():
            yield passage.left
            yield from (line.text for line in passage.lines)
        case Paragraph(text):
            texts.append(text)
        case Table():
            texts += [*passage.header, *(cell for row in passage.rows for cell in row), passage.caption]
    for text in texts:
        yield from re.findall(r"\$([^$]*)\$", text)


def letters(latex: str) -> Iterator[str]:
    tokens, k = canonical(tokenise(latex)), 0
    while k < len(tokens):
        if tokens[k] in WORDS:
            k = group_end(tokens, k + 1)
            continue
        if re.fullmatch(r"[A-Za-z]|\\[A-Za-z]+", tokens[k]):
            yield tokens[k]
        k += 1


@pytest.mark.parametrize("name", MODELS)
def test_no_letter_of_a_page_can_be_given_to_another_symbol(name):
    passages = equation_report(derive(MODELS[name])).with_results((), Naming.of(None))
    found = {
        letter for passage in passages for latex in mathematics(passage) for letter in letters(latex)
    } - TYPESETTING
    assert {"q", r"\mu", r"\beta"} <= found
    own = {latex for latex in token_stems().values() if latex in found}
    inside = {token for latex in token_stems().values() for token in tokenise(latex)} - own
    for letter in sorted(found - inside):
        if token_stems()["susceptibility"] != letter:
            with pytest.raises(InvalidArgument, match="latex_names"):
                Naming.of({"susceptibility": letter})


@pytest.mark.parametrize("letter", TAKEN)
def test_what_a_letter_stands_for_is_said(letter):
    with pytest.raises(InvalidArgument, match=re.escape(TAKEN[letter])):
        Naming.of({"positional_overlap": letter})
