"""The functions that SymPy printed, run as they stand on mpmath numbers, at nodes whose proximal point is known."""

from __future__ import annotations

import dataclasses
import functools
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.softmax_weight import with_exponentials
from replica.checks.check import random_state
from replica.checks.minimiser import ChannelFunctions, ChannelPoint
from replica.code.function_specification import FunctionSpecification
from replica.code.source import function_specifications, print_function
from replica.derivation import derive
from replica.quantities.structure import ModelStructure

__all__ = ["DIGITS", "Generated", "Node", "generated", "node"]

DIGITS = 40
MATHEMATICS = SimpleNamespace(sqrt=mpmath.sqrt, exp=mpmath.exp, log=mpmath.log, pi=mpmath.pi)
Values = dict[str, Any]


def as_python(specification: FunctionSpecification) -> Any:
    """The printed statements as a function of (arguments and parameters by name) on mpmath numbers."""
    printed = print_function(specification)
    names = [*printed.arguments, *(name for name, _ in printed.parameters)]
    lines = [f"def {printed.name}({', '.join(names)}):", *(f"    {x}" for x in printed.assignments)]
    lines.append(f"    return [{', '.join(printed.results)}]")
    space: dict[str, Any] = {"math": MATHEMATICS, "exponential": mpmath.exp}
    exec("\n".join(lines), space)
    return lambda values: [mpmath.mpf(x) for x in space[printed.name](*(values[name] for name in names))]


@dataclasses.dataclass(frozen=True)
class Generated:
    """Everything that is generated for one structure, as Python functions."""

    structure: ModelStructure

    @functools.cached_property
    def system(self):
        return derive(self.structure).saddle_system

    @functools.cached_property
    def specifications(self) -> dict[str, FunctionSpecification]:
        return {x.name: x for x in function_specifications(self.system)}

    @functools.cached_property
    def channel(self) -> ChannelFunctions:
        return ChannelFunctions(self.system.free_entropy)

    @functools.cached_property
    def _printed(self) -> dict[str, Any]:
        return {}

    def __call__(self, name: str, values: Values) -> list[Any]:
        if name not in self._printed:
            self._printed[name] = as_python(self.specifications[name])
        return self._printed[name](values)

    def direct(self, name: str, values: Values) -> list[Any]:
        """The outputs from their SymPy expressions, written out in the arguments alone."""
        specification = self.specifications[name]
        outputs = [with_exponentials(x) for x in specification.expanded()]
        names = sorted({x for output in outputs for x in output.free_symbols}, key=str)
        function = sp.lambdify(names, outputs, "mpmath", cse=True)
        return function(*(values[str(x)] for x in names))

    @property
    def parameters(self) -> list[str]:
        return [str(x.symbol) for x in self.system.free_entropy.parameters]

    @property
    def state(self) -> list[str]:
        return [str(x.symbol) for x in self.system.order_parameters]

    @property
    def conjugates(self) -> list[str]:
        return [str(x.symbol) for x in self.system.conjugates]


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the Gaussian integral: modes, teacher's modes, state and parameters; the rest follows."""

    functions: Generated
    values: Values
    start: tuple[Any, ...] = ()

    def _target(self) -> Values:
        phi = self.functions.system.free_entropy
        return dict(
            zip(map(str, phi.channel.target_symbols), self.functions("target_matrix", self.values), strict=True)
        )

    @functools.cached_property
    def point(self) -> ChannelPoint:
        """The proximal point: a minimum to all digits, by Newton's method on the objective itself."""
        functions, phi = self.functions, self.functions.system.free_entropy
        fields = dict(zip(map(str, phi.channel.fields), functions("local_fields", self.values), strict=True))
        values = {**self.values, **self._target(), **fields}
        known = {x: values[str(x)] for x in functions.channel.names}
        # Names without a role in the objective are not needed.
        found = ChannelPoint(
            functions.channel, known, list(self.start) or [known[x] for x in phi.channel.fields]
        ).polished()
        assert found is not None
        return found

    @functools.cached_property
    def everything(self) -> Values:
        """All that generated functions take: with z*, the Hessian there, and slopes of the target."""
        functions, phi = self.functions, self.functions.system.free_entropy
        point, size = self.point, len(phi.channel.proximal_point)
        hessian = point.hessian()
        values = {**self.values, **self._target(), **{str(x): y for x, y in point.values.items()}}
        values |= dict(zip(map(str, phi.channel.proximal_point), point.z, strict=True))
        values |= {f"H_{i + 1}{j + 1}": hessian[i, j] for i in range(size) for j in range(i, size)}
        slopes = [str(x) for x in functions.specifications["node_parameter_averages"].arguments if str(x)[:2] == "dT"]
        return values | dict(zip(slopes, functions("target_parameter_derivatives", self.values), strict=True))

    def moved(self, name: str, value: Any) -> Node:
        """The node that this one becomes where a coordinate, an order parameter or a parameter changes.

        A node of the teacher is standard normal: its fields move with their variance.
        """
        values = {**self.values, name: value}
        phi = self.functions.system.free_entropy
        layout, t = phi.layout, phi.layout.teacher_rank
        for token, group in enumerate(layout.groups):
            variance = sp.Matrix(phi.model.token_law.teacher_variances[group])
            own = [str(x) for x in phi.model.teacher_fields[token * t : (token + 1) * t]]
            if sp.Symbol(name) not in {sp.Symbol(str(x)) for x in variance.free_symbols}:
                continue
            before, after = (_root(variance, at) for at in (self.values, values))
            moved = after * mpmath.lu_solve(before, mpmath.matrix([self.values[x] for x in own]))
            values |= dict(zip(own, moved, strict=True))
        return Node(self.functions, values, tuple(self.point.z))


def _root(matrix: sp.Matrix, values: Values) -> Any:
    numbers = mpmath.matrix(matrix.rows, matrix.cols)
    for i in range(matrix.rows):
        for j in range(matrix.cols):
            names = sorted(matrix[i, j].free_symbols, key=str)
            numbers[i, j] = sp.lambdify(names, matrix[i, j], "mpmath")(*(values[str(x)] for x in names))
    return mpmath.cholesky(numbers)


@functools.cache
def generated(structure: ModelStructure) -> Generated:
    return Generated(structure)


def node(functions: Generated, seed: int) -> Node:
    """A random node; call with digits set."""
    generator = np.random.default_rng(seed)
    phi = functions.system.free_entropy
    names = {str(x) for specification in functions.specifications.values() for x in specification.arguments}
    values = {name: mpmath.mpf(generator.uniform(-1.2, 1.2)) for name in sorted({*names, *functions.parameters})}
    positive = [x for x in values if x[:3] in ("rho", "R", "R_1", "R_2") or x in ("sigma", "lambda", "alpha")]
    positive += [x for x in values if x.startswith(("gamma", "P_", "G_", "regularization"))]
    values |= {x: mpmath.mpf(generator.uniform(0.5, 0.9)) for x in positive}
    state = random_state(phi.layout, generator, 0.25)
    values |= {str(x): mpmath.mpf(sp.Rational(y).p) / sp.Rational(y).q for x, y in state.items()}
    # Precisions of the weights are positive.
    values |= {str(x.symbol): mpmath.mpf(generator.uniform(1.5, 2.0)) if x.indices[0] == x.indices[1]
               else mpmath.mpf(generator.uniform(-0.3, 0.3))
               for x in phi.conjugates if x.kind == "susceptibility_conjugate"}  # fmt: skip
    return Node(functions, values)
