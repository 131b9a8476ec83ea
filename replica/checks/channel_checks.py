"""Laplace's method, envelope theorem, Price's theorem and Stein's lemma against numbers of 30 digits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage, integrate_by_parts
from replica.checks.check import DIGITS, Check, function_of, relative
from replica.checks.minimiser import ChannelPoint, channel_point
from replica.equations.free_entropy import FreeEntropy

if TYPE_CHECKING:
    from replica.theory import Theory

__all__ = [
    "differentiate_numerically",
    "envelope_theorem",
    "laplace",
    "price_and_stein",
    "stationarity_on_a_quadrature",
]

LAPLACE_NODES = 4
QUADRATURE_POINTS = 6


def laplace(derivation: Theory, seed: int) -> Iterator[Check]:
    r"""Compare :math:`-\frac1\beta\log\zeta` at a large beta with the envelope and its first correction.

    :math:`-\frac1\beta\log\zeta = \mathcal{M} + \frac1{2\beta}\log\det(V H) + O(\beta^{-2})` with H the Hessian of what
    the envelope minimises, and :math:`\zeta = \int\mathcal{N}(z; w, V/\beta)\,e^{-\beta\ell(z)}dz` from density and
    loss, not from what the envelope minimises.
    """
    phi = derivation.free_entropy
    beta = mpmath.mpf(10) ** 8
    with mpmath.workdps(DIGITS):
        point = channel_point(derivation, np.random.default_rng(seed + 10))
        size = len(phi.channel.proximal_point)
        hessian = point.hessian()
        root = mpmath.inverse(mpmath.cholesky(hessian)).T
        exponent_of = _exponent(point)
        nodes, weights = np.polynomial.hermite_e.hermegauss(LAPLACE_NODES)
        total = mpmath.mpf(0)
        for places in itertools.product(range(LAPLACE_NODES), repeat=size):
            x = mpmath.matrix([mpmath.mpf(nodes[k]) for k in places])
            z = [z0 + step / mpmath.sqrt(beta) for z0, step in zip(point.z, root * x, strict=True)]
            weight = mpmath.fprod(mpmath.mpf(weights[k]) for k in places) / mpmath.sqrt(2 * mpmath.pi) ** size
            exponent = -beta * (exponent_of(z) - point.minimum) + (x.T * x)[0, 0] / 2
            total += weight * mpmath.exp(exponent)
        logarithm = mpmath.log(mpmath.det(hessian) * mpmath.fprod(map(mpmath.det, point.susceptibility_matrices()))) / 2
        expected = point.minimum + logarithm / beta
        deviation = relative(expected - mpmath.log(total) / beta, expected)
    yield Check(
        "Moreau envelope", "partition function of one sample at beta = 1e8 against the envelope", deviation, 1e-11
    )


def _exponent(point: ChannelPoint) -> Any:
    """Return minus the logarithm of density and likelihood of z at given w, per beta and without its constant."""
    phi, numbers = point.functions.phi, point.values
    precisions = [mpmath.inverse(x) for x in point.susceptibility_matrices()]
    names = sorted(phi.channel.loss.free_symbols - set(phi.channel.proximal_point), key=str)
    loss = function_of([*phi.channel.proximal_point, *names], phi.channel.loss)
    rank = phi.layout.rank

    def at(z: list[Any]) -> Any:
        total = loss(*z, *(numbers[x] for x in names))
        for token, precision in enumerate(precisions):
            own = range(token * rank, (token + 1) * rank)
            offset = mpmath.matrix([z[k] - numbers[phi.channel.fields[k]] for k in own])
            total += (offset.T * precision * offset)[0, 0] / 2
        return total

    return at


def differentiate_numerically(function: Any, x: Any) -> Any:
    """Return the derivative of a function to about 20 digits: central differences, extrapolated once."""

    def difference(h: Any) -> Any:
        return (function(x + h) - function(x - h)) / (2 * h)

    h = mpmath.mpf("1e-10")
    return (4 * difference(h / 2) - difference(h)) / 3


def envelope_theorem(derivation: Theory, seed: int) -> Iterator[Check]:
    """Differentiate the minimum numerically, the minimiser following, and compare with the partial derivatives."""
    phi = derivation.free_entropy
    worst = 0.0
    with mpmath.workdps(2 * DIGITS):
        point = channel_point(derivation, np.random.default_rng(seed + 11))
        for x in (*phi.channel.fields, *point.susceptibilities):
            numeric = differentiate_numerically(lambda value, x=x: point.moved({x: value}).minimum, point.values[x])
            worst = max(worst, relative(numeric, point.slope(x)))
    yield Check("stationarity", "envelope theorem against differentiation of the minimum", worst, 1e-18)


class NumericLaw:
    """Means and a square root of the covariance of the fields, as functions of changed values.

    The root is that of Cholesky with the teacher's fields first, so that a node's teacher fields do not move with the
    order parameters of the student.
    """

    def __init__(self, phi: FreeEntropy, values: dict[sp.Symbol, Any]) -> None:
        law = phi.law
        self.values = values
        self.names = sorted({*sp.Matrix(law.mean).free_symbols, *law.covariance.free_symbols}, key=str)
        self.mean = function_of(self.names, list(law.mean))
        self.covariance = function_of(self.names, list(law.covariance))
        student, size = len(phi.channel.fields), len(law.variables)
        self.order = [*range(student, size), *range(student)]

    def fields(self, node: Any, changes: dict[sp.Symbol, Any]) -> list[Any]:
        """Return the fields of a node of standard normal numbers."""
        numbers = [changes.get(x, self.values[x]) for x in self.names]
        entries, size = self.covariance(*numbers), len(self.order)
        matrix = mpmath.matrix(size, size)
        for a, i in enumerate(self.order):
            for b, j in enumerate(self.order):
                matrix[a, b] = entries[i * size + j]
        shift = mpmath.cholesky(matrix) * mpmath.matrix(node)
        fields = [mpmath.mpf(x) for x in self.mean(*numbers)]
        for a, i in enumerate(self.order):
            fields[i] += shift[a]
        return fields


def price_and_stein(derivation: Theory, seed: int) -> Iterator[Check]:
    """Differentiate the average of a cubic polynomial numerically, and by Price's theorem and Stein's lemma.

    The polynomial stands in for the envelope: its Gaussian averages are exact on two nodes per field.
    """
    phi = derivation.free_entropy
    generator = np.random.default_rng(seed + 12)
    with mpmath.workdps(2 * DIGITS):
        point = channel_point(derivation, generator)
        fields = phi.law.variables
        polynomial = sp.S.Zero
        for degree in (1, 2, 3):
            for powers in itertools.combinations_with_replacement(fields, degree):
                polynomial += sp.Rational(int(generator.integers(-1000, 1000)), 1000) * sp.Mul(*powers)
        stretch = 1 + sp.Add(*(sp.Rational(k + 1, 7) * v for k, v in enumerate(point.susceptibilities)))
        stand_in = polynomial * stretch
        law = NumericLaw(phi, point.values)
        signs = list(itertools.product((-1, 1), repeat=len(fields)))

        def average(expression: sp.Expr, changes: dict[sp.Symbol, Any]) -> Any:
            names = sorted(expression.free_symbols - set(fields), key=str)
            function = _cached(fields, names, expression)
            numbers = [changes.get(x, point.values[x]) for x in names]
            return mpmath.fsum(function(*law.fields(node, changes), *numbers) for node in signs) / len(signs)

        functions: dict[sp.Expr, Any] = {}

        def _cached(variables: Any, names: Any, expression: sp.Expr) -> Any:
            if expression not in functions:
                functions[expression] = function_of([*variables, *names], expression)
            return functions[expression]

        worst = 0.0
        definitions = {x: y for inverse in phi.covariance_inverses for x, y in inverse.definitions.items()}
        for x in phi.order_parameters:
            change = sp.diff(phi.average_envelope, x.symbol)
            assert isinstance(change, GaussianAverage)
            lowered = integrate_by_parts(change, phi.envelope, phi.channel.fields).integrand
            rules = {d: sp.diff(stand_in, d.variables[0]) for d in lowered.atoms(sp.Derivative)}
            formula = lowered.xreplace(rules).xreplace(definitions)
            numeric = differentiate_numerically(
                lambda value, x=x: average(stand_in, {x.symbol: value}), point.values[x.symbol]
            )
            worst = max(worst, relative(numeric, average(formula, {})))
    yield Check("stationarity", "Price's theorem and Stein's lemma on a cubic stand-in for the envelope", worst, 1e-18)


def stationarity_on_a_quadrature(derivation: Theory, seed: int) -> Iterator[Check]:
    """Differentiate Phi on a few nodes numerically, against the trace term's slope and the envelope theorem.

    The nodes move with the order parameters, as those of any quadrature of the fields do; the identity holds for any
    nodes and weights, here random ones.
    """
    phi = derivation.free_entropy
    generator = np.random.default_rng(seed + 13)
    with mpmath.workdps(2 * DIGITS):
        base = channel_point(derivation, generator)
        law = NumericLaw(phi, base.values)
        size = len(phi.law.variables)
        nodes = [mpmath.matrix(generator.normal(size=size).tolist()) for _ in range(QUADRATURE_POINTS)]
        weights = [mpmath.mpf(x) for x in generator.uniform(0.1, 1.0, QUADRATURE_POINTS)]
        alpha = mpmath.mpf("1.3")
        trace_names = sorted(phi.trace_term.free_symbols, key=str)
        hats = {x.symbol: mpmath.mpf(generator.uniform(0.1, 1.0)) for x in phi.conjugates}
        trace = function_of(trace_names, phi.trace_term)
        starts: list[list[Any] | None] = [None] * QUADRATURE_POINTS

        def point_at(k: int, changes: dict[sp.Symbol, Any]) -> ChannelPoint:
            fields = dict(zip(phi.law.variables, law.fields(nodes[k], changes), strict=True))
            teacher = {x: fields[x] for x in phi.teacher_fields}
            return base.moved({**changes, **{x: fields[x] for x in phi.channel.fields}}, teacher, starts[k])

        for k in range(QUADRATURE_POINTS):
            starts[k] = point_at(k, {}).z

        def free_entropy(changes: dict[sp.Symbol, Any]) -> Any:
            numbers = [hats[x] if x in hats else changes.get(x, base.values[x]) for x in trace_names]
            channel = mpmath.fsum(weights[k] * point_at(k, changes).minimum for k in range(QUADRATURE_POINTS))
            return trace(*numbers) - alpha * channel

        def slope(x: sp.Symbol) -> Any:
            pairing = sp.diff(phi.trace_term, x)
            names = sorted(pairing.free_symbols, key=str)
            total = function_of(names, pairing)(*(hats[y] if y in hats else base.values[y] for y in names))
            for k, weight in enumerate(weights):
                here = point_at(k, {})
                own = here.slope(x) if x in here.susceptibilities else mpmath.mpf(0)
                for i, field in enumerate(phi.channel.fields):
                    rate = differentiate_numerically(
                        lambda value, i=i, k=k: law.fields(nodes[k], {x: value})[i], base.values[x]
                    )
                    own += here.slope(field) * rate
                total -= alpha * weight * own
            return total

        worst = 0.0
        for x in phi.order_parameters:
            numeric = differentiate_numerically(
                lambda value, x=x: free_entropy({x.symbol: value}), base.values[x.symbol]
            )
            worst = max(worst, relative(numeric, slope(x.symbol)))
    statement = "slopes of Phi on a small quadrature against differentiation of its 30 digits"
    yield Check("stationarity", statement, worst, 1e-17)
