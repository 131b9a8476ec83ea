"""The sectors that a derivation speaks of are those that the solver solves in."""

from __future__ import annotations

import pytest
import sympy as sp

from replica import AttentionModel, Spectrum, SpectrumAtom, derive
from replica.derivation import Derivation
from replica.reports.content.equation_content import sector_equations
from saddle.averages.state_space import StateSpace
from saddle.averages.symmetries import state_space
from saddle.kernel.kernel import load_kernel

THIRDS = ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6))
TIED = Spectrum((SpectrumAtom(1.0, (0.25, 0.25), mixed_moments=[[0.5, 0], [-0.5, 0]]),))
MODELS = {
    "rank one": AttentionModel.paper(),
    "rank two": AttentionModel.paper(omega=0.3, rank=2),
    "three tokens": AttentionModel(0.3, positional_matrix=THIRDS, positional_encoding=(1, 0, -1)),
    "odd target": AttentionModel(0.3, target=lambda h: h * h.T + sp.diag(*h)),
    "odd target, skew matrix": AttentionModel(
        0.3, target=lambda h: h * h.T + sp.diag(*h), positional_matrix=((0.6, 0.4), (0.3, 0.7))
    ),
    "ends of a sequence": AttentionModel(
        0.3,
        target=lambda h: h * h.T + h[0] * h[2] * sp.ones(3),
        positional_matrix=THIRDS,
        positional_encoding=(1, 0, -1),
    ),
    "tied teacher": AttentionModel(0.3, teacher_rank=2, spectrum=TIED),
}


def derived_and_solved(model: AttentionModel) -> tuple[Derivation, StateSpace]:
    return derive(model), state_space(load_kernel(model.structure), model)


def nonzero(derivation: Derivation) -> dict[str, set[str]]:
    """Return what does not vanish in the sectors of a derivation, by the equations that it prints."""
    system, found = derivation.saddle_system, {}
    for sector in derivation.sectors:
        _, overlaps, conjugates = sector_equations(system, sector)
        assert len(overlaps) == len(conjugates)
        found[sector.name] = {x.name for x in system.order_parameters if x.symbol in overlaps}
    return found


def solved(space: StateSpace) -> dict[str, set[str]]:
    return {sector.name: {space.quantities[k].name for k in sector.free} for sector in space.sectors}


# Larger ones take seconds each to derive.
LARGER = ("three tokens", "rank two", "ends of a sequence")


@pytest.mark.parametrize("name", [pytest.param(x, marks=pytest.mark.slow) if x in LARGER else x for x in MODELS])
def test_equations_are_derived_for_the_unknowns_that_are_solved_for(name):
    derivation, space = derived_and_solved(MODELS[name])
    assert derivation.sectors == space.sectors
    assert nonzero(derivation) == solved(space)


@pytest.mark.measurement
def test_equations_of_rank_three_are_derived_for_the_unknowns_that_are_solved_for():
    derivation, space = derived_and_solved(AttentionModel.paper(omega=0.3, rank=3))
    assert len(space.sectors) == 18
    assert derivation.sectors == space.sectors
    assert nonzero(derivation) == solved(space)


def test_aligned_columns_of_rank_two_have_no_overlap_with_each_other():
    found = nonzero(derive(MODELS["rank two"]))
    diagonal = {"self_overlap_11", "self_overlap_22", "susceptibility_11", "susceptibility_22"}
    assert found["positional"] == {*diagonal, "positional_overlap_1"}
