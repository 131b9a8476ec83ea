"""What may be chosen of a report: its parts, and how its labels begin."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations

import pytest
import sympy as sp

from replica import AttentionModel, ModelStructure, MultiIndexModel, Naming, Spectrum, derive, equation_report
from replica.common.errors import InvalidArgument
from replica.derivation import Derivation
from replica.reports.content.equation_report import PARTS, EquationReport
from replica.reports.formats.choices import ReportOptions
from replica.reports.formats.label_prefix import label_prefix
from replica.reports.passages import Heading, Table

PLAIN = Naming.of(None)


@cache
def derivation() -> Derivation:
    return derive(AttentionModel.paper())


@cache
def report() -> EquationReport:
    return equation_report(derivation())


def ridge(**changes) -> MultiIndexModel:
    settings = {"loss": lambda z, y: (y[0] - z[0]) ** 2 / 2, "regularization": 0.1}
    return MultiIndexModel(**(settings | changes))


DIFFERENT = {
    "paper": AttentionModel.paper(),
    "omega": AttentionModel.paper(omega=0.2),
    "tokens": AttentionModel(0.3, positional_matrix=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], positional_encoding=(1, 0, -1)),
    "rank": AttentionModel(0.3, rank=2),
    "spectrum": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "structure": ModelStructure(2, 1),
    "other structure": ModelStructure(2, 2),
    "ridge": ridge(),
    "penalty": ridge(regularization=0.2),
    "variance": ridge(spectrum=Spectrum.isotropic(0.2)),
    "loss": ridge(loss=lambda z, y: (y[0] - z[0]) ** 4),
    "outputs": ridge(outputs=lambda h, _: [sp.sign(h[0])]),
}


def test_different_models_have_different_labels():
    prefixes = {name: label_prefix(derive(model)) for name, model in DIFFERENT.items()}
    for first, second in combinations(prefixes, 2):
        assert prefixes[first] != prefixes[second], (first, second)
    for prefix in prefixes.values():
        assert re.fullmatch(r"(attention|multi-index)-[0-9a-f]{6}", prefix)


def test_labels_of_one_model_stay_the_same():
    # Papers refer to them: of other releases and machines, too.
    assert label_prefix(derive(AttentionModel(0.3))) == label_prefix(derivation()) == "attention-2b7d59"
    assert label_prefix(derive(ridge())) == label_prefix(derive(ridge()))


def test_parts_make_up_the_whole():
    whole = report().with_results((), PLAIN)
    parts = [x for part in PARTS if part != "symbols" for x in report().with_results((), PLAIN, (part,))]
    (table,) = [x for x in whole if isinstance(x, Table) and x.header[0] == "symbol"]
    assert [x for x in whole if x != table and x != Heading("Symbols")] == parts
    assert report().with_results((), PLAIN, ("symbols",)) == [Heading("Symbols"), table]


def test_symbols_are_those_of_the_parts_chosen():
    (table,) = [x for x in report().with_results((), PLAIN, ("symbols", "saddle point")) if isinstance(x, Table)]
    defined = {row[0] for row in table.rows}
    assert "$q$" in defined
    assert r"$\mathcal{N}$" not in defined
    assert r"$\mathcal{A}_{s}$" not in defined


def test_fragments_hold_the_parts_chosen():
    assert set(report().fragments(PLAIN)) == {"equations.tex", "derivation.tex"}
    assert report().fragments(PLAIN, ("parameters",)) == {}
    only = report().fragments(PLAIN, ("sectors", "parameters"))
    assert only == {"equations.tex": list(report().sections["sectors"])}


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"parts": ("nonsense",)}, "'nonsense'.*model, symbols, derivation, free entropy"),
        ({"parts": ("transitions",)}, "'transitions'"),
        ({"parts": ()}, "at least one of model"),
        ({"parts": 3}, "3"),
        ({"parts": [3]}, "3"),
        ({"prefix": "a_b"}, "a_b"),
        ({"formats": ("docx",)}, "docx"),
    ],
)
def test_what_cannot_be_chosen_is_refused(options, quoted):
    with pytest.raises(InvalidArgument, match=quoted):
        ReportOptions(**options).checked(derivation(), PARTS)


def test_parts_keep_their_order():
    options = ReportOptions(parts=["observables", "model", "observables"])
    assert options.checked(derivation(), PARTS).parts == ("model", "observables")
    assert ReportOptions(parts="sectors").checked(derivation(), PARTS).parts == ("sectors",)
