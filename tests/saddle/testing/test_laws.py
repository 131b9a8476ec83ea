"""The laws that are published can fail: each is told of what is planted in a diagram, and of nothing in the diagram."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from replica import AttentionModel, Spectrum, linear_attention, softmax
from saddle import PhaseDiagram
from saddle.testing import (
    Asking,
    assert_agree,
    assert_askings_agree,
    assert_explained,
    assert_stationary,
    assert_survives,
    assert_symmetric,
    images_of,
)
from saddle.testing.transition_laws import transition_laws

DATA = Path(__file__).resolve().parents[2] / "data"
NAMES = (
    "alpha_c", "alpha_l", "agnostic -> semantic", "semantic -> mixed", "agnostic -> positional from agnostic",
)  # fmt: skip


@pytest.fixture(scope="module")
def solved() -> PhaseDiagram:
    return PhaseDiagram.load(DATA / "phase_diagram_5.nc")


def shifted(diagram: PhaseDiagram, name: str, errors: float) -> PhaseDiagram:
    """Return a diagram with one transition elsewhere, wherever it is listed."""
    old = diagram.transitions[name]
    new = replace(old, alpha=old.alpha + errors * old.error)

    def all_of(transitions):
        return tuple(new if one == old else one for one in transitions)

    alpha_c, alpha_l = all_of((diagram.alpha_c, diagram.alpha_l))
    lists = {x: all_of(getattr(diagram, x)) for x in ("bifurcations", "first_order", "everywhere")}
    return replace(diagram, alpha_c=alpha_c, alpha_l=alpha_l, **lists)


def without(diagram: PhaseDiagram, name: str) -> PhaseDiagram:
    return replace(diagram, branches={x: branch for x, branch in diagram.branches.items() if x != name})


def changed(diagram: PhaseDiagram, name: str, **changes) -> PhaseDiagram:
    return replace(diagram, branches={**diagram.branches, name: replace(diagram.branches[name], **changes)})


def with_swapped_names(diagram: PhaseDiagram) -> PhaseDiagram:
    other = {"semantic": "positional", "positional": "semantic"}
    renamed = {name: replace(diagram.branches[other.get(name, name)], name=name) for name in diagram.branches}
    return replace(diagram, branches=renamed)


def test_a_solved_diagram_obeys_all_laws(solved):
    assert_stationary(solved)
    assert_explained(solved)
    assert_agree(solved, solved)
    assert_survives(solved)


def all_shifted(diagram: PhaseDiagram, errors: float) -> PhaseDiagram:
    for name in NAMES:
        diagram = shifted(diagram, name, errors)
    return diagram


def test_a_shifted_transition_does_not_solve_its_own_equations(solved):
    assert set(NAMES) == set(solved.transitions)
    assert not list(transition_laws(all_shifted(solved, 1.0)))
    for errors in (10.0, -10.0):
        found = [text for text in transition_laws(all_shifted(solved, errors)) if text.startswith("transition: ")]
        assert [text.split("'")[1] for text in found] == [*NAMES]
        assert all("its own equations are solved" in text for text in found)
    with pytest.raises(AssertionError, match=r"'alpha_c' is stated at .* its own equations are solved"):
        assert_stationary(shifted(solved, "alpha_c", 10.0), places=1)


def test_a_transition_that_moved_contradicts_the_one_that_did_not(solved):
    with pytest.raises(AssertionError, match=r"^alpha_c: first .*; second"):
        assert_agree(solved, shifted(solved, "alpha_c", 10.0))
    with pytest.raises(AssertionError, match=r"^bifurcations: first"):
        assert_agree(solved, shifted(solved, "semantic -> mixed", 10.0), leaving_out=("phases", "branches"))
    assert_agree(solved, shifted(solved, "alpha_c", 10.0), leaving_out=("alpha_c", "first_order", "phases"))


@pytest.mark.parametrize("name", ["agnostic", "positional", "positional from agnostic", "semantic", "mixed"])
def test_a_branch_that_is_missing_is_missed(solved, name):
    with pytest.raises(AssertionError, match=f"names: there is no branch '{name}' for the"):
        assert_explained(without(solved, name))
    if name != "positional from agnostic":  # of which the range has one point
        with pytest.raises(AssertionError, match=f"branches: '{name}' of the first is not known to the second"):
            assert_agree(solved, without(solved, name))
    assert any(f"is one of '{name}', which is no branch" in text for text in transition_laws(without(solved, name)))


def test_swapped_names_are_noticed(solved):
    swapped = with_swapped_names(solved)
    with pytest.raises(AssertionError, match=r"sectors: 'alpha_c' .* has a positional_overlap"):
        assert_stationary(swapped, places=1)
    with pytest.raises(AssertionError, match=r"names|values|branches"):
        assert_agree(solved, swapped)
    with pytest.raises(AssertionError, match="unexplained: from"):
        assert_explained(swapped)
    keys = dict(zip(solved.branches, reversed(solved.branches.values()), strict=True))
    with pytest.raises(AssertionError, match="names: under 'agnostic' stands the branch 'mixed'"):
        assert_explained(replace(solved, branches=keys))


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"free_entropy": 1.0 + 1e-5}, "phi: 'semantic' at alpha"),
    ({"train_loss": 1.0 + 1e-5}, "loss: the two routes to the training loss of 'semantic'"),
    ({"states": 1.0 + 1e-4}, "residual: 'semantic' at alpha"),
])  # fmt: skip
def test_a_number_that_is_off_is_noticed(solved, changes, sentence):
    branch = solved.branches["semantic"]
    wrong = {name: getattr(branch, name) * factor for name, factor in changes.items()}
    with pytest.raises(AssertionError, match=sentence):
        assert_stationary(changed(solved, "semantic", **wrong))


def test_another_model_s_diagram_is_no_solution(solved):
    with pytest.raises(AssertionError, match="is no solution: its largest residual is"):
        assert_stationary(replace(solved, model=replace(solved.model, omega=0.31)), places=1)


def test_phi_is_not_stationary_beside_a_solution(solved):
    from saddle.testing.diagram_laws import _not_stationary

    branch = solved.branches["positional"]
    moved = replace(branch, states=branch.states * (1.0, 1.1, 1.0, 1.0))
    assert not list(_not_stationary("positional", branch, branch.evolution, 1e-3))
    found = list(_not_stationary("positional", moved, branch.evolution, 1e-3))
    assert any("is not stationary in positional_overlap" in text for text in found), found


def test_slopes_of_phi_are_looked_at(solved):
    with pytest.raises(AssertionError, match="slope: dPhi/dalpha of 'semantic'"):
        assert_stationary(solved, tolerance=1e-6, places=1)


def test_what_is_not_told(solved):
    with pytest.raises(AssertionError, match="reasons: no alpha_l, and no word why"):
        assert_explained(replace(solved, alpha_l=None))
    with pytest.raises(AssertionError, match="unexplained: from 'positional' to"):
        assert_explained(replace(solved, alpha_c=None, first_order=(), everywhere=(), reasons={"alpha_c": "none"}))
    with pytest.raises(AssertionError, match="complete: the computation was interrupted"):
        assert_explained(replace(solved, complete=False))
    with pytest.raises(AssertionError, match="no minimum: none is known"):
        assert_explained(replace(solved, branches={}, alpha_c=None, alpha_l=None, bifurcations=(), first_order=()))


@dataclass(frozen=True)
class Forgetful:
    """A result whose copies are others."""

    number: float
    array: np.ndarray

    def __deepcopy__(self, memo):
        return Forgetful(self.number + 1.0, self.array)

    def __reduce__(self):
        raise TypeError("cannot be pickled")

    def __copy__(self):
        return Forgetful(self.number, self.array.copy())


def test_what_is_lost_on_the_way(solved):
    array = np.zeros(2)
    array.setflags(write=False)
    with pytest.raises(AssertionError) as failure:
        assert_survives(Forgetful(1.0, array))
    assert str(failure.value).splitlines() == [
        "pickle: TypeError: cannot be pickled",
        "copy: array was read-only, and can be written to",
        "deep copy: what comes back is another Forgetful",
    ]
    for result in (solved.model, solved.branches["mixed"], solved.alpha_c, copy.copy(solved)):
        assert_survives(result)


def test_answers_that_depend_on_how_they_are_asked_for(solved, monkeypatch):
    """A solver that has other answers for four points, or for other models; real ones: ``tests/properties``."""
    wrong = shifted(solved, "alpha_c", 10.0)
    askings = [Asking(points=points) for points in (3, 4, 3)]
    monkeypatch.setattr(Asking, "solve", lambda asking, model: wrong if asking.points == 4 else solved)
    assert_askings_agree(solved.model, askings[::2])
    with pytest.raises(AssertionError) as failure:
        assert_askings_agree(solved.model, askings, leaving_out=["first_order", "phases"])
    assert [text[:24] for text in str(failure.value).splitlines()] == [
        "askings 0 and 1: alpha_c", "askings 0 and 1: alpha_c", "askings 1 and 2: alpha_c", "askings 1 and 2: alpha_c",
    ]  # fmt: skip
    monkeypatch.setattr(Asking, "solve", lambda asking, model: solved if model == solved.model else wrong)
    with pytest.raises(AssertionError, match=r"^tokens renamed 2, 1: alpha_c: first"):
        assert_symmetric(solved.model, askings[0])
    monkeypatch.setattr(Asking, "solve", lambda asking, model: solved)
    assert_symmetric(solved.model, askings[0])


GENERAL = AttentionModel(
    0.3, spectrum=Spectrum.isotropic(0.2, 0.3), positional_gram=[[1.0, 0.2], [0.2, 2.0]], attention=linear_attention()
)


@pytest.mark.parametrize(("model", "names"), [
    (AttentionModel.paper(), ["tokens renamed 2, 1"]),
    (AttentionModel(0.3, positional_matrix=[[0.5, 0.3], [0.2, 0.7]]),
     ["tokens renamed 2, 1", "encodings reversed", "sums of A's rows reflected"]),
    (AttentionModel(0.0, sequence_length=3, positional_encoding=(1.0, 0.5, -1.0)),
     ["tokens renamed 2, 1, 3", "tokens renamed 2, 3, 1", "encodings reversed"]),
    # A mask knows which token is the first.
    (AttentionModel.paper(attention=lambda h: softmax(h * h.T) + h[0] ** 2 * softmax(h * h.T)), ["encodings reversed"]),
    (AttentionModel.paper(target=lambda h: 2 * softmax(3 * h * h.T)), ["tokens renamed 2, 1"]),
    (GENERAL, ["tokens renamed 2, 1", "an atom as two halves"]),
])  # fmt: skip
def test_images_of_models(model, names):
    images = images_of(model)
    assert list(images) == names
    assert model not in images.values()


def test_images_of_spectra_have_their_moments():
    images = images_of(GENERAL)
    assert images["tokens renamed 2, 1"].spectrum.token_traces == (0.3, 0.2)
    assert images["tokens renamed 2, 1"].positional_gram == ((2.0, 0.2), (0.2, 1.0))
    np.testing.assert_array_equal(images["an atom as two halves"].spectrum.weights, [0.5, 0.5])


@pytest.mark.parametrize(("law", "quoted"), [
    (lambda d: assert_stationary(3), "diagram must be a solved PhaseDiagram, got 3"),
    (lambda d: assert_stationary(d, tolerance=2.0), "tolerance must lie in"),
    (lambda d: assert_explained(d.model), "diagram must be a solved PhaseDiagram"),
    (lambda d: assert_agree(d, None), "second must be a solved PhaseDiagram, got None"),
    (lambda d: assert_agree(d, d, leaving_out="phi"), "leaving_out must be a collection"),
    (lambda d: assert_agree(d, d, leaving_out=["alphas"]), "got 'alphas'"),
    (lambda d: assert_askings_agree(3), "must have an AttentionModel"),
    (lambda d: assert_askings_agree(d.model, [Asking()]), "askings must be two or more"),
    (lambda d: assert_askings_agree(d.model, [Asking(), 3]), r"askings\[1\] must be an Asking, got 3"),
    (lambda d: assert_symmetric(d.model, 3), "asking must be an Asking, got 3"),
    (lambda d: images_of(3), "must have an AttentionModel"),
])  # fmt: skip
def test_bad_arguments_are_quoted(solved, law, quoted):
    with pytest.raises(ValueError, match=quoted):
        law(solved)
