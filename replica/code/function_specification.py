"""A function of the kernel, as SymPy expressions."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.algebra.inverse_matrices import Stage

__all__ = [
    "FunctionSpecification",
]


@dataclass(frozen=True)
class FunctionSpecification:
    """A function of scalars and the parameter vector, returning one value or a flat tuple of values.

    Attributes
    ----------
    name, purpose
        Name in the kernel, and one line for its docstring.
    arguments
        Its scalar arguments.
    outputs
        The values.
    stages
        Intermediates, in order of computation.
    parameters
        The model's parameters, known besides, in the order of the parameter vector.
    many_nodes
        Whether it is evaluated at many nodes at once, in a loop.
    output_names
        What each output is, for the reader of the code; none if the purpose says it.
    """

    name: str
    purpose: str
    arguments: tuple[sp.Symbol, ...]
    outputs: tuple[sp.Expr, ...]
    stages: tuple[Stage, ...] = ()
    parameters: tuple[sp.Symbol, ...] = ()
    many_nodes: bool = False
    output_names: tuple[str, ...] = ()

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Every expression, intermediates included."""
        return (*(value for stage in self.stages for _, value in stage), *self.outputs)

    def expanded(self) -> tuple[sp.Expr, ...]:
        """Return the outputs in terms of the arguments alone."""
        outputs = list(self.outputs)
        for stage in reversed(self.stages):
            outputs = [value.xreplace(dict(stage)) for value in outputs]
        return tuple(outputs)
