"""The table of letters: one entry a letter, and everything that reads it agrees."""

from __future__ import annotations

from collections import Counter

import pytest
import sympy as sp

from replica.quantities.letters import LETTERS, STEMS
from replica.quantities.names import is_parameter_name
from replica.reports.content.definitions import Glossary
from replica.reports.typesetting.latex_names import latex_of_symbol
from replica.reports.typesetting.naming import TAKEN, token_stems

ALL = [letter for part in LETTERS.values() for letter in part]


def test_a_letter_is_entered_once():
    for values in ([x.latex for x in ALL], [x.stem for x in ALL if x.stem], [x.name for x in ALL if x.name]):
        assert max(Counter(values).values()) == 1


def test_a_letter_is_defined_or_said():
    assert [x.latex for x in ALL if not (x.meaning or x.name or x.stands_for)] == []


def test_a_letter_has_a_name_or_is_taken_not_both():
    assert [x.latex for x in ALL if x.name and x.stands_for] == []
    assert set(TAKEN).isdisjoint(token_stems().values())


@pytest.mark.parametrize("stem", sorted(STEMS))
def test_a_symbol_of_a_stem_is_printed_and_defined(stem):
    symbol = sp.Symbol(f"{stem}_1")
    assert latex_of_symbol(symbol) == f"{STEMS[stem]}_{{1}}"
    if stem not in ("y", "xi"):  # the model says whether it has these
        (number,) = Glossary().of_symbols([symbol])
        assert Glossary().entries[number].stem == STEMS[stem]


@pytest.mark.parametrize("letter", [x for x in ALL if x.stem or x.in_code], ids=lambda x: x.word)
def test_no_parameter_is_called_like_a_letter_of_the_code(letter):
    assert not is_parameter_name(letter.word)
    assert not is_parameter_name(f"{letter.word}_1")
