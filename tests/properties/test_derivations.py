"""Laws of the derivation that hold for every model: it passes its checks, is the same twice, and knows no order."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings, strategies as st

from replica import AttentionModel
from replica.algebra.equality import equal_expressions
from replica.code.source import generate_source
from replica.derivation import derive
from replica.quantities.matrices import OrderParameterMatrices
from replica.quantities.structure import ModelStructure
from saddle.testing import attention_models

CHEAP = ["replica symmetry", "no replicas", "shared order parameters", "saddle point", "sectors"]


def same_twice(model: AttentionModel) -> None:
    first, second = derive(model), derive(AttentionModel(**model.to_dict()))
    assert first is not second
    for x, y in zip(first.steps, second.steps, strict=True):
        assert x.text == y.text
        assert [sp.srepr(e.right) for e in x.equations] == [sp.srepr(e.right) for e in y.equations]
    for table in ("overlap_equations", "conjugate_equations"):
        tables = [getattr(d.saddle_system, table) for d in (first, second)]
        assert [(x.name, sp.srepr(y)) for x, y in tables[0].items()] == [
            (x.name, sp.srepr(y)) for x, y in tables[1].items()
        ]
    assert first.sectors == second.sectors
    texts = [generate_source(d.saddle_system) for d in (first, second)]
    assert texts[0].text == texts[1].text
    assert texts[0].digest == texts[1].digest


@settings(max_examples=3)
@given(model=attention_models(largest_length=2, largest_rank=1), seed=st.integers(0, 1000))
def test_cheap_checks_pass_for_any_model(model, seed):
    verification = derive(model).verify(seed=seed, steps=CHEAP)
    assert verification.passed, str(verification)


@pytest.mark.measurement
@settings(max_examples=10)
@given(model=attention_models(), seed=st.integers(0, 1000))
def test_cheap_checks_pass_for_many_models(model, seed):
    verification = derive(model).verify(seed=seed, steps=CHEAP)
    assert verification.passed, str(verification)


@pytest.mark.slow
@settings(max_examples=1)
@given(model=attention_models(largest_length=2), seed=st.integers(0, 1000))
def test_all_checks_pass_for_any_model(model, seed):
    verification = derive(model).verify(seed=seed)
    assert verification.passed, str(verification)


@pytest.mark.slow
@settings(max_examples=1)
@given(model=attention_models(largest_length=2, largest_rank=1))
def test_a_derivation_is_the_same_twice(model):
    same_twice(model)


@pytest.mark.measurement
@settings(max_examples=2)
@given(model=attention_models())
def test_derivations_of_many_models_are_the_same_twice(model):
    same_twice(model)


def renaming(structure: ModelStructure, order: tuple[int, ...]) -> dict[sp.Symbol, sp.Symbol]:
    """What becomes of every symbol where token l, alone in its group, is called order[l]."""
    phi = derive(structure).free_entropy
    layout, law, matrices = phi.layout, phi.model.token_law, OrderParameterMatrices(phi.layout)
    rank, t = layout.rank, layout.teacher_rank
    pairs: list[tuple[sp.Symbol, sp.Symbol]] = []
    for own, other in enumerate(order):
        for fields, width in (
            (phi.channel.fields, rank),
            (phi.channel.proximal_point, rank),
            (phi.model.teacher_fields, t),
            (phi.channel.forces, rank),
        ):
            listed = list(fields)
            pairs += zip(listed[own * width :][:width], listed[other * width :][:width], strict=True)
        for kind in ("self_overlap", "susceptibility", "semantic_overlap"):
            for name in (kind, f"{kind}_conjugate"):
                pairs += zip(matrices.of(name, own), matrices.of(name, other), strict=True)
        for matrix in (sp.Matrix(law.encoding),):
            pairs += zip(matrix[own, :], matrix[other, :], strict=True)
        for values in (law.eigenvalues, law.traces):
            pairs.append((values[own], values[other]))
        pairs += zip(law.teacher_variances[own], law.teacher_variances[other], strict=True)
        size = layout.sequence_length
        for row in range(size):
            pairs.append(
                (phi.channel.target_symbols[row * size + own], phi.channel.target_symbols[order[row] * size + other])
            )
    return {x: y for x, y in pairs if x.is_Symbol}


@pytest.mark.parametrize("order", [(1, 0), (0, 2, 1), (1, 2, 0)])
def test_renaming_tokens_of_different_covariance_permutes_the_equations(order):
    structure = ModelStructure(len(order), groups=tuple(range(len(order))), isotropic=False)
    derivation = derive(structure)
    system, phi = derivation.saddle_system, derivation.free_entropy
    renamed = renaming(structure, order)
    assert set(renamed) == set(renamed.values())
    for x, value in system.overlap_equations.items():
        assert sp.expand(_atom(value.xreplace(renamed)) - _atom(system.overlap_equations[renamed.get(x, x)])) == 0
    for hat in system.conjugate_equations:
        here, there = (system.conjugate_integrand(y) for y in (hat, renamed.get(hat, hat)))
        assert sp.simplify(here.xreplace(renamed) - there) == 0
    assert equal_expressions([phi.channel.loss.subs(renamed, simultaneous=True)], [phi.channel.loss])
    for expression in (phi.trace_term, phi.prior.integrand, phi.channel.objective - phi.channel.loss):
        assert sp.simplify(expression.xreplace(renamed) - expression) == 0


def _atom(value):
    return getattr(value, "integrand", value)
