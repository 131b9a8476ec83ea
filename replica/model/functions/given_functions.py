"""What is asked of the functions in a model beyond their form: they can be called, computed, stored, and matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import sympy as sp
from sympy.printing.codeprinter import PrintMethodNotImplementedError
from sympy.printing.pycode import PythonCodePrinter

from replica.algebra.softmax_weight import SoftmaxWeight
from replica.common.checked_arguments import quoted
from replica.common.errors import AttentionPhaseError, InvalidModel
from replica.model.functions.user_functions import matrix_from_text

__all__ = ["called_on_symbols", "check_parameters_used", "check_text", "symbols_in_text"]

# What stands for a computation that is yet to be done, by whoever reads it.
UNFINISHED = (sp.Derivative, sp.Integral, sp.Limit, sp.Product, sp.Subs, sp.Sum)


def called_on_symbols(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a user's function, whose own errors on symbols become refusals that name it."""

    def call(*symbols: Any) -> Any:
        try:
            result = function(*symbols)
        except AttentionPhaseError:
            raise
        except Exception as error:
            raise InvalidModel(
                f"{name} must be a function of SymPy symbols; called on them, {quoted(function)} raised "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            ) from error
        if callable(result) and not isinstance(result, sp.Basic | sp.MatrixBase):
            raise InvalidModel(
                f"{name} must return expressions, but {quoted(function)} returned the function {quoted(result)}; "
                f"what makes such functions must be called first, as in {name}=softmax_attention()"
            )
        return result

    return call


def check_text(name: str, text: str, fields: Collection[sp.Symbol], *, smooth: bool) -> None:
    """Refuse a matrix function whose text cannot be computed or read back, or an attention blind to its fields.

    Parameters
    ----------
    name
        "attention" or "target", for messages.
    text
        What ``replica.model.functions.user_functions.matrix_to_text`` wrote.
    fields
        The pre-activations.
    smooth
        Whether it is differentiated in them, and must depend on them.

    Raises
    ------
    InvalidModel
        Naming the piece in question.
    """
    if "Piecewise" in text:
        raise InvalidModel(
            f"{name} must not be piecewise, for its pieces could not be read back from a file; "
            "sp.Heaviside, sp.sign, sp.Abs, sp.Max and sp.Min say the same"
        )
    matrix = matrix_from_text(text, name)
    unfinished = sorted(matrix.atoms(*UNFINISHED), key=sp.default_sort_key)
    if unfinished:
        raise InvalidModel(f"{name} must be explicit, got {unfinished[0]}; call .doit() on it")
    _check_computable(name, matrix, differentiated=smooth)
    if smooth and not matrix.free_symbols & set(fields):
        raise InvalidModel(f"{name} must depend on the pre-activations, got {matrix.tolist()}")


def _check_computable(name: str, matrix: sp.Matrix, differentiated: bool) -> None:
    """Refuse functions, or derivatives of them, for which there is no code."""
    printer = PythonCodePrinter()
    kinds: dict[Any, sp.Expr] = {}
    for function in sorted(matrix.atoms(sp.Function), key=sp.default_sort_key):
        if not isinstance(function, SoftmaxWeight):
            numbers = tuple(x if x.is_number else None for x in function.args)
            kinds.setdefault((function.func, numbers), function)
    for (kind, numbers), function in kinds.items():
        slots = [sp.Dummy(real=True) if x is None else x for x in numbers]
        # SymPy evaluates some functions of bare symbols to others, which are as good.
        forms = [kind(*slots)]
        for _ in range(2 if differentiated else 0):
            forms += [sp.diff(forms[-1], x) for x in slots if isinstance(x, sp.Dummy)][:1]
        try:
            for form in forms:
                printer.doprint(form)
        except PrintMethodNotImplementedError:
            what = "the function or one of its derivatives" if differentiated else "the function"
            raise InvalidModel(
                f"{name} must be made of functions that can be computed: there is no code for {what} {function}"
            ) from None


def symbols_in_text(text: str) -> set[str]:
    """Return the names of the symbols in a matrix's text."""
    return set(re.findall(r"Symbol\('([^']*)'", text))


def check_parameters_used(parameters: Mapping[str, float], used: Collection[str], where: str) -> None:
    """Refuse a value of something that no expression knows, which would change nothing.

    Raises
    ------
    InvalidModel
        Naming the parameter.
    """
    for name, value in parameters.items():
        if name not in used:
            known = ", ".join(sorted(used)) or "none"
            raise InvalidModel(
                f"parameters[{name!r}] must be a symbol of {where}, or its value {value!r} changes nothing; "
                f"symbols there are: {known}"
            )
