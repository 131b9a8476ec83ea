"""From a SaddleSystem to the text of plain scalar Python functions that a kernel can compile.

Stages:

1. ``function_specifications``: SaddleSystem -> named functions, each a list of SymPy expressions;
2. ``_print_function``: one specification -> source text (common subexpressions shared, canonical names);
3. ``generate_source``: all of them -> one text, and its digest.

The text knows nothing of how it will be compiled: every function carries the decorator ``@generated``, which
whoever assembles the kernel defines. The functions are documented in ``saddle/_generated.pyi``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from replica import symbols
from replica.channel_coordinates import LineCoordinates, line_coordinates
from replica.gaussian_average import GaussianAverage
from replica.saddle_equations import SaddleSystem
from replica.sectors import POSITIONAL_INDEX, SEMANTIC_INDEX

__all__ = ["FunctionSpecification", "GeneratedSource", "function_specifications", "generate_source"]


@dataclass(frozen=True)
class FunctionSpecification:
    """A function of scalars and the parameter vector, returning one value or a flat tuple of values."""

    name: str
    purpose: str
    arguments: tuple[sp.Symbol, ...]
    outputs: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class GeneratedSource:
    """Generated source text with its digest (the first 16 hexadecimal digits of its SHA-256)."""

    text: str

    @property
    def digest(self) -> str:
        """Digest of the text, the same for identical models."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


class _KernelPrinter(PythonCodePrinter):
    """Print scalar Python with ``math`` functions; softmax weights in a form that cannot overflow to nan."""

    def __init__(self) -> None:
        super().__init__({"fully_qualified_modules": True, "precision": 17})

    def _print_SoftmaxWeight(self, expr: Any) -> str:
        index, *logits = expr.args
        chosen = int(index)
        terms = [f"math.exp({self._print(x - logits[chosen])})" for k, x in enumerate(logits) if k != chosen]
        return f"(1.0/(1.0 + {' + '.join(terms)}))"


def _print_function(specification: FunctionSpecification) -> str:
    parameters = [quantity.symbol for quantity in symbols.MODEL_PARAMETERS]
    known = {*specification.arguments, *parameters}
    unknown = set().union(*(out.free_symbols for out in specification.outputs)) - known
    if unknown:
        raise ValueError(f"{specification.name} uses symbols that are not its arguments: {sorted(map(str, unknown))}")
    printer = _KernelPrinter()
    names = ", ".join([*(str(x) for x in specification.arguments), "parameters"])
    lines = ["@generated", f"def {specification.name}({names}):", f'    """{specification.purpose}"""']
    used = set().union(*(out.free_symbols for out in specification.outputs))
    lines += [f"    {x} = parameters[{k}]" for k, x in enumerate(parameters) if x in used]
    shared, outputs = sp.cse(specification.outputs, symbols=sp.numbered_symbols("x"), order="canonical")
    lines += [f"    {name} = {printer.doprint(value)}" for name, value in shared]
    if len(outputs) == 1:
        lines.append(f"    return {printer.doprint(outputs[0])}")
    else:
        # Every entry a float, so that the tuple is homogeneous.
        entries = [sp.Float(value) if value.is_Integer else value for value in outputs]
        lines += ["    return (", *(f"        {printer.doprint(value)}," for value in entries), "    )"]
    return "\n".join(lines)


def _upper_triangle(matrix: sp.Matrix) -> list[sp.Expr]:
    return [matrix[i, j] for i in range(matrix.rows) for j in range(i, matrix.cols)]


def _gradient(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> list[sp.Expr]:
    return [sp.diff(expression, x) for x in variables]


def _channel_integrands(system: SaddleSystem) -> list[sp.Expr]:
    """Return what the channel averages.

    Four conjugates per alpha; the envelope; the loss at z*; the test error; and the derivatives of the two
    odd conjugates in their own order parameters, where those vanish (the odd blocks of the Jacobian, whose
    zeros are pitchforks), by the route that needs no jumps.
    """
    phi = system.free_entropy
    (error_average,) = system.test_error.atoms(GaussianAverage)
    test_error = system.test_error.xreplace({error_average: error_average.integrand})
    conjugates = [system.conjugate_integrand(x.symbol) for x in symbols.CONJUGATES]
    odd_blocks = [
        GaussianAverage(conjugates[index], phi.law)
        .derivative_by_density(symbols.ORDER_PARAMETERS[index].symbol)
        .integrand
        for index in (POSITIONAL_INDEX, SEMANTIC_INDEX)
    ]
    return [*conjugates, phi.objective, phi.loss, test_error, *odd_blocks]


def _channel_functions(system: SaddleSystem, line: LineCoordinates) -> list[FunctionSpecification]:
    phi = system.free_entropy
    state = tuple(x.symbol for x in symbols.ORDER_PARAMETERS)
    w, h, z = symbols.local_fields(), symbols.teacher_fields(), symbols.proximal_points()
    target = tuple(symbols.target_entries())
    at_node = (*z, line.common, line.line, *h, *target, *state)

    def on_line(expression: sp.Expr) -> sp.Expr:
        return expression.xreplace(line.fields)

    integrands = _channel_integrands(system)
    objective = on_line(phi.objective)
    # Implicit differentiation of the stationarity of z*: (d^2 O/dz^2) dz/du = - d^2 O/dz du. The Hessian at z*
    # is known when its minimiser is, so it is an argument; the mixed derivatives do not involve the loss.
    hessian = sp.Matrix(len(z), len(z), lambda i, j: sp.Symbol(f"H_{min(i, j) + 1}{max(i, j) + 1}", real=True))
    mixed = sp.Matrix([_gradient(sp.diff(objective, point), state) for point in z])
    response = -(hessian.adjugate() / hessian.det()) * mixed
    derivatives = []
    for integrand in integrands[: len(state)]:
        f = on_line(integrand)
        derivatives += list(sp.Matrix([_gradient(f, state)]) + sp.Matrix([_gradient(f, z)]) * response)
    return [
        FunctionSpecification("target_matrix", "Entries of the target T(h*), row by row.", h, tuple(phi.target)),
        FunctionSpecification(
            "moreau_objective",
            "Value, gradient and upper Hessian in z of what the Moreau envelope minimises.",
            (*z, *w, state[2], *target),
            (
                phi.objective,
                *map(sp.factor_terms, _gradient(phi.objective, z)),
                *map(sp.factor_terms, _upper_triangle(sp.hessian(phi.objective, z))),
            ),
        ),
        FunctionSpecification(
            "local_fields",
            "Local fields w at a node of the Gaussian integral.",
            (line.common, line.line, *h, *state),
            tuple(line.fields[x] for x in w),
        ),
        FunctionSpecification(
            "channel_integrands",
            "Integrands: four conjugates per alpha; envelope; loss at z*; test error; two odd blocks.",
            at_node,
            tuple(on_line(f) for f in integrands),
        ),
        FunctionSpecification(
            "channel_derivatives",
            "Derivatives of the first four integrands in (q, m, V, theta), z* following, node fixed.",
            (*z, *_upper_triangle(hessian), line.common, line.line, *h, *state),
            tuple(derivatives),
        ),
        FunctionSpecification(
            "envelope_slopes",
            "Derivatives of the Moreau envelope along the line and in (q, m, V, theta), node fixed.",
            (*z, line.common, line.line, *h, *state),
            tuple(_gradient(objective, (line.line, *state))),
        ),
    ]


def _weight_functions(system: SaddleSystem) -> list[FunctionSpecification]:
    phi = system.free_entropy
    state = tuple(x.symbol for x in symbols.ORDER_PARAMETERS)
    conjugates = tuple(x.symbol for x in symbols.CONJUGATES)
    overlaps = [system.overlap_equations[x] for x in state]
    average = symbols.AVERAGE_ENVELOPE.symbol
    average_loss = sp.Symbol("average_loss", real=True)
    training_loss = system.training_loss
    (loss_average,) = training_loss.atoms(GaussianAverage)
    precision = sp.denom(sp.together(overlaps[2]))
    return [
        FunctionSpecification(
            "weight_precision",
            "What must stay positive for the weights' measure to exist.",
            conjugates,
            (precision,),
        ),
        FunctionSpecification(
            "overlaps", "Order parameters (q, m, V, theta) from the conjugates.", conjugates, tuple(overlaps)
        ),
        FunctionSpecification(
            "overlap_derivatives",
            "Derivatives of the four overlaps in the four conjugates, row by row.",
            conjugates,
            tuple(derivative for overlap in overlaps for derivative in _gradient(overlap, conjugates)),
        ),
        FunctionSpecification(
            "free_entropy",
            "Phi at given order parameters, conjugates and average envelope.",
            (*state, *conjugates, average, symbols.ALPHA.symbol),
            (phi.expression.xreplace({phi.average_envelope: average}),),
        ),
        FunctionSpecification(
            "training_loss",
            "Training loss from the average loss at z* and the weights' norm, without the envelope.",
            (*conjugates, average_loss, symbols.ALPHA.symbol),
            (training_loss.xreplace({loss_average: average_loss}),),
        ),
    ]


def function_specifications(system: SaddleSystem) -> tuple[FunctionSpecification, ...]:
    """Return every function of the kernel as SymPy expressions; what is printed, tested and reported."""
    return (*_channel_functions(system, line_coordinates(system.free_entropy)), *_weight_functions(system))


def generate_source(system: SaddleSystem) -> GeneratedSource:
    """Print all functions of a saddle-point system.

    Returns
    -------
    GeneratedSource
        Deterministic text: identical systems give identical digests.
    """
    parts = [_print_function(specification) for specification in function_specifications(system)]
    return GeneratedSource("\n\n\n".join(parts) + "\n")
