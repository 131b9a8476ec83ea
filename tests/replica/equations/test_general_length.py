"""Any number of tokens and any rank: the derivation, the printed minimisation, the names."""

from __future__ import annotations

import dataclasses
import itertools

import mpmath
import numpy as np
import pytest
import sympy as sp

from replica import derive_saddle_system
from replica.code.moreau_functions import objective_function
from replica.code.source import function_specifications, print_function
from replica.equations.free_entropy import build_free_entropy
from replica.equations.moreau import moreau_problem
from replica.equations.saddle_system import SaddleSystem
from replica.quantities import symbols
from replica.quantities.structure import ModelStructure
from replica.symmetry.finding import find_symmetries
from tests.oracles.changed_channel import with_channel

q, m, V, theta = (quantity.symbol for quantity in symbols.ORDER_PARAMETERS)
q_hat, m_hat, V_hat, theta_hat = (quantity.symbol for quantity in symbols.CONJUGATES)
sigma, ridge, alpha = symbols.parameter("sigma"), symbols.parameter("regularization"), symbols.ALPHA.symbol


@pytest.fixture(scope="module", params=[3, 4])
def system(request) -> SaddleSystem:
    return derive_saddle_system(build_free_entropy(ModelStructure(request.param)))


@pytest.fixture(scope="module")
def three_tokens() -> SaddleSystem:
    return derive_saddle_system(build_free_entropy(ModelStructure(3)))


def zero(expression) -> bool:
    return sp.simplify(expression) == 0


def test_overlap_equations_follow_from_those_of_every_token(system):
    # Theory notes, section 4, with conjugates that differ from token to token; E tau^2 = E pi^2 = 1.
    c = symbols.positional_encoding(system.free_entropy.structure.sequence_length)
    tokens = range(len(c))
    per_token = {x: sp.symbols(f"{x}_0:{len(c)}", real=True) for x in (q_hat, m_hat, V_hat, theta_hat)}
    tau, pi = sp.symbols("tau pi", real=True)
    B = ridge + sum(sigma**2 * per_token[V_hat][i] for i in tokens)
    b = sum(c[i] * tau * per_token[m_hat][i] + sigma**2 * per_token[theta_hat][i] * pi for i in tokens)

    def average(expression):
        polynomial = sp.Poly(sp.expand(expression), tau, pi)
        second_moments = {(0, 0): 1, (2, 0): 1, (0, 2): 1}
        return sum(second_moments.get(powers, 0) * value for powers, value in polynomial.terms())

    noise = sum(sigma**2 * x for x in per_token[q_hat])
    summed = {x: sum(values) for x, values in per_token.items() if x != m_hat}
    summed[m_hat] = sum(c[i] * per_token[m_hat][i] for i in tokens)
    expected = {
        V: [sigma**2 / B] * len(c),
        q: [sigma**2 * (noise + average(b**2)) / B**2] * len(c),
        m: [average(c[i] * tau * b) / B for i in tokens],
        theta: [sigma**2 * average(b * pi) / B] * len(c),
    }
    for overlap, values in expected.items():
        for i, value in enumerate(values):
            shared = system.overlap_equations[overlap].xreplace(summed) * (c[i] if overlap == m else 1)
            assert zero(shared - value), (overlap, i)


def test_conjugate_equations_are_sums_over_tokens(system):
    phi = system.free_entropy
    c = symbols.positional_encoding(phi.structure.sequence_length)
    rho, tokens = sigma**2, range(len(c))
    z, w, h = phi.channel.proximal_point, phi.channel.fields, phi.teacher_fields
    g = [(z[i] - w[i]) / V for i in tokens]
    theta_integrand = sum(g[i] * (h[i] - theta / q * (w[i] - c[i] * m)) for i in tokens) / (rho - theta**2 / q)
    expected = {
        q_hat: sum(x**2 for x in g),
        m_hat: sum(c[i] * g[i] for i in tokens),
        theta_hat: theta_integrand,
        V_hat: theta_integrand * theta / q - sum(g[i] * (w[i] - c[i] * m) for i in tokens) / q,
    }
    for conjugate, value in expected.items():
        assert zero(system.conjugate_integrand(conjugate) - value), conjugate


def test_equations_make_a_solvable_channel_stationary():
    # With the loss k/2 sum (z - a h*)^2 the envelope is k/(2(1 + kV)) sum (w - a h*)^2, whose average is known.
    phi = build_free_entropy(ModelStructure(3))
    k, a = sp.symbols("k a", positive=True)
    pairs = list(zip(phi.channel.proximal_point, phi.channel.fields, phi.teacher_fields, strict=True))
    loss = sum(k / 2 * (z - a * h) ** 2 for z, _, h in pairs)
    model = dataclasses.replace(phi.model, loss=loss)
    quadratic = with_channel(phi, model=model, objective=phi.channel.objective - phi.channel.loss + loss)
    system = derive_saddle_system(quadratic)
    c = symbols.positional_encoding(3)
    envelope = k / (2 * (1 + k * V)) * sum(q - 2 * a * theta + a**2 * sigma**2 + x**2 * m**2 for x in c)
    expected = {
        q_hat: -2 * sp.diff(envelope, V),
        m_hat: -sp.diff(envelope, m),
        V_hat: 2 * sp.diff(envelope, q),
        theta_hat: -sp.diff(envelope, theta),
    }
    law = phi.law
    mean = dict(zip(law.variables, law.mean, strict=True))
    minimiser = {z: (w + k * V * a * h) / (1 + k * V) for z, w, h in pairs}
    for conjugate, value in expected.items():
        integrand = system.conjugate_integrand(conjugate).xreplace(minimiser)
        average = integrand.xreplace(mean)
        for (i, x), (j, y) in itertools.product(enumerate(law.variables), repeat=2):
            average += sp.diff(integrand, x, y).xreplace(mean) * law.covariance[i, j] / 2
        assert zero(average - value), conjugate


def test_training_loss_equals_minus_phi_and_the_test_error_counts_tokens(system):
    phi = system.free_entropy
    (loss_average,) = system.training_loss.atoms(type(phi.average_envelope))
    average = sp.Symbol("E_M")
    direct = system.training_loss.xreplace({loss_average: average - q_hat * V / (2 * alpha)})
    minus_phi = -phi.expression.xreplace({phi.average_envelope: average})
    assert zero((direct - minus_phi).subs(system.overlap_equations, simultaneous=True))
    (error_average,) = system.test_error.atoms(type(phi.average_envelope))
    assert system.test_error / error_average == sp.Rational(2, phi.structure.sequence_length)


def test_two_tokens_keep_their_names_and_equations():
    assert [x.name for x in symbols.MODEL_PARAMETERS] == [
        "omega",
        "sigma",
        "regularization",
        *(f"positional_matrix_{i}{j}" for i in (1, 2) for j in (1, 2)),
        "positional_encoding_1",
        "positional_encoding_2",
    ]
    assert list(map(str, symbols.proximal_points())) == ["z_1", "z_2"]
    assert build_free_entropy() == build_free_entropy(ModelStructure(2, 1))
    assert build_free_entropy().parameters == symbols.MODEL_PARAMETERS


def with_target(phi, target):
    return with_channel(phi, model=dataclasses.replace(phi.model, target=target))


def test_sign_symmetries_of_three_tokens_are_found_not_assumed(three_tokens):
    phi = three_tokens.free_entropy
    found = find_symmetries(phi)
    assert (found.student, found.teacher, found.exchange) == (True, True, True)
    first, _, last = phi.teacher_fields
    tilted = with_target(phi, phi.target + first * sp.ones(3))
    found = find_symmetries(tilted)
    assert (found.student, found.teacher, found.exchange) == (True, False, False)
    ends = with_target(phi, phi.target + first * last * sp.ones(3))
    assert find_symmetries(ends).exchange
    biased = with_channel(
        phi, model=dataclasses.replace(phi.model, loss=phi.channel.loss + phi.channel.proximal_point[0] ** 2)
    )
    found = find_symmetries(biased)
    assert (found.student, found.teacher, found.exchange) == (True, True, False)


@pytest.mark.parametrize("values", [{"sequence_length": 10}, {"rank": 10}])
def test_names_with_one_digit_per_index_bound_the_structure(values):
    with pytest.raises(ValueError, match="got 10"):
        ModelStructure(**values)
    with pytest.raises(ValueError, match="got 10"):
        symbols.local_fields(10)


def test_functions_know_the_parameters_of_their_length(three_tokens):
    names = [str(x.symbol) for x in three_tokens.free_entropy.parameters]
    assert names[3:] == [*(f"A_{i}{j}" for i in "123" for j in "123"), "c_1", "c_2", "c_3"]
    specifications = {x.name: x for x in function_specifications(three_tokens)}
    for specification in specifications.values():
        assert [str(x) for x in specification.parameters] == names
    # Each at its place in the parameter vector.
    printed = print_function(specifications["target_matrix"]).parameters
    assert printed == (("omega", 0), *((f"A_{i + 1}{j + 1}", 3 + 3 * i + j) for i in range(3) for j in range(3)))


def independent_objective(z, w, susceptibility, target, sigma_value):
    """Quadratic term plus sigma^2/2 sum (S - T)^2, z and w of shape (L, r), in mpmath."""
    length, rank = len(z), len(z[0])
    total = mpmath.mpf(0)
    for i in range(length):
        powers = [mpmath.exp(sum(z[i][a] * z[j][a] for a in range(rank))) for j in range(length)]
        total += sum((p / sum(powers) - t) ** 2 for p, t in zip(powers, target[i], strict=True)) * sigma_value**2 / 2
        total += sum((x - y) ** 2 for x, y in zip(z[i], w[i], strict=True)) / (2 * susceptibility)
    return total


@pytest.mark.parametrize(("length", "rank"), [(3, 1), (4, 1), (2, 2), (3, 2)])
def test_printed_newton_objective_agrees_with_finite_differences(length, rank):
    printed = print_function(objective_function(moreau_problem(ModelStructure(length, rank))))
    size = length * rank
    generator = np.random.default_rng(10 * length + rank)
    with mpmath.workdps(50):
        z, w = ([mpmath.mpf(x) for x in generator.normal(size=size)] for _ in range(2))
        target = [[mpmath.mpf(x) for x in row] for row in generator.uniform(size=(length, length))]
        susceptibility, sigma_value = mpmath.mpf("8.5"), mpmath.mpf("0.7")
        identity = [susceptibility * (a == b) for a in range(rank) for b in range(a, rank)]
        arguments = [*z, *w, *identity, *itertools.chain(*target)]
        namespace = dict(zip(printed.arguments, arguments, strict=True))
        namespace |= {"sigma": sigma_value, "exponential": mpmath.exp}
        exec("\n".join(printed.assignments), namespace)
        got = [eval(result, namespace) for result in printed.results]

        def at(*moves):
            point = list(z)
            for index, step in moves:
                point[index] += step
            rows = [x[i * rank : (i + 1) * rank] for x in (point, w) for i in range(length)]
            return independent_objective(rows[:length], rows[length:], susceptibility, target, sigma_value)

        e = mpmath.mpf("1e-12")
        gradient = [(at((i, e)) - at((i, -e))) / (2 * e) for i in range(size)]
        hessian = [
            (at((i, e), (j, e)) - at((i, e), (j, -e)) - at((i, -e), (j, e)) + at((i, -e), (j, -e))) / (4 * e**2)
            for i in range(size)
            for j in range(i, size)
        ]
        for value, expected in zip(got, [at(), *gradient, *hessian], strict=True):
            # Halves are printed as floats, which are exact; differences err by e^2.
            assert abs(value - expected) < 1e-14


def test_moreau_problem_of_rank_one_is_that_of_the_equations(three_tokens):
    problem, phi = moreau_problem(ModelStructure(3)), three_tokens.free_entropy
    assert (problem.objective, problem.loss, problem.proximal_point) == (
        phi.channel.objective,
        phi.channel.loss,
        phi.channel.proximal_point,
    )
    assert objective_function(problem) == objective_function(phi.channel)
