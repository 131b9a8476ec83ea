"""Softmax weights kept unevaluated, so that derivatives stay short."""

from __future__ import annotations

from typing import Any, cast

import sympy as sp

from replica.common.errors import InvalidModel

__all__ = ["SoftmaxWeight", "with_exponentials"]


class SoftmaxWeight(sp.Function):
    r"""One softmax weight, ``SoftmaxWeight(j, x_0, ..., x_{L-1})`` :math:`= e^{x_j} / \sum_k e^{x_k}`.

    Kept unevaluated so that derivatives are polynomials in softmax weights: no quotient of two overflowing
    exponentials can arise in generated code. Two normal forms keep derivatives short: logits are shifted so that
    the last one vanishes, and the last weight is one minus the others, which also spares an exponential.
    """

    @classmethod
    def eval(cls, *args: Any) -> Any:
        """Bring the weight to its normal form; stay unevaluated there."""
        index, *logits = args
        if logits[-1] != 0:
            return cls(index, *(x - logits[-1] for x in logits))
        if index == len(logits) - 1:
            return 1 - sp.Add(*(cls(k, *logits) for k in range(len(logits) - 1)))
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        r"""Return :math:`\partial S_j/\partial x_k = S_j (\delta_{jk} - S_k)`."""
        if argindex == 1:
            raise InvalidModel("a softmax weight has no derivative with respect to its index")
        index, *logits = self.args
        position = argindex - 2
        return self * (int(index == position) - SoftmaxWeight(position, *logits))

    def explicit(self) -> sp.Expr:
        """Return the weight in terms of exponentials."""
        index, *logits = self.args
        return 1 / sp.Add(*(sp.exp(x - logits[int(index)]) for x in logits))

    def _eval_evalf(self, prec: int) -> Any:
        return self.explicit()._eval_evalf(prec)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        index, *logits = self.args
        inside = ", ".join(printer._print(x) for x in logits)
        name = rf"\operatorname{{softmax}}_{{{int(index) + 1}}}\left({inside}\right)"
        return name if exp is None else rf"\left[{name}\right]^{{{exp}}}"


def with_exponentials(expression: sp.Expr) -> sp.Expr:
    """Return an expression with every softmax weight written out in exponentials, also those within others."""
    while weights := expression.atoms(SoftmaxWeight):
        expression = cast(sp.Expr, expression.xreplace({weight: weight.explicit() for weight in weights}))
    return expression
