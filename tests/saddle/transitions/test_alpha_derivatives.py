"""d alpha/d parameter of transitions: against the same equations solved at moved parameters, and symmetries."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from replica import AttentionModel, InvalidArgument, Spectrum, SpectrumAtom
from saddle import LineRule, line_parameters, solve_phase_diagram, with_parameters
from saddle.diagram.lines.start import equations_of
from saddle.transitions.sharpening import locate

STEP = 1e-3


@pytest.fixture(scope="module")
def atoms():
    """A diagram of a spectrum with two atoms, whose eigenvalues the kernel does not differentiate in."""
    law = Spectrum([SpectrumAtom(0.5, (0.2, 0.2)), SpectrumAtom(0.5, (0.3, 0.3), teacher_moments=[[1.5]])])
    return solve_phase_diagram(AttentionModel(0.3, spectrum=law), (0.8, 1.8), points=2, tolerance=5e-3, progress=False)


def moved(diagram, name: str, parameter: str) -> float:
    """Return the central difference of a transition's alpha, its equations solved at both sides by Newton's method."""
    transition, evolution = diagram.transitions[name], next(iter(diagram.branches.values())).evolution
    equations = equations_of(name, transition, diagram)
    states = [
        np.array(point.order_parameters)[list(sector.free)]
        for point, sector in zip(transition.points, equations.sectors, strict=True)
    ]
    start = np.concatenate([*states, [transition.alpha]])
    value, found = line_parameters(diagram.model)[parameter], []
    for sign in (1.0, -1.0):
        model = with_parameters(diagram.model, {parameter: value + sign * STEP})
        found.append(locate(equations, dataclasses.replace(evolution, model=model), start).alpha)
    return (found[0] - found[1]) / (2.0 * STEP)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("alpha_c", "omega"), ("alpha_c", "positional_matrix_12"), ("alpha_l", "sigma"),
     ("agnostic -> positional", "positional_encoding_1"), ("agnostic -> semantic", "omega")],
)  # fmt: skip
def test_they_are_what_the_transition_moves_by(diagram, name, parameter):
    found = diagram.derivatives(name)[parameter]
    # The equations at both sides are sharpened on one rule, so errors of alpha nearly cancel.
    assert moved(diagram, name, parameter) == pytest.approx(found.value, rel=2e-3, abs=5.0 * found.error)


@pytest.mark.slow
@pytest.mark.parametrize("parameter", ["eigenvalue_2", "teacher_moment_1"])
def test_they_hold_for_a_spectrum(atoms, parameter):
    found = atoms.derivatives("alpha_c")[parameter]
    assert moved(atoms, "alpha_c", parameter) == pytest.approx(found.value, rel=5e-3, abs=5.0 * found.error)


def test_they_have_the_symmetries_of_the_model(diagram):
    """Tokens renamed and encodings reversed leave the paper's model as it is; the linear layer knows no encodings."""
    found = diagram.derivatives("alpha_c")
    for first, second, sign in (("positional_matrix_11", "positional_matrix_22", 1.0),
                                ("positional_matrix_12", "positional_matrix_21", 1.0),
                                ("positional_encoding_1", "positional_encoding_2", -1.0)):  # fmt: skip
        assert found[first].value == pytest.approx(sign * found[second].value, rel=1e-6)
    linear = diagram.derivatives("alpha_l")
    assert abs(linear["positional_encoding_1"].value) < 1e-9
    assert "+-" in str(linear["omega"])
    assert pickle.loads(pickle.dumps(linear)) == linear


def test_what_is_not_there_has_none(diagram):
    with pytest.raises(InvalidArgument, match=r"'alpha_c'.*'semantic / mixed'"):
        diagram.derivatives("semantic / mixed")
    with pytest.raises(InvalidArgument, match="transition must be"):
        diagram.derivatives(3)
    short = solve_phase_diagram(diagram.model, (1.9, 2.0), points=2, rule=LineRule.for_tolerance(5e-3), progress=False)
    with pytest.raises(InvalidArgument, match="this diagram has"):
        short.derivatives("alpha_c")
