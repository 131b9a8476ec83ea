r"""Unevaluated Gaussian averages, and the three rules that differentiate them.

``GaussianAverage(f, law)`` stands for :math:`\mathbb{E}[f(x)]` with x Gaussian, its mean and covariance functions of
the order parameters. The rules, each used once in the derivation of the saddle-point equations:

- **Price's theorem**: a derivative with respect to the covariance brings down second derivatives of f;
- **Gaussian integration by parts** (Stein's lemma): trades a derivative of f for a factor of x. It is what makes
  the equations meaningful here: the Moreau envelope has kinks, so its second derivatives contain delta functions;
- **the envelope theorem**: first derivatives of a minimum are partial derivatives at the minimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.algebra.inverse_matrices import InverseMatrix, differentiate
from replica.algebra.unevaluated_average import UnevaluatedAverage

__all__ = [
    "GaussianAverage",
    "GaussianLaw",
    "integrate_by_parts",
    "use_envelope_theorem",
]


@dataclass(frozen=True)
class GaussianLaw:
    """A multivariate Gaussian law with symbolic mean (n) and covariance (n x n).

    ``inverse`` is the inverse of the covariance where it is known in a form of its own, such as blocks of symbols;
    otherwise it is computed.
    """

    variables: tuple[sp.Symbol, ...]
    mean: tuple[sp.Expr, ...]
    covariance: sp.ImmutableMatrix
    inverse: sp.ImmutableMatrix | None = None

    @cached_property
    def precision(self) -> sp.ImmutableMatrix:
        """Inverse of the covariance."""
        if self.inverse is not None:
            return self.inverse
        return sp.ImmutableMatrix(block_inverse(sp.Matrix(self.covariance)))

    @cached_property
    def deviations(self) -> sp.Matrix:
        """Variables minus their means."""
        return sp.Matrix([x - mu for x, mu in zip(self.variables, self.mean, strict=True)])

    def log_density_derivative(self, parameter: sp.Symbol) -> sp.Expr:
        r"""Return the derivative of the density's logarithm in a parameter.

        .. math::
            -\tfrac12\mathrm{Tr}\,C^{-1}\partial C + \tfrac12 s^\top\partial C\,s + s^\top\partial\mu,
            \qquad s = C^{-1}(x-\mu)
        """
        precision = sp.Matrix(self.precision)
        scores = precision * self.deviations
        rate = sp.Matrix(self.covariance).diff(parameter)
        drift = sp.Matrix(self.mean).diff(parameter)
        quadratic = (scores.T * rate * scores)[0, 0]
        return -(precision * rate).trace() / 2 + quadratic / 2 + (scores.T * drift)[0, 0]

    def score(self, variable: sp.Symbol) -> sp.Expr:
        r"""Return :math:`[C^{-1}(x-\mu)]` in the direction of one variable."""
        row = self.variables.index(variable)
        return sp.Add(
            *(
                self.precision[row, k] * (x - mu)
                for k, (x, mu) in enumerate(zip(self.variables, self.mean, strict=True))
            )
        )


def block_inverse(matrix: sp.Matrix) -> sp.Matrix:
    """Invert a symmetric matrix block by block, after sorting its rows into blocks that share no entry."""
    size = matrix.rows
    inverse = sp.zeros(size, size)
    left = list(range(size))
    while left:
        block = [left[0]]
        for i in block:
            block += [j for j in left if j not in block and matrix[i, j] != 0]
        left = [j for j in left if j not in block]
        block.sort()
        part = matrix.extract(block, block).inv().applyfunc(sp.simplify)
        for a, i in enumerate(block):
            for b, j in enumerate(block):
                inverse[i, j] = part[a, b]
    return inverse


class GaussianAverage(UnevaluatedAverage):
    """The unevaluated average of an integrand under a Gaussian law.

    Its arguments are the integrand, the variables, the mean and the covariance, so that SymPy's own
    substitution and comparison work.
    """

    def __new__(cls, integrand: Any, law: GaussianLaw) -> GaussianAverage:
        """Build the average from an integrand and a law."""
        known = () if law.inverse is None else (law.inverse,)
        return cls._from_arguments(
            sp.sympify(integrand), sp.Tuple(*law.variables), sp.Tuple(*law.mean), law.covariance, *known
        )

    @property
    def law(self) -> GaussianLaw:
        """The Gaussian law."""
        _, variables, mean, covariance, *inverse = self.args
        return GaussianLaw(
            tuple(variables),
            tuple(mean),
            sp.ImmutableMatrix(covariance),
            sp.ImmutableMatrix(inverse[0]) if inverse else None,
        )

    @property
    def free_symbols(self) -> set[Any]:
        """Symbols that are not integrated over."""
        _, variables, mean, covariance, *_ = self.args
        return (self.args[0].free_symbols - set(variables)) | mean.free_symbols | covariance.free_symbols

    def derivative_by_density(self, parameter: sp.Symbol, inverses: Sequence[InverseMatrix] = ()) -> GaussianAverage:
        r"""Return the derivative, the law's share falling on the density: :math:`E[\partial f + f \,\partial\log p]`.

        Equal to the other route, Price's theorem, but free of derivatives of f with respect to x: where f jumps
        no moving-jump term arises, and a quadrature sees nothing worse than f itself.
        """
        law = self.law
        change = differentiate(self.integrand, parameter, inverses) + self.integrand * law.log_density_derivative(
            parameter
        )
        return GaussianAverage(change, law)

    def _eval_derivative(self, parameter: Any) -> Any:
        """Differentiate with respect to a parameter: chain rule for the mean, Price for the covariance."""
        law, f = self.law, self.integrand
        change = sp.diff(f, parameter)
        for i, x in enumerate(law.variables):
            change += sp.diff(law.mean[i], parameter) * sp.diff(f, x)
            for j, y in enumerate(law.variables):
                rate = sp.diff(law.covariance[i, j], parameter)
                if rate != 0:
                    change += rate / 2 * sp.diff(f, x, y)
        return GaussianAverage(sp.expand(change), law)

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}\left[{printer._print(self.integrand)}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.integrand)}]"


def integrate_by_parts(average: GaussianAverage, envelope: sp.Expr, inner: tuple[sp.Symbol, ...]) -> GaussianAverage:
    r"""Lower every second derivative of ``envelope`` to a first one by Stein's lemma.

    Parameters
    ----------
    average
        An average linear in the derivatives of ``envelope``.
    envelope
        The function whose second derivatives are to be removed.
    inner
        Variables whose first derivative is kept:
        :math:`\mathbb{E}[\partial_x\partial_w M] = \mathbb{E}[(C^{-1}(x-\mu))_x\,\partial_w M]`.

    Raises
    ------
    ValueError
        If a derivative of second order involves none of the inner variables, or is of higher order.
    """
    law = average.law
    rules = {}
    for derivative in average.integrand.atoms(sp.Derivative):
        if derivative.expr != envelope:
            continue
        directions = [variable for variable, count in derivative.variable_count for _ in range(int(count))]
        if len(directions) == 1:
            continue
        kept = [x for x in directions if x in inner]
        if len(directions) != 2 or not kept:
            raise ValueError(f"cannot lower {derivative} by integration by parts: keep one of {inner}")
        first = kept[0]
        directions.remove(first)
        rules[derivative] = sp.Derivative(envelope, first) * law.score(directions[0])
    return GaussianAverage(average.integrand.xreplace(rules), law)


def use_envelope_theorem(
    average: GaussianAverage,
    envelope: sp.Expr,
    objective: sp.Expr,
    slope: Callable[[sp.Symbol], sp.Expr] | None = None,
) -> GaussianAverage:
    """Replace the envelope by the objective at its minimiser, and first derivatives by partial ones.

    ``objective`` is an expression in the proximal point's symbols, which stand for the minimiser; ``slope`` gives its
    partial derivatives where they are known in a form of their own.
    """
    rules: dict[sp.Expr, sp.Expr] = {}
    for derivative in average.integrand.atoms(sp.Derivative):
        if derivative.expr == envelope:
            ((variable, count),) = derivative.variable_count
            if count != 1:
                raise ValueError(f"the envelope theorem gives first derivatives only, got {derivative}")
            rules[derivative] = slope(variable) if slope else sp.diff(objective, variable)
    # Derivatives first: replacing the envelope inside a Derivative node would differentiate the objective.
    integrand = average.integrand.xreplace(rules).xreplace({envelope: objective})
    return GaussianAverage(integrand, average.law)
