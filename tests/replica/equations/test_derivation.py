"""The derivation: its rules on closed forms, and its result against the theory notes."""

from __future__ import annotations

import dataclasses

import pytest
import sympy as sp

from replica import derive_saddle_system
from replica.algebra.gaussian_average import GaussianAverage, GaussianLaw, integrate_by_parts, use_envelope_theorem
from replica.algebra.softmax_weight import SoftmaxWeight, with_exponentials
from replica.equations.free_entropy import build_free_entropy
from replica.equations.prior_term import prior_limit
from replica.equations.replica_trick import BETA, REPLICAS, prior_action, replica_limit
from replica.model.attention import attention_matrix
from replica.quantities import symbols
from replica.steps.rank_matrices import RankMatrices
from replica.symmetry.finding import find_symmetries
from tests.oracles.changed_channel import with_channel

q, m, V, theta = (quantity.symbol for quantity in symbols.ORDER_PARAMETERS)
q_hat, m_hat, V_hat, theta_hat = (quantity.symbol for quantity in symbols.CONJUGATES)
sigma, ridge, alpha = symbols.parameter("sigma"), symbols.parameter("regularization"), symbols.ALPHA.symbol
c = symbols.positional_encoding()
w, h, z = symbols.local_fields(), symbols.teacher_fields(), symbols.proximal_points()


@pytest.fixture(scope="module")
def system():
    return derive_saddle_system()


def zero(expression) -> bool:
    return sp.simplify(expression) == 0


def moment(polynomial, law):
    """Average a polynomial by Isserlis' theorem, from the moment generating function: an independent route."""
    t = sp.symbols(f"t:{len(law.variables)}")
    exponent = sum(a * mu for a, mu in zip(t, law.mean, strict=True))
    vector = sp.Matrix(t)
    generator = sp.exp(exponent + (vector.T * sp.Matrix(law.covariance) * vector)[0] / 2)
    total = sp.S.Zero
    for powers, coefficient in sp.Poly(polynomial, *law.variables).terms():
        term = generator
        for a, power in zip(t, powers, strict=True):
            term = sp.diff(term, a, power)
        total += coefficient * term.subs(dict.fromkeys(t, 0))
    return sp.expand(total)


@pytest.fixture(scope="module")
def law():
    x, y, mu, a, b = sp.symbols("x y mu a b", real=True)
    return GaussianLaw((x, y), (mu, sp.S.Zero), sp.ImmutableMatrix([[a, b], [b, 2]]))


@pytest.mark.parametrize("parameter", ["mu", "a", "b"])
@pytest.mark.parametrize("route", ["price", "density"])
def test_derivative_of_an_average_on_polynomials(law, parameter, route):
    x, y = law.variables
    polynomial = x**3 * y + 2 * x**2 * y**2 - x + y**4
    p = sp.Symbol(parameter, real=True)
    average = GaussianAverage(polynomial, law)
    derived = sp.diff(average, p) if route == "price" else average.derivative_by_density(p)
    values = {"mu": sp.Rational(1, 3), "a": sp.Rational(5, 2), "b": sp.Rational(1, 7)}
    numbers = {sp.Symbol(name, real=True): value for name, value in values.items()}
    expected = sp.diff(moment(polynomial, law), p).subs(numbers)
    fixed = GaussianLaw(
        law.variables, tuple(sp.sympify(mu).subs(numbers) for mu in law.mean), law.covariance.subs(numbers)
    )
    assert moment(sp.expand(derived.integrand.subs(numbers)), fixed) == expected


def test_integration_by_parts_on_a_closed_form(law):
    x, y = law.variables
    envelope = sp.Function("M")(x, y)
    average = GaussianAverage(sp.diff(envelope, x, y) + 3 * sp.diff(envelope, x, 2), law)
    lowered = integrate_by_parts(average, envelope, (x,)).integrand
    polynomial = x**3 * y**2 + x * y
    expected = moment(sp.diff(polynomial, x, y) + 3 * sp.diff(polynomial, x, 2), law)
    got = moment(sp.expand(lowered.subs(envelope, polynomial).doit()), law)
    assert sp.simplify(got - expected) == 0


def test_integration_by_parts_refuses_what_it_cannot_lower(law):
    x, y = law.variables
    envelope = sp.Function("M")(x, y)
    with pytest.raises(ValueError, match="cannot lower"):
        integrate_by_parts(GaussianAverage(sp.diff(envelope, y, 2), law), envelope, (x,))


def test_envelope_theorem_on_a_quadratic(law):
    x, _ = law.variables
    p = sp.Symbol("p", real=True)
    envelope = sp.Function("M")(x)
    point = sp.Symbol("point", real=True)
    objective = (point - x) ** 2 / 2 + p * point**2 / 2
    used = use_envelope_theorem(GaussianAverage(sp.diff(envelope, x), law), envelope, objective)
    minimiser = x / (1 + p)
    explicit = objective.subs(point, minimiser)
    assert zero(used.integrand.subs(point, minimiser) - sp.diff(explicit, x))


def test_overlap_equations_are_those_of_the_notes(system):
    # Theory notes, section 4, the paper's instance; rho = sigma^2.
    D, rho = ridge + sigma**2 * V_hat, sigma**2
    expected = {
        V: sigma**2 / D,
        m: m_hat / D,
        theta: sigma**2 * rho * theta_hat / D,
        q: sigma**2 * (sigma**2 * q_hat + m_hat**2 + sigma**2 * rho * theta_hat**2) / D**2,
    }
    for overlap, value in expected.items():
        assert zero(system.overlap_equations[overlap] - value), overlap


def test_conjugate_equations_are_those_of_the_notes(system):
    # Theory notes, section 4: g = (z* - w)/V, conjugates summed over tokens.
    rho = sigma**2
    g = [(z[i] - w[i]) / V for i in range(2)]
    residual = [h[i] - theta / q * (w[i] - c[i] * m) for i in range(2)]
    theta_integrand = sum(g[i] * residual[i] for i in range(2)) / (rho - theta**2 / q)
    expected = {
        q_hat: sum(x**2 for x in g),
        m_hat: sum(c[i] * g[i] for i in range(2)),
        theta_hat: theta_integrand,
        V_hat: theta_integrand * theta / q - sum(g[i] * (w[i] - c[i] * m) for i in range(2)) / q,
    }
    for conjugate, value in expected.items():
        assert zero(system.conjugate_integrand(conjugate) - value), conjugate


def test_training_loss_equals_minus_phi_by_the_weight_equations(system):
    # -Phi = alpha E[loss] + ridge needs no channel equation but q_hat's: theory notes, section 5.
    phi = system.free_entropy
    average = sp.Symbol("E_M")
    average_loss = average - q_hat * V / (2 * alpha)
    (loss_average,) = system.training_loss.atoms(GaussianAverage)
    direct = system.training_loss.xreplace({loss_average: average_loss})
    minus_phi = -phi.expression.xreplace({phi.average_envelope: average})
    difference = (direct - minus_phi).subs(system.overlap_equations, simultaneous=True)
    assert zero(difference)


def test_a_changed_term_of_phi_changes_the_equations():
    phi = build_free_entropy()
    extra = sp.Rational(1, 3) * q_hat * V_hat
    prior = dataclasses.replace(phi.prior, integrand=phi.prior.integrand + extra)
    changed = derive_saddle_system(dataclasses.replace(phi, prior=prior))
    original = derive_saddle_system(phi)
    # d Phi/d q_hat gains V_hat/3, so V gains 2/3 V_hat; d Phi/d V_hat gains q_hat/3, so q loses 2/3 q_hat.
    assert zero(changed.overlap_equations[V] - original.overlap_equations[V] - sp.Rational(2, 3) * V_hat)
    assert zero(changed.overlap_equations[q] - original.overlap_equations[q] + sp.Rational(2, 3) * q_hat)
    assert zero(changed.overlap_equations[m] - original.overlap_equations[m])


def test_an_equation_that_is_not_linear_is_refused():
    phi = build_free_entropy()
    with pytest.raises(ValueError, match=r"linear|alpha times a single average"):
        derive_saddle_system(dataclasses.replace(phi, trace_term=phi.trace_term + V_hat**2 * q))


def test_sign_symmetries_are_found_not_assumed():
    phi = build_free_entropy()
    found = find_symmetries(phi)
    assert found.student
    assert found.teacher
    assert found.exchange
    target = phi.target + sp.Matrix(2, 2, lambda i, j: h[0])
    tilted = with_channel(phi, model=dataclasses.replace(phi.model, target=target))
    assert not find_symmetries(tilted).teacher
    biased = with_channel(phi, model=dataclasses.replace(phi.model, loss=phi.channel.loss + z[0]))
    assert not find_symmetries(biased).student
    assert not find_symmetries(biased).exchange


def test_softmax_rows_sum_to_one_and_differentiate_as_softmax():
    matrix = attention_matrix(z)
    for row in range(2):
        assert zero(sum(matrix[row, :]) - 1)
    explicit = with_exponentials(matrix)
    for entry, plain in zip(matrix, explicit, strict=True):
        assert not plain.atoms(SoftmaxWeight)
        assert zero(with_exponentials(sp.diff(entry, z[0])) - sp.diff(plain, z[0]))
        point = {z[0]: sp.Rational(-7, 5), z[1]: sp.Rational(3, 10)}
        by_definition = sp.exp(z[0] ** 2) / (sp.exp(z[0] ** 2) + sp.exp(z[0] * z[1]))
        if entry == matrix[0, 0]:
            assert abs((plain - by_definition).subs(point).evalf(30)) < 1e-28


@pytest.mark.parametrize("rank", [2, 3])
def test_matrix_forms_of_the_weights_term_are_those_of_its_entries(rank):
    matrices = RankMatrices(rank)
    limit, inverse, *_ = prior_limit(rank)
    explicit = replica_limit(prior_action(*matrices.entries))
    pairs = [
        (matrices.action(), prior_action(*matrices.entries)),
        (matrices.without_replicas(), explicit),
        (matrices.at_zero_temperature(), limit.xreplace(inverse.definitions)),
    ]
    # Symmetric, the first of them well inside the positive definite ones.
    numbers = [sp.Matrix(rank, rank, lambda i, j, k=k: sp.Rational(1, i + j + k + 2) + 9 * (i == j)) for k in range(3)]
    numbers[1] /= 50
    entries = {
        x: y for own, values in zip(matrices.entries, numbers, strict=True) for x, y in zip(own, values, strict=True)
    }
    point = {REPLICAS: sp.Rational(3, 2), BETA: sp.Rational(7, 5)}
    for whole, written in pairs:
        put_in = whole.xreplace(dict(zip(matrices.whole, map(sp.ImmutableMatrix, numbers), strict=True)))
        first, second = (sp.N(x.xreplace(point).doit(), 30) for x in (put_in, written.xreplace(entries)))
        assert abs(first - second) < 1e-25
