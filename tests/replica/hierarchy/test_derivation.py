"""k steps of replica-symmetry breaking: every step by another route, for all kinds of models."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, ModelStructure, MultiIndexModel, Spectrum, derive, derive_broken_symmetry
from replica.checks import hierarchy_replicas, hierarchy_stationarity
from replica.checks.splitting_checks import split_gaps
from replica.common.errors import DerivationError, InvalidArgument
from replica.hierarchy.averages import TiltedAverage
from replica.hierarchy.equations.eliminated import eliminated_terms
from replica.hierarchy.equations.splitting import Splitting
from replica.hierarchy.explicit_terms import explicit_terms
from replica.hierarchy.functional import hierarchical_free_entropy
from replica.hierarchy.matrices import HierarchicalMatrix
from replica.hierarchy.quantities import gap
from replica.hierarchy.scalar_function import ScalarFunction

RIDGE = MultiIndexModel(
    loss=lambda z, y: (y[0] - z[0]) ** 2 / 2,
    outputs=lambda h, xi: [h[0] + sp.sqrt(sp.Symbol("Delta")) * xi[0]],
    regularization=0.1,
    noise=1,
    parameters={"Delta": 0.2},
)
MODELS = {
    "paper": AttentionModel.paper(),
    "two variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)),
    "ridge": RIDGE,
    "three tokens": ModelStructure(3),
}


# Hierarchies of other structures take seconds each.
CHECKED = [
    pytest.param(name, steps, marks=[pytest.mark.slow] if steps and name not in ("paper", "ridge") else [])
    for name in MODELS
    for steps in (0, 1, 2)
]


@pytest.mark.parametrize(("name", "steps"), CHECKED)
def test_every_step_is_found_by_another_route(name, steps):
    verification = derive_broken_symmetry(MODELS[name], steps).verify()
    assert verification.passed, str(verification)
    # Matrices, limits, channel, replica symmetry, stationarity; with steps also levels and every y; whether each level
    # splits, in the channel and the weights, and the form that replicons have.
    assert len(verification.checks) == 14 + (3 + steps if steps else 0) + 2 * (steps + 1) + 1


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2])
def test_every_step_is_found_by_another_route_for_two_columns(steps):
    verification = derive_broken_symmetry(AttentionModel(0.3, rank=2, teacher_rank=2), steps).verify()
    assert verification.passed, str(verification)


def test_no_step_is_replica_symmetry():
    broken, symmetric = derive_broken_symmetry(MODELS["paper"], 0), derive(MODELS["paper"])
    names = broken.quantities.symmetric()
    assert sp.simplify(broken.free_entropy.expression.xreplace(names) - symmetric.free_entropy.expression) == 0
    for left, right in broken.saddle_system.overlap_equations.items():
        expected = symmetric.saddle_system.overlap_equations[names[left]]
        written = broken.free_entropy.terms.prior.without_precisions(right).xreplace(names)
        assert sp.simplify(written - expected) == 0


def _wrong(change):
    functional = hierarchical_free_entropy(MODELS["paper"], 1)
    return replace(functional, terms=change(functional.terms))


def test_a_wrong_prior_term_is_noticed():
    y = sp.Symbol("y1", positive=True)
    wrong = _wrong(lambda x: replace(x, prior=replace(x.prior, integrand=x.prior.integrand * (1 + y))))
    assert not all(x.passed for x in hierarchy_stationarity.stationarity(wrong, 0))


def test_wrong_moments_are_refused():
    wrong = _wrong(lambda x: replace(x, prior=replace(x.prior, moments=2 * x.prior.moments)))
    with pytest.raises(DerivationError):
        list(hierarchy_stationarity.stationarity(wrong, 0))


def test_a_wrong_pairing_is_refused():
    wrong = _wrong(lambda x: replace(x, trace_term=x.trace_term.subs(sp.Symbol("y1", positive=True), 1)))
    with pytest.raises(DerivationError):
        list(hierarchy_stationarity.stationarity(wrong, 0))


@pytest.mark.parametrize(("part", "failing"), [("channel_integrands", 0), ("gap_equations", 1)])
def test_a_wrong_answer_to_a_split_gap_is_noticed(monkeypatch, part, failing):
    right = getattr(Splitting, part).func
    monkeypatch.setattr(Splitting, part, property(lambda self: {x: y * 11 / 10 for x, y in right(self).items()}))
    checks = list(split_gaps(hierarchical_free_entropy(MODELS["paper"], 0), 0))
    assert not checks[failing].passed
    assert checks[1 - failing].passed
    assert checks[2].passed == (part == "gap_equations")


def test_levels_split_as_replica_symmetry_does():
    # Section 9: 1 - alpha E |dz/dw - 1|^2, with dM/dw = (w - z)/V and V = gamma/B.
    broken = derive_broken_symmetry(MODELS["paper"], 1)
    delta, hat = sp.Symbol("delta0", real=True), sp.Symbol("delta_hat0", real=True)
    outer, inner = broken.splittings
    sigma, B = sp.Symbol("sigma", positive=True), sp.Symbol("B1", real=True)
    assert outer.gap_equations == {delta: hat * sigma**4 / B**2}
    (w1, w2) = broken.free_entropy.symmetric.channel.fields
    phi = broken.free_entropy.potential(1)
    squares = sp.diff(phi, w1, 2) ** 2 + 2 * sp.diff(phi, w1, w2) ** 2 + sp.diff(phi, w2, 2) ** 2
    assert sp.expand(outer.channel_integrands[hat] - delta * squares) == 0
    assert inner.level == 1
    assert set(broken.step("stability").equation("answer-delta_hat1").right.atoms(TiltedAverage)) != set()


def test_wrong_eigenvalues_are_noticed(monkeypatch):
    right = HierarchicalMatrix.eigenvalues
    monkeypatch.setattr(HierarchicalMatrix, "eigenvalues", lambda self: tuple((x, n + 1) for x, n in right(self)))
    functional = hierarchical_free_entropy(MODELS["paper"], 1)
    assert not all(x.passed for x in hierarchy_replicas.hierarchical_matrices(functional, 0))


def test_without_conjugates_it_is_the_theory_notes_formula():
    q0, m, V, theta, y, width = 0.045, 0.25, 12.9, 0.02, 600.0, 0.00115
    sigma, ridge = 0.5, 0.01
    terms = eliminated_terms(AttentionModel.paper(), 1)
    value, slopes, _ = terms.function.evaluate([q0, width, m, V, theta, y], [sigma, ridge])
    free = q0 - sigma**2 * m**2 - theta**2 / sigma**2
    outer = V + y * width
    expected = free / (2 * outer) + np.log(outer / V) / (2 * y) - ridge * (q0 + width) / (2 * sigma**2)
    assert value == pytest.approx(expected, rel=1e-12)
    for k, step in enumerate((1e-7, 1e-8, 1e-6, 1e-4, 1e-7, 1e-3)):
        ends = [[x + sign * step * (i == k) for i, x in enumerate((q0, width, m, V, theta, y))] for sign in (1, -1)]
        up, down = (terms.function.evaluate(x, [sigma, ridge])[0] for x in ends)
        assert slopes[k] == pytest.approx((up - down) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("limit", ["no gap", "y to zero"])
def test_without_conjugates_a_step_vanishes(limit):
    one, none = (eliminated_terms(AttentionModel.paper(), k).written_out for k in (1, 0))
    y, width, q0 = sp.Symbol("y1", positive=True), gap(1), sp.Symbol("q0", real=True)
    if limit == "no gap":
        assert sp.simplify(one.subs(width, 0) - none) == 0
    else:
        assert sp.simplify(sp.limit(one, y, 0) - none.subs(q0, q0 + width)) == 0


def test_conjugates_are_eliminated_in_closed_form_where_there_is_one():
    assert derive_broken_symmetry(MODELS["two variances"]).eliminated is None
    with pytest.raises(InvalidArgument, match="2 group"):
        eliminated_terms(MODELS["two variances"])


def test_numbers_are_those_of_the_expressions():
    terms = explicit_terms(MODELS["two variances"], 2)
    for function in (terms.trace_function, terms.prior_function):
        at = np.linspace(0.1, 0.3, len(function.variables))
        given = np.linspace(1.0, 1.3, len(function.constants))
        value, gradient, hessian = function.evaluate(at, given)
        numbers = dict(zip((*function.variables, *function.constants), (*at, *given), strict=True))
        assert value == pytest.approx(float(function.expression.xreplace(numbers)))
        for i, x in enumerate(function.variables):
            slope = sp.diff(function.expression, x)
            assert gradient[i] == pytest.approx(float(slope.xreplace(numbers)))
            for j, y in enumerate(function.variables):
                assert hessian[i, j] == pytest.approx(float(sp.diff(slope, y).xreplace(numbers)))
    with pytest.raises(InvalidArgument, match="expected"):
        terms.prior_function.evaluate([1.0])
    with pytest.raises(InvalidArgument, match="'y'"):
        ScalarFunction(sp.Symbol("y"), ())


@pytest.mark.parametrize("steps", [-1, 1.5, "one", True])
def test_no_number_of_steps_is_refused(steps):
    with pytest.raises(InvalidArgument, match="steps"):
        derive_broken_symmetry(MODELS["paper"], steps)


def test_unknown_steps_are_refused():
    broken = derive_broken_symmetry(MODELS["paper"])
    with pytest.raises(InvalidArgument, match="'sectors'"):
        broken.verify(steps=["sectors"])
    with pytest.raises(KeyError, match="nested averages"):
        broken.step("sectors")
    assert {x.step for x in broken.verify(steps=["limits"]).checks} == {"limits"}


def test_every_check_names_a_step():
    broken = derive_broken_symmetry(MODELS["paper"])
    assert {x.step for x in broken.verify().checks} <= {x.name for x in broken.steps}


def test_derivations_compare_by_value_and_pickle():
    first, second = (derive_broken_symmetry(AttentionModel.paper(), 1) for _ in range(2))
    assert first.steps == second.steps
    assert pickle.loads(pickle.dumps(first)) == second != derive_broken_symmetry(AttentionModel.paper(), 2)
    symmetric = derive(AttentionModel.paper())
    assert symmetric.steps == pickle.loads(pickle.dumps(symmetric)).steps


def test_matrices_refuse_what_is_no_hierarchy():
    with pytest.raises(InvalidArgument, match="two or more"):
        HierarchicalMatrix((sp.eye(2),))
    with pytest.raises(InvalidArgument, match="multiple of the next"):
        HierarchicalMatrix((sp.eye(1), sp.eye(1), sp.eye(1))).explicit((4, 3))


def test_tilted_averages_are_linear_in_numbers():
    x = sp.Symbol("x")
    assert TiltedAverage(-2 * x, 1) == -2 * TiltedAverage(x, 1)
    assert TiltedAverage(-2 * x, 0) == -2 * x
