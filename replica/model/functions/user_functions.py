r"""Functions of the pre-activations that users write: attention S(h), target T(h), losses; checked, and as text.

A function is called once, on symbols, and kept as the text of what it returned. Text is a value: it can be
compared, hashed, stored in a file and be part of a kernel's key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from replica.algebra.expression_bounds import ExpressionBounds
from replica.algebra.expression_text import LONGEST_TEXT, read_matrix
from replica.algebra.softmax_weight import SoftmaxWeight
from replica.common.errors import InvalidModel

__all__ = [
    "check_expression",
    "check_smooth",
    "linear_attention",
    "matrix_from_text",
    "matrix_to_text",
    "softmax",
    "softmax_attention",
]

MatrixFunction = Callable[[sp.Matrix], Any]


def softmax(logits: Any) -> sp.Matrix:
    """Return the softmax of every row of a matrix of logits, for use in attention functions and targets."""
    rows = sp.Matrix(logits).tolist()
    return sp.Matrix([[SoftmaxWeight(j, *row) for j in range(len(row))] for row in rows])


def softmax_attention(inverse_temperature: Any = 1) -> MatrixFunction:
    r"""Return :math:`S(h) = \mathrm{softmax}(\beta\, h h^\top)`, row by row.

    Parameters
    ----------
    inverse_temperature
        A number, or the SymPy symbol of one of the model's ``parameters``.
    """
    factor = sp.sympify(inverse_temperature)
    return lambda h: softmax(factor * h * h.T)


def linear_attention() -> MatrixFunction:
    r"""Return :math:`S(h) = h h^\top`, attention without softmax."""
    return lambda h: h * h.T


def check_expression(name: str, expression: Any, allowed: Collection[sp.Symbol], declare: str) -> sp.Expr:
    """Return an expression in known symbols and known functions, or say which piece of it is neither.

    Parameters
    ----------
    name
        What the expression is, for messages.
    allowed
        Symbols it may contain. A symbol of the same name with other assumptions is replaced by the allowed one.
    declare
        How to make another symbol known, for messages.
    """
    try:
        value = sp.sympify(expression, strict=True)
    except sp.SympifyError:
        raise InvalidModel(f"{name} must be a SymPy expression, got {expression!r}") from None
    if not isinstance(value, sp.Expr) or value.is_Matrix:
        raise InvalidModel(f"{name} must be a scalar SymPy expression, got {expression!r}")
    unknown = sorted({str(x.func) for x in value.atoms(AppliedUndef)})
    if unknown:
        raise InvalidModel(f"{name} contains the unknown function {unknown[0]!r}: {value}")
    if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise InvalidModel(f"{name} must be real and finite, got {value}")
    by_name = {x.name: x for x in allowed}
    renamed = {x: by_name[x.name] for x in value.free_symbols if x.name in by_name}
    value = value.xreplace({x: known for x, known in renamed.items() if x != known})
    free = sorted(str(x) for x in value.free_symbols if x not in set(allowed))
    if free:
        raise InvalidModel(f"{name} contains the free symbol {free[0]!r}: {value}; {declare}")
    return value


def check_smooth(name: str, expression: sp.Expr, variables: Sequence[sp.Symbol]) -> None:
    """Refuse an expression that SymPy cannot differentiate twice to something explicit.

    Raises
    ------
    ValueError
        Naming the piece that has no derivative.
    """
    rough = (sp.Derivative, sp.Subs, sp.DiracDelta, sp.Integral)
    own = [x for x in variables if expression.has(x)]
    # SymPy differentiates the pieces and forgets what happens between them.
    for piecewise in sorted(expression.atoms(sp.Piecewise), key=sp.default_sort_key):
        if piecewise.has(*own):
            raise InvalidModel(
                f"{name} must be twice differentiable in the pre-activations, not piecewise: {piecewise}"
            )
    first = {x: sp.diff(expression, x) for x in own}
    for i, x in enumerate(own):
        for y in own[i:]:
            second = sp.diff(first[x], y)
            found = sorted(second.atoms(*rough), key=sp.default_sort_key)
            if found:
                culprit = _culprit(expression, own)
                raise InvalidModel(
                    f"{name} must be twice differentiable in the pre-activations: {culprit} is not "
                    f"(its second derivative contains {found[0]})"
                )


def _culprit(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> sp.Expr:
    """Return the smallest function in an expression whose second derivative is not explicit."""
    functions = sorted(expression.atoms(sp.Function), key=lambda f: (sp.count_ops(f), sp.default_sort_key(f)))
    for function in functions:
        for x in variables:
            if sp.diff(function, x, 2).has(sp.Derivative, sp.Subs, sp.DiracDelta):
                return function
    return expression


def matrix_to_text(name: str, function: Any, fields: sp.Matrix, parameters: Collection[sp.Symbol], smooth: bool) -> str:
    """Call a user's matrix function on symbols, check what it returns, and return that as text.

    Parameters
    ----------
    name
        "attention" or "target", for messages.
    function
        Called with the matrix of pre-activations, it must return an L x L matrix. A text is checked alike.
    fields
        The pre-activations, L x r.
    parameters
        Symbols of the model's numeric parameters.
    smooth
        Whether two derivatives are needed.

    Raises
    ------
    ValueError
        If the result is no L x L matrix, has an unknown function or a free symbol, or is not smooth enough.
    """
    length = fields.rows
    if isinstance(function, str):
        value = matrix_from_text(function, name)
    elif callable(function):
        value = function(fields)
    else:
        raise InvalidModel(f"{name} must be a function of the matrix of pre-activations, got {function!r}")
    try:
        # Strict: SymPy would evaluate strings.
        rows = value.tolist() if isinstance(value, sp.MatrixBase) else [list(row) for row in value]
        matrix = sp.Matrix([[sp.sympify(x, strict=True) for x in row] for row in rows])
    except (TypeError, ValueError, sp.SympifyError):
        matrix = sp.Matrix(0, 0, [])
    if matrix.shape != (length, length):
        shown = value.tolist() if isinstance(value, sp.MatrixBase) else value
        raise InvalidModel(f"{name} must return an L x L matrix, {length} x {length} here, got {shown!r}")
    declare = "give its value by parameters={...}"
    allowed = [*fields, *parameters]
    entries = [
        check_expression(f"{name}[{i}, {j}]", matrix[i, j], allowed, declare)
        for i in range(length)
        for j in range(length)
    ]
    _check_size(name, entries, list(fields) if smooth else [])
    if smooth:
        for k, entry in enumerate(entries):
            check_smooth(f"{name}[{k // length}, {k % length}]", entry, list(fields))
    text = sp.srepr(sp.ImmutableMatrix(length, length, entries))
    if len(text) > LONGEST_TEXT:
        raise InvalidModel(f"{name} must have a text of at most {LONGEST_TEXT} characters, got {len(text)}")
    return text


def _check_size(name: str, entries: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> None:
    """Refuse entries that could not be read back from their text, or not be differentiated in reasonable time."""
    bounds = ExpressionBounds()
    try:
        for entry in entries:
            bounds.check(entry)
        bounds.check_total(entries)
        bounds.check_derivatives(entries, variables)
    except InvalidModel as error:
        raise InvalidModel(f"{name} is too large or holds what it may not: {error}") from None


def matrix_from_text(text: str, name: str = "the text of a matrix") -> sp.Matrix:
    """Return the matrix that :func:`matrix_to_text` wrote.

    Text may come from a file, so it is read, not run, and bounded in what it may hold and evaluate: see
    ``replica.algebra.expression_text``.

    Parameters
    ----------
    text
        As SymPy's ``srepr`` writes it.
    name
        What it is, for messages.

    Raises
    ------
    ValueError
        If the text contains anything else, or is too large.
    """
    try:
        return read_matrix(text)
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError) as error:
        why = " ".join(str(error).split()) or f"SymPy cannot evaluate it ({type(error).__name__})"
        raise InvalidModel(f"{name} must be SymPy's srepr of a matrix, got {text[:60]!r}: {why:.250}") from None
