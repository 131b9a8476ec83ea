"""From a SaddleSystem to the text of plain scalar Python statements that a kernel can compile.

Stages:

1. ``function_specifications``: SaddleSystem -> named functions, each a list of SymPy expressions;
2. ``print_function``: one specification -> assignments and results as text (common subexpressions shared,
   canonical names);
3. ``generate_source``: the functions of scalars -> source text. Functions evaluated at many nodes at once are
   wrapped in loops by whoever assembles the kernel, from the same printed statements.

The text knows nothing of how it will be compiled: every function carries the decorator ``@generated`` and calls
``exponential``, both of which the kernel defines. ``saddle/kernel/numerics/_generated.pyi`` documents them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.pycode import PythonCodePrinter

from replica.code.channel_functions import channel_functions
from replica.code.function_specification import FunctionSpecification
from replica.code.prior_functions import prior_functions
from replica.code.shared_names import named
from replica.common.errors import InvalidArgument
from replica.equations.saddle_system import SaddleSystem

__all__ = ["GeneratedSource", "PrintedFunction", "function_specifications", "generate_source", "print_function"]


@dataclass(frozen=True)
class PrintedFunction:
    """A specification as text: argument names, the parameters it reads, assignments in order, named results."""

    name: str
    purpose: str
    arguments: tuple[str, ...]
    parameters: tuple[tuple[str, int], ...]
    assignments: tuple[str, ...]
    results: tuple[str, ...]
    result_names: tuple[str, ...]


@dataclass(frozen=True)
class GeneratedSource:
    """Generated source text with its digest (the first 16 hexadecimal digits of its SHA-256)."""

    text: str

    @property
    def digest(self) -> str:
        """Digest of the text, the same for identical models."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


class _KernelPrinter(PythonCodePrinter):
    """Print scalar Python; softmax weights in a form that cannot overflow to nan."""

    def __init__(self) -> None:
        super().__init__({"fully_qualified_modules": True, "precision": 17})

    def _print_Pow(self, expr: Any, rational: bool = False, **_: Any) -> str:
        # NOTE: a negative integer power would compile to a call, which keeps a loop from being vectorised.
        if expr.exp.is_Integer and expr.exp < 0:
            return f"(1.0/{self.parenthesize(sp.Pow(expr.base, -expr.exp), PRECEDENCE['Pow'])})"
        return super()._print_Pow(expr, rational=rational)

    def _print_SoftmaxWeight(self, expr: Any) -> str:
        index, *logits = expr.args
        chosen = int(index)
        terms = [f"exponential({self._print(x - logits[chosen])})" for k, x in enumerate(logits) if k != chosen]
        return f"(1.0/(1.0 + {' + '.join(terms)}))"


def print_function(specification: FunctionSpecification) -> PrintedFunction:
    """Print a specification: stages first, each with its common subexpressions, then the outputs.

    Raises
    ------
    ValueError
        If an expression uses a symbol that is neither an argument, a model parameter nor an intermediate.
    """
    parameters = specification.parameters
    known = {*specification.arguments, *parameters}
    printer = _KernelPrinter()
    names = sp.numbered_symbols("placeholder")
    taken = {str(x) for x in known} | {str(x) for stage in specification.stages for x, _ in stage}
    assignments: list[str] = []
    for stage in specification.stages:
        shared, values = named(*sp.cse([value for _, value in stage], symbols=names, order="canonical"), taken)
        assignments += [f"{name} = {printer.doprint(value)}" for name, value in shared]
        assignments += [f"{x} = {printer.doprint(value)}" for (x, _), value in zip(stage, values, strict=True)]
        known |= {name for name, _ in stage}
    everything = {x for expression in specification.expressions for x in expression.free_symbols}
    unknown = everything - known
    if unknown:
        raise InvalidArgument(
            f"{specification.name} uses symbols that are not its arguments: {sorted(map(str, unknown))}"
        )
    shared, outputs = named(*sp.cse(specification.outputs, symbols=names, order="canonical"), taken)
    assignments += [f"{name} = {printer.doprint(value)}" for name, value in shared]
    # Every result a float, so that a tuple of them is homogeneous.
    results = [sp.Float(value) if value.is_Integer else value for value in outputs]
    return PrintedFunction(
        name=specification.name,
        purpose=specification.purpose,
        arguments=tuple(map(str, specification.arguments)),
        parameters=tuple((str(x), k) for k, x in enumerate(parameters) if x in everything),
        assignments=tuple(assignments),
        results=tuple(printer.doprint(value) for value in results),
        result_names=specification.output_names or ("",) * len(results),
    )


def _scalar_function(specification: FunctionSpecification) -> str:
    """Return the source of a function of scalars and the parameter vector."""
    printed = print_function(specification)
    lines = [
        "@generated",
        f"def {printed.name}({', '.join([*printed.arguments, 'parameters'])}):",
        f'    """{printed.purpose}"""',
        *(f"    {name} = parameters[{k}]" for name, k in printed.parameters),
        *(f"    {assignment}" for assignment in printed.assignments),
    ]
    if len(printed.results) == 1:
        lines.append(f"    return {printed.results[0]}")
    else:
        listed = zip(printed.results, printed.result_names, strict=True)
        lines += [
            "    return (",
            *(f"        {value},{f'  # {name}' if name else ''}" for value, name in listed),
            "    )",
        ]
    return "\n".join(lines)


def function_specifications(system: SaddleSystem) -> tuple[FunctionSpecification, ...]:
    """Return every function of the kernel as SymPy expressions; what is printed, tested and reported."""
    return (*channel_functions(system), *prior_functions(system))


def generate_source(system: SaddleSystem) -> GeneratedSource:
    """Print the functions of scalars of a saddle-point system.

    Returns
    -------
    GeneratedSource
        Deterministic text: identical systems give identical digests.
    """
    parts = [_scalar_function(x) for x in function_specifications(system) if not x.many_nodes]
    return GeneratedSource("\n\n\n".join(parts) + "\n")
