"""The attention layer and its target as SymPy expressions, and one sample's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sympy as sp

from replica.common.errors import InvalidModel
from replica.model.layer import attention_entries, target_entries
from replica.quantities import symbols

__all__ = ["SoftmaxWeight", "attention_matrix", "sample_loss", "target_matrix", "with_exponentials"]


class SoftmaxWeight(sp.Function):
    r"""One softmax weight, ``SoftmaxWeight(j, x_0, ..., x_{L-1})`` :math:`= e^{x_j} / \sum_k e^{x_k}`.

    Kept unevaluated so that derivatives are polynomials in softmax weights: no quotient of two overflowing
    exponentials can arise in generated code. Two normal forms keep derivatives short: logits are shifted so that
    the last one vanishes, and the last weight is one minus the others, which also spares an exponential.
    """

    @classmethod
    def eval(cls, index: Any, *logits: Any) -> Any:
        """Bring the weight to its normal form; stay unevaluated there."""
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


def _softmax(logits: Sequence[sp.Expr]) -> list[sp.Expr]:
    return [SoftmaxWeight(j, *logits) for j in range(len(logits))]


def attention_matrix(preactivations: Sequence[sp.Expr] | sp.MatrixBase) -> sp.Matrix:
    r"""Return :math:`S(h) = \mathrm{softmax}(h h^\top)`, row by row (section 2 of arXiv:2402.03902).

    Parameters
    ----------
    preactivations
        The L entries of h (rank one), or an L x r matrix.

    Returns
    -------
    sympy.Matrix
        L x L, rows summing to one.
    """
    return sp.Matrix(attention_entries(sp.Matrix(preactivations).tolist(), _softmax))


def target_matrix(preactivations: Sequence[sp.Expr]) -> sp.Matrix:
    r"""Return :math:`T(h) = (1-\omega) S(h) + \omega A`, L x L."""
    attention = attention_matrix(preactivations)
    positional = symbols.positional_matrix(attention.rows)
    return sp.Matrix(target_entries(attention.tolist(), symbols.parameter("omega"), positional.tolist()))


def sample_loss(attention: sp.Matrix, target: sp.Matrix, traces: Sequence[sp.Expr]) -> sp.Expr:
    r"""Return :math:`\frac12\mathrm{Tr}[(S-T)R(S-T)^\top]` with :math:`R = \mathrm{diag}(\mathrm{Tr}\Sigma_l/d)`.

    Source: section 1 of the theory notes. ``target`` holds the entries of T(h*), as expressions or opaque symbols.
    """
    difference = attention - target
    columns = range(difference.cols)
    # Columns of equal weight share one factor, so that what is squared stands together.
    by_trace: dict[sp.Expr, list[sp.Expr]] = {}
    for k in columns:
        by_trace.setdefault(traces[k], []).extend(difference[i, k] ** 2 for i in range(difference.rows))
    if len(by_trace) == 1:
        # In the order of the matrix, row by row.
        return traces[0] / 2 * sp.Add(*(entry**2 for entry in difference))
    return sp.Add(*(trace / 2 * sp.Add(*squares) for trace, squares in by_trace.items()))
