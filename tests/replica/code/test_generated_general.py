"""Generated functions of general structures: printed as derived, and slopes that are slopes, at 40 digits."""

from __future__ import annotations

import itertools

import mpmath
import pytest
import sympy as sp

from replica import AttentionModel, Spectrum
from replica.checks.channel_checks import differentiate_numerically
from replica.code.source import generate_source
from replica.quantities.structure import ModelStructure
from tests.oracles.generated_functions import DIGITS, Generated, Node, generated, node

STRUCTURES = {
    "different variances": AttentionModel(0.3, spectrum=Spectrum.isotropic(0.2, 0.3)).structure,
    "rank two": ModelStructure(2, 2),
}


@pytest.fixture(
    scope="module", params=[x if x != "rank two" else pytest.param(x, marks=pytest.mark.slow) for x in STRUCTURES]
)
def functions(request) -> Generated:
    return generated(STRUCTURES[request.param])


@pytest.fixture(scope="module")
def here(functions) -> Node:
    with mpmath.workdps(DIGITS):
        found = node(functions, 3)
        assert found.everything
    return found


def assert_equal(got, expected, tolerance: str) -> None:
    got, expected = list(got), list(expected)
    scale = max(map(abs, expected))
    assert len(got) == len(expected)
    assert scale > 0
    for k, (x, y) in enumerate(zip(got, expected, strict=True)):
        assert abs(x - y) < mpmath.mpf(tolerance) * (abs(y) + scale), k


def slopes(here: Node, names, function) -> list[list]:
    """Derivatives of a function of nodes in coordinates, order parameters or parameters, row by row of outputs."""
    columns = []
    for name in names:

        def value(x, name=name):
            return mpmath.matrix(function(here.moved(name, x)))

        changes = differentiate_numerically(value, here.values[name])
        columns.append(list(changes))
    return [list(row) for row in zip(*columns, strict=True)]


def flat(rows) -> list:
    return [x for row in rows for x in row]


def test_printed_functions_are_the_expressions_they_were_printed_from(functions, here):
    with mpmath.workdps(DIGITS):
        values = here.everything
        for name in functions.specifications:
            # Rational coefficients are printed as doubles, of which all that occur are exact or nearly so.
            assert_equal(functions(name, values), functions.direct(name, values), "1e-15")


def test_local_fields_have_the_conditional_law(functions, here):
    phi = functions.system.free_entropy
    law, size = phi.law, len(phi.channel.fields)
    arguments = map(str, functions.specifications["local_fields"].arguments)
    modes = [x for x in arguments if x.startswith(("common_mode", "line_coordinate"))]
    with mpmath.workdps(DIGITS):
        numbers = {x: here.values[str(x)] for x in {*sp.Matrix(law.mean).free_symbols, *law.covariance.free_symbols}}

        def numeric(matrix):
            function = sp.lambdify(list(numbers), list(matrix), "mpmath")
            return mpmath.matrix(matrix.rows, matrix.cols), function(*numbers.values())

        covariance, entries = numeric(law.covariance)
        for k, x in enumerate(entries):
            covariance[k // covariance.cols, k % covariance.cols] = x
        _, mean = numeric(sp.Matrix(law.mean))
        own, rest = range(size), range(size, covariance.rows)

        def block(a, b):
            return mpmath.matrix([[covariance[i, j] for j in b] for i in a])

        regression = block(own, rest) * mpmath.inverse(block(rest, rest))
        teacher = mpmath.matrix([here.values[str(x)] for x in phi.teacher_fields])
        expected = mpmath.matrix(mean[:size]) + regression * teacher
        at_origin = {**here.values, **dict.fromkeys(modes, mpmath.mpf(0))}
        origin = functions("local_fields", at_origin)
        assert_equal(origin, expected, "1e-28")
        assert len(modes) == size
        shifts = [[x - y for x, y in zip(functions("local_fields", {**at_origin, mode: 1}), origin, strict=True)]
                  for mode in modes]  # fmt: skip
        spread = block(own, own) - regression * block(rest, own)
        got = [sum(shift[i] * shift[j] for shift in shifts) for i in own for j in own]
        assert_equal(got, [spread[i, j] for i in own for j in own], "1e-15")


def test_derivatives_of_the_overlaps(functions, here):
    with mpmath.workdps(DIGITS):
        for function, names in (
            ("overlap_derivatives", functions.conjugates),
            ("overlap_parameter_derivatives", functions.parameters),
        ):
            expected = slopes(here, names, lambda there: functions("overlaps", there.values))
            assert_equal(functions(function, here.values), flat(expected), "1e-15")


def test_parameter_derivatives_of_phi(functions, here):
    with mpmath.workdps(DIGITS):
        atoms = "prior_terms" in functions.specifications
        value = "prior_terms" if atoms else "free_entropy"
        (expected, *_) = slopes(here, functions.parameters, lambda there: functions(value, there.values))
        assert_equal(functions("free_entropy_parameter_derivatives", here.values), expected, "1e-15")


def test_leading_minors_tell_whether_the_weights_precision_is_positive(functions, here):
    phi = functions.system.free_entropy
    with mpmath.workdps(DIGITS):
        precision = sp.Matrix(phi.prior.inverse.of)
        values = {x: sp.Float(str(here.values[str(x)]), 30) for x in precision.free_symbols}
        numbers = precision.xreplace(values)
        minors = [numbers[: k + 1, : k + 1].det() for k in range(numbers.rows)]
        got = functions("weight_precision", here.values)
        assert_equal(got, [mpmath.mpf(str(x)) for x in minors], "1e-25")


def integrands(there: Node) -> list:
    """Conjugates per alpha and the test error, from the equations themselves, z* following."""
    system = there.functions.system
    hats = [system.written_out(system.conjugate_integrand(x.symbol)) for x in system.conjugates]
    values = there.everything
    outputs = []
    for expression in hats:
        names = sorted(expression.free_symbols, key=str)
        outputs.append(COMPILED.setdefault(expression, sp.lambdify(names, expression, "mpmath"))(
            *(values[str(x)] for x in names)))  # fmt: skip
    return [*outputs, there.functions("node_averages", values)[len(hats) + 2]]


COMPILED: dict = {}


def test_columns_of_the_node_averages_are_their_derivatives(functions, here):
    count = len(functions.conjugates)
    with mpmath.workdps(DIGITS):
        got = functions("node_averages", here.everything)
        assert_equal(got[:count], integrands(here)[:count], "1e-15")
        assert_equal(got[count : count + 1], [here.point.minimum], "1e-15")
        expected = slopes(here, functions.state, integrands)
        assert_equal(got[-(count + 1) * len(functions.state) :], flat(expected), "1e-14")


def test_parameter_columns_of_the_node_averages_are_their_derivatives(functions, here):
    with mpmath.workdps(DIGITS):
        got = functions("node_parameter_averages", here.everything)
        expected = slopes(here, functions.parameters, lambda there: [*integrands(there), there.point.minimum])
        assert_equal(got, flat(expected), "1e-14")


def test_derivatives_along_the_line(functions, here):
    phi = functions.system.free_entropy
    with mpmath.workdps(DIGITS):
        *got, bound = functions("along_line", here.everything)
        expected = slopes(here, ["line_coordinate"], lambda there: [*there.point.z, there.point.minimum])
        assert_equal(got, flat(expected), "1e-15")
        assert len(got) == len(phi.channel.proximal_point) + 1
        length = mpmath.norm(mpmath.matrix(got[:-1]))
        assert 0 < length <= bound * (1 + mpmath.mpf("1e-12"))


def test_slopes_of_the_envelope_at_a_jump(functions, here):
    count = len(functions.conjugates)
    with mpmath.workdps(DIGITS):
        got = functions("jump_terms", here.everything)
        assert_equal(got[:count], integrands(here)[:count], "1e-15")
        moves = ["line_coordinate", *functions.state]
        assert_equal(got[count:], flat(slopes(here, moves, lambda there: [there.point.minimum])), "1e-15")
        got = functions("jump_parameter_terms", here.everything)
        moves = ["line_coordinate", *functions.parameters]
        assert_equal(got[count:], flat(slopes(here, moves, lambda there: [there.point.minimum])), "1e-15")


def test_the_replicons_form_is_that_of_the_envelopes_second_derivatives(functions, here):
    phi = functions.system.free_entropy
    size, rank = len(phi.channel.proximal_point), phi.layout.rank
    with mpmath.workdps(DIGITS):
        response = mpmath.matrix(size, size)
        for j, field in enumerate(phi.channel.fields):
            column = differentiate_numerically(
                lambda value, field=field: mpmath.matrix(here.point.moved({field: value}).z), here.point.values[field]
            )
            for i in range(size):
                response[i, j] = column[i]
        # Of tokens l: V_l H_lk = 1 - dz*_l/dw_k.
        variance = mpmath.matrix(size, size)
        for token, block in enumerate(here.point.susceptibility_matrices()):
            for i, j in itertools.product(range(rank), repeat=2):
                variance[token * rank + i, token * rank + j] = block[i, j]
        curvature = mpmath.inverse(variance) * (mpmath.eye(size) - response)
        # Fluctuations of every group's overlaps as block-diagonal matrices of all tokens.
        basis = []
        for group in range(phi.layout.group_count):
            for i, j in itertools.combinations_with_replacement(range(rank), 2):
                fluctuation = mpmath.zeros(size)
                for token in phi.layout.members(group):
                    fluctuation[token * rank + i, token * rank + j] = 1
                    fluctuation[token * rank + j, token * rank + i] = 1
                basis.append(fluctuation)
        pairs = itertools.combinations_with_replacement(basis, 2)
        products = [one * curvature * other * curvature for one, other in pairs]
        expected = [sum(product[i, i] for i in range(size)) for product in products]
        assert_equal(functions("node_replicon", here.everything), expected, "1e-15")


def test_slopes_of_the_envelope_in_the_fields_at_a_jump(functions, here):
    phi = functions.system.free_entropy
    with mpmath.workdps(DIGITS):
        along, *got = functions("jump_replicon_terms", here.everything)
        assert_equal([along], functions("jump_terms", here.everything)[len(functions.conjugates) :][:1], "1e-30")
        expected = [
            differentiate_numerically(
                lambda value, field=field: here.point.moved({field: value}).minimum, here.point.values[field]
            )
            for field in phi.channel.fields
        ]
        assert_equal(got, expected, "1e-15")


def test_the_objectives_slopes(functions, here):
    phi = functions.system.free_entropy
    size = len(phi.channel.proximal_point)
    with mpmath.workdps(DIGITS):
        value, *rest = functions("moreau_objective", here.everything)
        assert_equal([value], [here.point.minimum], "1e-15")
        # At the minimum; rounding of printed doubles apart.
        assert all(abs(x) < 1e-15 for x in rest[:size])
        hessian = here.point.hessian()
        assert_equal(rest[size:], [hessian[i, j] for i in range(size) for j in range(i, size)], "1e-15")


def test_the_source_stays_short():
    assert len(generate_source(generated(ModelStructure()).system).text.splitlines()) < 400
