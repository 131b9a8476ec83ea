"""The body-centred lattice: sums it must give, symmetries, errors that cover, Sobol points and lattices against it."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from replica import AttentionModel
from saddle import BodyCentredRule, LineOrders, LineRule, SobolRule, solve_phase_diagram
from saddle.averages.channel import Channel
from saddle.averages.rules.outer import joint_reversal, teacher_reversal
from saddle.averages.rules.rule_arguments import fits_body_centred, fitting_rule, is_lattice
from saddle.diagram.rule_choice import choose_rule
from saddle.kernel.kernel import load_kernel
from saddle.output.files.stored_inputs import rule_from_dict, rule_to_dict
from saddle.testing import assert_survives

ALIKE = ((0.4, 0.4, 0.2), (0.4, 0.4, 0.2), (0.15, 0.15, 0.7))
THREE = AttentionModel(0.3, positional_encoding=(1, 1, -1), positional_matrix=ALIKE)
RANK_TWO = AttentionModel.paper(omega=0.3, rank=2)
# Near solutions at alpha_c.
STATES = {
    "three": (THREE, (0.09, 0.2, 16.0, 0.09)),
    "rank two": (RANK_TWO, (0.0192, 0.0, 0.0677, 0.2173, 0.0, 15.38, 0.0, 16.2, 0.0, 0.1156)),
}
COARSE = BodyCentredRule(2.0, 2.4, 4.5)
COUNTS: list[tuple[int, int]] = [(3, 2), (2, 3), (2, 1), (4, 1), (1, 3)]
slow = pytest.mark.slow


def cosine(nodes: np.ndarray) -> np.ndarray:
    return np.cos(nodes @ np.linspace(0.5, -0.6, nodes.shape[1]))


@pytest.mark.parametrize("counts", COUNTS)
def test_smooth_functions_have_their_averages(counts):
    """E exp(i k.x) = exp(-k^2/2), the more exactly the finer the rule, and moments up to what lies beyond its reach."""
    errors, dimension = [], sum(counts)
    reversals = (teacher_reversal(*counts), joint_reversal(*counts))
    exact = np.exp(-0.5 * np.sum(np.linspace(0.5, -0.6, dimension) ** 2))
    for factor in (0.1, 1.0, 10.0):
        outer = BodyCentredRule().refined(factor).outer(*counts, generators=reversals)
        errors.append(abs(outer.weights.sum() - 1.0))
        for k in range(dimension):
            assert outer.weights @ outer.nodes[:, k] ** 2 == pytest.approx(1.0, abs=0.03 / factor**0.5)
    assert errors[-1] < 3e-5
    outer = BodyCentredRule().refined(10.0).outer(*counts, generators=(joint_reversal(*counts),))
    assert outer.weights @ cosine(outer.nodes) == pytest.approx(exact, abs=3e-5)


def test_it_is_better_than_either_of_its_cubic_halves():
    outer = BodyCentredRule().outer(3, 2, ())
    exact = np.exp(-0.5 * np.sum(np.linspace(0.5, -0.6, 5) ** 2))
    whole, half = (abs(weights @ cosine(outer.nodes) - exact) for weights in (outer.weights, outer.embedded[0]))
    assert whole < 0.1 * half


@pytest.mark.parametrize("counts", COUNTS)
def test_orbits_weigh_what_their_nodes_do(counts):
    reversals = (teacher_reversal(*counts), joint_reversal(*counts))
    full = COARSE.outer(*counts, generators=())
    for size in (1, 2):
        for generators in itertools.combinations(reversals, size):
            reduced = COARSE.outer(*counts, generators=generators)
            # What a group leaves as it is: an average over it.
            signs = np.array([[1.0] * sum(counts)])
            for generator in generators:
                signs = np.concatenate([signs, signs * np.array([sign for _, sign in generator])])

            def invariant(nodes: np.ndarray, signs: np.ndarray = signs) -> np.ndarray:
                return np.mean([np.exp(0.4 * (nodes * s) @ np.arange(1.0, nodes.shape[1] + 1)) for s in signs], axis=0)

            assert len(reduced.nodes) < 0.8 * len(full.nodes)
            for one, other in zip((reduced.weights, *reduced.embedded), (full.weights, *full.embedded), strict=True):
                np.testing.assert_allclose(one @ invariant(reduced.nodes), other @ invariant(full.nodes), rtol=1e-11)


def test_embedded_rules_are_rules():
    outer = BodyCentredRule().refined(3.0).outer(3, 2, ())
    np.testing.assert_allclose(outer.embedded.sum(axis=1), 1.0, atol=0.05)
    assert outer.factors is not None
    assert len(outer.factors) == len(outer.embedded) == 1 + 6 + 2 + 1
    for weights in outer.embedded:
        assert 0 < np.count_nonzero(weights) < len(weights)


def test_directions_that_do_not_matter_change_nothing():
    """A function of three of five directions has the average that a lattice in three has."""

    def function(nodes: np.ndarray) -> np.ndarray:
        x, y, a = nodes.T
        return np.tanh(1.5 * x - y) ** 2 / (1.0 + 0.5 * (y + a) ** 2)

    known = LineRule.for_tolerance(1e-6).outer(2, 1, ())
    exact = known.weights @ function(known.nodes)
    for rule in (BodyCentredRule(), BodyCentredRule().refined()):
        outer = rule.outer(3, 2, (joint_reversal(3, 2),))
        values = function(outer.nodes[:, [0, 2, 4]])
        found = outer.weights @ values
        stated = outer.error(outer.embedded @ values - found)
        assert abs(found - exact) < stated < 0.2 * exact


def averages(model: AttentionModel, rule, state):
    return Channel(load_kernel(model.structure), model, rule, 1).averages(np.array(state))


def test_it_agrees_with_a_lattice_for_two_tokens(kernel):
    model = AttentionModel.paper()
    for state in ((0.0706, 0.1318, 22.24, 0.0582), (0.0511, 0.2582, 11.37, 0.0), (0.0817, 0.0, 18.3, 0.118)):
        rule = BodyCentredRule(0.5, 0.7, 5.5)
        found, exact = (Channel(kernel, model, x, 1).averages(np.array(state)) for x in (rule, LineRule()))
        errors = found.conjugate_errors + exact.conjugate_errors
        np.testing.assert_array_less(np.abs(found.conjugates - exact.conjugates), errors + 1e-15)
        assert abs(found.envelope - exact.envelope) < found.envelope_error + exact.envelope_error
        # Of an exchange of tokens it is mapped to itself, too.
        assert len(found.outer.nodes) < 0.6 * len(rule.outer(2, 1, ()).nodes)


@slow
@pytest.mark.parametrize("name", ["rank two", "three"])
def test_reversals_of_a_state_reverse_its_averages(name):
    """To rounding, which no scattered points do; and one node of an orbit is enough."""
    model, state = STATES[name]
    channel = Channel(load_kernel(model.structure), model, COARSE, 1)
    here = channel.averages(np.array(state))
    for signs in channel.space.group:
        there = channel.averages(np.array(signs) * np.array(state))
        scale = 1e-9 * np.abs(here.conjugates).max()
        # A reversal of one column moves lines, of all columns or the teacher does not.
        if name == "three" or not np.any(np.array(signs)[[1, 5]] < 0):
            np.testing.assert_allclose(there.conjugates, np.array(signs) * here.conjugates, rtol=1e-8, atol=scale)
            assert there.envelope == pytest.approx(here.envelope, rel=1e-9)
    for kind in ("semantic_overlap", "positional_overlap"):
        own = list(channel.space.of_kind(kind))
        without, nearly = np.array(state), np.array(state)
        without[own], nearly[own] = 0.0, 1e-9 * nearly[own]
        folded, full = channel.averages(without), channel.averages(nearly)
        # But for those on a mirror, which so coarse a lattice has many of.
        assert len(folded.outer.nodes) < 0.7 * len(full.outer.nodes)
        np.testing.assert_allclose(folded.conjugates, full.conjugates, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(folded.derivatives, full.derivatives, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(folded.conjugate_errors, full.conjugate_errors, rtol=1e-3, atol=1e-6)


def random_states(count: int):
    generator = np.random.default_rng(5)
    for k in range(count):
        q, V, m = generator.uniform(0.05, 0.2), generator.uniform(8.0, 25.0), generator.uniform(0.0, 0.3)
        m, theta = m * (k % 3 != 1), generator.uniform(0.0, 0.9) * np.sqrt(0.25 * q) * (k % 3 != 2)
        yield q, m, V, theta


@functools.lru_cache
def exact_averages(state):
    return averages(THREE, BodyCentredRule(0.6, 0.85, 6.0, LineOrders.for_tolerance(1e-5)), state)


def errors_at(rule, state) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of what does not vanish, and those stated."""
    exact, found = exact_averages(state), averages(THREE, rule, state)
    used = exact.conjugates != 0.0
    values, truth = (np.array([*x.conjugates[used], x.envelope, x.test_error]) for x in (found, exact))
    stated = np.array([*found.conjugate_errors[used], found.envelope_error, found.test_error_error])
    return np.abs(values / truth - 1.0), stated / np.abs(truth)


@slow
def test_stated_errors_cover():
    errors = [
        errors_at(rule, x) for x in random_states(4) for rule in (BodyCentredRule(), BodyCentredRule().refined(3))
    ]
    ratios = np.concatenate([error / stated for error, stated in errors])
    assert np.mean(ratios <= 1.0) >= 0.9
    assert np.max(ratios) < 5.0
    # They are estimates of the error, not just anything large.
    assert np.median(ratios) > 0.03


@slow
def test_errors_at_solutions_are_below_those_of_as_many_scattered_points():
    """Of 2,700 lines, or 5,400 where m and theta are both there, against 4,096 points."""
    gains = []
    for state in ((0.055, 0.3318, 12.0, 0.0), (0.1225, 0.0, 15.0, 0.1549), STATES["three"][1]):
        own, *others = (
            np.sqrt(np.mean(errors_at(rule, state)[0] ** 2))
            for rule in (BodyCentredRule(), SobolRule(points=1024), SobolRule(points=1024, seed=1))
        )
        gains.append(np.sqrt(np.mean(np.square(others))) / own)
    assert np.exp(np.mean(np.log(gains))) > 2.5


def test_diagrams_take_it_where_it_wins():
    assert choose_rule(THREE, 3.0) == BodyCentredRule()
    assert is_lattice(BodyCentredRule())
    # Of several columns it tears pitchforks (docs/numerics.md).
    for model in (AttentionModel.paper(), RANK_TWO, AttentionModel.paper(teacher_rank=2)):
        assert not fits_body_centred(model)
    assert isinstance(choose_rule(RANK_TWO, 3.0), SobolRule)
    assert fitting_rule(RANK_TWO, COARSE) is COARSE
    for rule in (BodyCentredRule(), COARSE):
        assert rule_from_dict(rule_to_dict(rule)) == rule


@slow
def test_a_diagram_on_it_is_lawful_and_survives():
    rule = BodyCentredRule().refined(0.3)
    diagram = solve_phase_diagram(THREE, (0.6, 1.4), points=2, rule=rule, progress=False)
    assert_survives(diagram)
    assert diagram.plot().axes
    (own,) = diagram.first_order
    # On 52,000 lines (docs/performance.md) it is at 1.11606(2).
    assert abs(own.alpha - 1.11606) < own.error < 0.01


def test_refining_follows_the_law_and_ends():
    rule = BodyCentredRule()
    finer = rule.refined()
    assert finer.teacher_spacing == pytest.approx(rule.teacher_spacing / 1.4)
    assert finer.coarsened().teacher_spacing == pytest.approx(rule.teacher_spacing)
    assert finer.reach > rule.reach > rule.coarsened().reach
    assert BodyCentredRule.for_tolerance(3e-4) == finer
    finest = rule.refined(1e6)
    assert finest.refined() == finest or finest.refined().teacher_spacing == finest.teacher_spacing == 0.5
    assert rule.sibling().line.scan_points == rule.line.scan_points + 1


@pytest.mark.parametrize(
    "build",
    [
        lambda: BodyCentredRule(teacher_spacing=0.1),
        lambda: BodyCentredRule(common_spacing=3.5),
        lambda: BodyCentredRule(reach=9.5),
        lambda: BodyCentredRule.for_tolerance(0.9),
        lambda: BodyCentredRule().outer(5, 5, ()),
        lambda: BodyCentredRule().outer(0, 3, ()),
        lambda: BodyCentredRule(0.3, 0.3, 9.0).outer(5, 4, ()),
    ],
)
def test_impossible_rules_are_refused(build):
    with pytest.raises(ValueError, match=r"got \S"):
        build()
