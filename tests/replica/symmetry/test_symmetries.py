"""Symmetries of general models are found, not assumed, and families of solutions follow from them."""

from __future__ import annotations

import functools

import pytest
import sympy as sp

from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, Symmetry, linear_attention, softmax
from replica.derivation import Derivation, derive
from replica.quantities.structure import ModelStructure
from replica.symmetry.finding import transformed_fields
from replica.symmetry.joint_reversals import _candidates
from replica.symmetry.sectors import Sector

STUDENT, TEACHER = "reversal of the student", "reversal of the teacher"
EXCHANGE = "renaming of tokens 1 -> 2, 2 -> 1"
THIRDS = ((0.6, 0.2, 0.2), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6))
SQUARE = [[1, 0, -1, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]]


def atom(**moments) -> Spectrum:
    return Spectrum((SpectrumAtom(1.0, (0.25, 0.25), **moments),))


MODELS = {
    "paper": AttentionModel.paper(),
    "skew matrix": AttentionModel.paper(positional_matrix=((0.6, 0.4), (0.3, 0.7))),
    "skew matrix without weight": AttentionModel(0.0, positional_matrix=((0.6, 0.4), (0.3, 0.7))),
    "skew encodings": AttentionModel.paper(positional_encoding=(1.0, 0.5)),
    "odd target": AttentionModel(0.3, target=lambda h: h * h.T + h[0] * sp.eye(2)),
    "three": AttentionModel(0.3, positional_matrix=THIRDS, positional_encoding=(1, 0, -1)),
    "equal encodings": AttentionModel(
        0.3, positional_matrix=THIRDS, positional_encoding=(1, 1, 1), attention=linear_attention()
    ),
    "different variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "tied teacher": AttentionModel(0.3, spectrum=atom(mixed_moments=[[0.5], [-0.5]])),
    "teacher of two": AttentionModel(0.3, teacher_rank=2),
    "teacher of two, correlated": AttentionModel(
        0.3, teacher_rank=2, spectrum=atom(teacher_moments=[[1, 0.3], [0.3, 1]])
    ),
    "teacher of two, one tied": AttentionModel(0.3, teacher_rank=2, spectrum=atom(mixed_moments=[[0.5, 0], [-0.5, 0]])),
    "columns": AttentionModel(0.3, rank=2),
    "columns that differ": AttentionModel(
        0.3, rank=2, attention=lambda h: softmax(h[:, 0] * h[:, 0].T + 2 * h[:, 1] * h[:, 1].T)
    ),
    "keys and queries": AttentionModel(0.3, rank=2, attention=lambda h: softmax(h[:, 0] * h[:, 1].T)),
    "square": AttentionModel(0.0, attention=linear_attention(), target=linear_attention(), positional_gram=SQUARE),
}


@functools.cache
def derivation(name: str) -> Derivation:
    return derive(MODELS[name])


def vanishing(name: str, sector: Sector) -> set[str]:
    return set(map(str, derivation(name).vanishing(sector)))


def columns(whose: str, *numbers: int) -> str:
    return f"{whose}'s column{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", {STUDENT, TEACHER, EXCHANGE}),
        ("skew matrix", {STUDENT, TEACHER}),
        # What has no weight does not break a symmetry.
        ("skew matrix without weight", {STUDENT, TEACHER, EXCHANGE}),
        ("skew encodings", {STUDENT, TEACHER}),
        ("odd target", {STUDENT}),
        ("three", {STUDENT, TEACHER, "renaming of tokens 1 -> 3, 2 -> 2, 3 -> 1"}),
        # Two of the five permutations generate the others.
        ("equal encodings", {STUDENT, TEACHER, "renaming of tokens 1 -> 1, 2 -> 3, 3 -> 2",
                             "renaming of tokens 1 -> 2, 2 -> 1, 3 -> 3"}),
        ("different variances", {STUDENT, TEACHER}),
        # An exchange turns tau around, to which the teacher is tied.
        ("tied teacher", {STUDENT}),
        ("teacher of two", {STUDENT, columns(TEACHER, 1), columns(TEACHER, 2), EXCHANGE}),
        ("teacher of two, correlated", {STUDENT, columns(TEACHER, 1, 2), EXCHANGE}),
        ("teacher of two, one tied", {STUDENT, columns(TEACHER, 2)}),
        ("columns", {columns(STUDENT, 1), columns(STUDENT, 2), TEACHER, EXCHANGE}),
        ("columns that differ", {columns(STUDENT, 1), columns(STUDENT, 2), TEACHER, EXCHANGE}),
        ("keys and queries", {columns(STUDENT, 1, 2), TEACHER, EXCHANGE}),
    ],
)  # fmt: skip
def test_what_leaves_a_model_unchanged(name, expected):
    assert {x.name for x in derivation(name).symmetries.generators} == expected


@pytest.mark.parametrize("name", MODELS)
def test_only_equal_columns_may_be_rotated(name):
    assert derivation(name).symmetries.rotations == (name == "columns")


AGNOSTIC, POSITIONAL, SEMANTIC, MIXED = "agnostic", "positional", "semantic", "mixed"
PAPER = {AGNOSTIC: "m theta", POSITIONAL: "theta", SEMANTIC: "m", MIXED: ""}
TWO = {AGNOSTIC: "m_1 m_2 theta_1 theta_2", POSITIONAL: "theta_1 theta_2", SEMANTIC: "m_1 m_2", MIXED: ""}
# Columns that can be rotated: of sectors that an exchange of columns maps to each other, one.
ROTATED = {
    AGNOSTIC: "q_12 V_12 m_1 m_2 theta_1 theta_2",
    "agnostic 2": "m_1 m_2 theta_1 theta_2",
    POSITIONAL: "q_12 V_12 m_2 theta_1 theta_2",
    "positional 2": "theta_1 theta_2",
    SEMANTIC: "q_12 V_12 m_1 m_2 theta_2",
    "semantic 2": "m_1 m_2",
    MIXED: "q_12 V_12 m_2 theta_1",
    "mixed 2": "q_12 V_12 m_2 theta_2",
    "mixed 3": "",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", PAPER),
        ("skew encodings", PAPER),
        ("three", PAPER),
        ("equal encodings", PAPER),
        # Nothing tells the two signs of the teacher apart any more but those of the student.
        ("odd target", {AGNOSTIC: "m theta", MIXED: ""}),
        ("tied teacher", {AGNOSTIC: "m theta", MIXED: ""}),
        ("different variances",
         {AGNOSTIC: "m theta_1 theta_2", POSITIONAL: "theta_1 theta_2", SEMANTIC: "m", MIXED: ""}),
        ("teacher of two, correlated",
         {AGNOSTIC: "m theta_1 theta_2", POSITIONAL: "theta_1 theta_2", SEMANTIC: "m", MIXED: ""}),
        ("teacher of two, one tied",
         {AGNOSTIC: "m theta_1 theta_2", MIXED: "theta_2", SEMANTIC: "m theta_1", "mixed 2": ""}),
        ("columns", ROTATED),
        ("keys and queries", TWO),
    ],
)  # fmt: skip
def test_families_and_what_vanishes_in_them(name, expected):
    found = {sector.name: vanishing(name, sector) for sector in derivation(name).sectors}
    assert found == {family: set(letters.split()) for family, letters in expected.items()}


def test_columns_that_differ_have_families_of_their_own():
    found = [vanishing("columns that differ", sector) for sector in derivation("columns that differ").sectors]
    # The second column alone vanishes from the tasks: all its overlaps with the first, the encodings and the teacher.
    assert {"q_12", "V_12", "m_2", "theta_2"} in found
    assert {"q_12", "V_12", "m_1", "theta_2"} in found
    assert len(found) == len({frozenset(x) for x in found}) == 13


def test_encodings_on_a_square_have_a_family_per_direction():
    found = {frozenset(vanishing("square", sector)) for sector in derivation("square").sectors}
    assert {frozenset({"m_1"}), frozenset({"m_2"}), frozenset({"m_1", "m_2"})} <= found
    # The rotation of the square by a quarter acts otherwise than by signs.
    assert any(not x.signs for x in derivation("square").symmetries.generators)


@pytest.mark.parametrize("name", ["odd target", "three", "tied teacher", "teacher of two, one tied", "square"])
def test_equations_of_what_vanishes_hold_in_every_family(name):
    checks = derivation(name).verify(steps=["sectors"]).checks
    assert len(checks) == len(derivation(name).sectors) - 1
    assert all(x.passed for x in checks)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_equations_of_what_vanishes_hold_in_every_family_of_every_model(name):
    assert derivation(name).verify(steps=["sectors"]).passed


def signs_of(name: str, symmetry: Symmetry) -> dict[str, int]:
    letters = [str(x.symbol) for x in derivation(name).saddle_system.order_parameters]
    return dict(zip(letters, symmetry.signs, strict=True))


def test_signs_of_order_parameters_are_those_of_their_definitions():
    (first,) = [x for x in derivation("columns").symmetries.generators if x.name == columns(STUDENT, 1)]
    signs = signs_of("columns", first)
    assert {x for x, sign in signs.items() if sign < 0} == {"q_12", "V_12", "m_1", "theta_1"}
    assert {x for x, sign in signs.items() if sign > 0} == {"q_11", "q_22", "m_2", "V_11", "V_22", "theta_2"}
    (exchange,) = [x for x in derivation("paper").symmetries.generators if x.name == EXCHANGE]
    assert signs_of("paper", exchange) == {"q": 1, "m": -1, "V": 1, "theta": 1}


def test_a_symmetry_maps_the_conjugates_integrands_to_themselves():
    system = derivation("columns").saddle_system
    for symmetry in derivation("columns").symmetries.generators:
        if symmetry.order:
            continue
        fields = transformed_fields(system.free_entropy, symmetry)
        state = {x.symbol: sign * x.symbol for x, sign in zip(system.order_parameters, symmetry.signs, strict=True)}
        for hat, sign in zip(system.conjugates, symmetry.signs, strict=True):
            integrand = system.written_out(system.conjugate_integrand(hat.symbol))
            moved = integrand.subs({**fields, **state}, simultaneous=True)
            # Conjugates of q and V are paired with V and q; those of entries at the same place have the same sign.
            assert sp.simplify(moved - sign * integrand) == 0, (symmetry.name, hat.name)


def test_without_numbers_no_symmetry_is_assumed():
    names = {x.name for x in derive(ModelStructure(2)).symmetries.generators}
    assert names == {STUDENT, TEACHER}
    # Moments of a spectrum are unknown: the teacher may be tied to the encodings.
    assert {x.name for x in derive(ModelStructure(2, isotropic=False)).symmetries.generators} == {STUDENT}


def squares_of_columns(z, y):
    return sum((z[0, a] - y[a]) ** 2 for a in range(2))


def both(*numbers: int) -> str:
    return f"reversal of the {columns('student', *numbers)} and the {columns('teacher', *numbers)}"


@pytest.mark.parametrize(
    ("model", "names", "vanishing"),
    [
        # One reversal is that of the other column, but for all together, which overlaps do not see.
        (MultiIndexModel(squares_of_columns, 0.1, rank=2, teacher_rank=2), {both(1)}, "q_12 V_12 theta_12 theta_21"),
        # Their noise is reversed with them.
        (
            MultiIndexModel(
                squares_of_columns, 0.1, lambda h, xi: [h[0] + xi[0], h[1] + 2 * xi[1] ** 3], 2, rank=2, teacher_rank=2
            ),
            {both(1)},
            "q_12 V_12 theta_12 theta_21",
        ),
        # Encodings tell a column's sign.
        (
            MultiIndexModel(squares_of_columns, 0.1, rank=2, teacher_rank=2, positional_gram=[[1.0]]),
            {both(1), both(2)},
            "m_1 m_2 q_12 V_12 theta_12 theta_21",
        ),
        # Not where noise has a sign, nor where columns share an output.
        (
            MultiIndexModel(
                squares_of_columns, 0.1, lambda h, xi: [h[0] + xi[0] ** 2, h[1] + 1], 1, rank=2, teacher_rank=2
            ),
            set(),
            "",
        ),
        (MultiIndexModel(lambda z, y: (z[0] + z[1] - y[0] - y[1]) ** 2, 0.1, rank=2, teacher_rank=2), set(), ""),
        # A column that the loss does not tell the sign of, beside one that it does, whose teacher's square matters.
        (
            MultiIndexModel(
                lambda z, y: (z[0] - y[0]) ** 2 + (z[1] ** 2 - y[1]) ** 2, 0.1, lambda h, xi: [h[0], h[1] ** 2],
                rank=2, teacher_rank=2,
            ),
            {"reversal of the " + columns("student", 2), "reversal of the " + columns("teacher", 2)},
            "q_12 V_12 theta_12 theta_21 theta_22",
        ),
        # Teachers that are correlated tell each other's sign.
        (
            MultiIndexModel(
                squares_of_columns, 0.1, rank=2, teacher_rank=2,
                spectrum=Spectrum((SpectrumAtom(1.0, (1.0,), teacher_moments=[[1, 0.3], [0.3, 1]]),)),
            ),
            set(),
            "",
        ),
    ],
)  # fmt: skip
def test_reversals_of_both_together_are_found(model, names, vanishing):
    found = derive(model)
    assert {x.name for x in found.symmetries.reversals} == names
    assert set(map(str, found.vanishing(found.sectors[0]))) == set(vanishing.split())
    assert found.verify(steps=["sectors"]).passed


def test_linear_attention_of_keys_and_queries_has_a_reversal_of_one_column_with_the_teachers():
    """Reversing the keys alone reverses the attention, as reversing the teacher's does: the loss sees neither."""

    def keys_and_queries(h):
        return h[:, 0] * h[:, 1].T

    model = AttentionModel(0.0, rank=2, teacher_rank=2, attention=keys_and_queries, target=keys_and_queries)
    names = {x.name for x in derive(model).symmetries.reversals}
    assert names == {
        f"reversal of the {columns('student', 1, 2)}", f"reversal of the {columns('teacher', 1, 2)}", both(1),
    }  # fmt: skip


def test_of_many_columns_those_of_one_each_are_looked_for():
    """Eight columns of each: not every set of signs is tried."""
    found = list(_candidates(8, 8, 1))
    assert ((2,), (2,), ()) in found
    assert (tuple(range(8)), tuple(range(8)), (0,)) in found
    assert len(found) == 2 * (8 * 8 + 1)
    # Of few, every set.
    assert len(list(_candidates(2, 3, 1))) == 3 * 7 * 2


def test_a_loss_that_tells_signs_apart_has_no_reversal():
    model = MultiIndexModel(loss=lambda z, y: (y[0] - z[0]) ** 2 / 2, regularization=0.1)
    assert not derive(model).symmetries.generators
    (only,) = derive(model).sectors
    assert only.name == "teacher"
    even = MultiIndexModel(loss=lambda z, y: (y[0] ** 2 - z[0] ** 2) ** 2, regularization=0.1)
    assert {x.name for x in derive(even).symmetries.generators} == {STUDENT, TEACHER}
    phase_retrieval = MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0] ** 2) ** 2, regularization=0.1, outputs=lambda h, _: [h[0] ** 2]
    )
    assert {x.name for x in derive(phase_retrieval).symmetries.generators} == {STUDENT, TEACHER}
    assert [x.name for x in derive(phase_retrieval).sectors] == [AGNOSTIC, "teacher"]
