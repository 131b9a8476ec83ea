"""The equations that a report prints, evaluated as they stand, against what the kernel computes.

At a solution every right-hand side is evaluated from its SymPy object with 30 digits: those of the order parameters
at the kernel's conjugates, and the averages on a small rule of Sobol points. Local fields and the choice of the minimum
come from the kernel, whose compiled integrands are averaged over the same points; proximal points are polished to 30
digits by Newton's method on the derivatives of the printed objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.softmax_weight import with_exponentials
from replica.equations.saddle_system import SaddleSystem
from replica.model.attention_model import AttentionModel
from replica.quantities import symbols
from replica.reports.content.equation_content import sector_equations
from replica.reports.typesetting.latex_names import latex_table
from saddle.averages.channel import Channel
from saddle.averages.minimiser_starts import minimiser_starts
from saddle.averages.parameters import parameter_vector
from saddle.averages.rules.sobol import SobolRule
from saddle.kernel.workspace import LANES, field_rows, scalar_row

if TYPE_CHECKING:
    from saddle.branches.branch import SolvedPoint

__all__ = ["CheckedEquation", "check_equations"]

DIGITS = 30
# Newton's method doubles the digits of the kernel's proximal points, which have about twelve.
NEWTON_STEPS = 2
RULE = SobolRule(points=256, scrambles=2)


@dataclass(frozen=True)
class CheckedEquation:
    """One equation evaluated in two ways.

    Attributes
    ----------
    name
        What the equation determines: an order parameter, a conjugate, or an observable, by its LaTeX.
    kernel, printed
        The right-hand side by the kernel and from the printed equation, on the same rule.
    solution
        The same quantity as stored with the solution, on its own, finer rule; None where there is no average.
    """

    name: str
    kernel: float
    printed: float
    solution: float | None = None

    @property
    def difference(self) -> float:
        """Relative difference between the printed equation and the kernel."""
        return abs(self.printed - self.kernel) / max(abs(self.kernel), np.finfo(float).tiny)

    @property
    def quadrature(self) -> float | None:
        """Relative difference between the check's small rule and the solution's."""
        return None if self.solution is None else abs(self.kernel - self.solution) / abs(self.solution)


@dataclass(frozen=True)
class _Nodes:
    """A small rule at a state: fields (n, L), teacher fields (n, L), proximal points (n, L), the kernel's averages."""

    fields: np.ndarray
    teacher: np.ndarray
    points: np.ndarray
    averages: np.ndarray


def _kernel_nodes(channel: Channel, state: np.ndarray) -> _Nodes:
    """Evaluate fields, minimisers and integrands by the kernel at the nodes of the rule."""
    kernel, model = channel.kernel, channel.model
    # Only for models without a spectrum.
    assert isinstance(model, AttentionModel)
    module = kernel.module
    length, parameters = model.sequence_length, parameter_vector(model)
    # Two coordinates per token: teacher fields, then the modes of the local fields, the line's last.
    outer = RULE.outer(length, length, ())
    count = len(outer.nodes)
    starts, square = minimiser_starts(length), length**2
    fields, points = np.empty((count, length)), np.empty((count, length))
    averages = channel.columns.jacobian
    sums = np.zeros(averages)
    for k, node in enumerate(outer.nodes):
        line = np.zeros(module.N_CONSTANTS)
        # The kernel wants common modes first, then teacher fields with their standard deviation.
        module.fill_constants(
            1, np.concatenate([node[length:-1], model.sigma * node[:length]]), line, state, parameters
        )
        targets = line[module.FIRST_TARGET : module.FIRST_TARGET + square]
        work = np.zeros(module.WORK_SIZE)
        work[scalar_row("S")] = node[-1]
        work[module.ROW_T + LANES * np.arange(square)] = targets
        # Second derivatives enter what is not used here only; they must not be singular.
        diagonal = [i * length - i * (i - 1) // 2 for i in range(length)]
        work[module.ROW_HESSIAN + LANES * np.array(diagonal)] = 1.0
        module.local_fields(1, work, line, state, parameters)
        fields[k] = work[field_rows("W", length)]
        found = np.zeros((1, length + 2))
        kernel.lines.global_minima(range(1), fields[k : k + 1], targets[None, :], starts, state, parameters, found)
        points[k] = found[0, :length]
        work[field_rows("Z", length)] = points[k]
        module.node_averages(1, work, line, state, parameters)
        sums += outer.weights[k] * work[module.ROW_OUT + LANES * np.arange(averages)]
    return _Nodes(fields, model.sigma * outer.nodes[:, :length], points, sums)


def _function(arguments: Sequence[sp.Symbol], expressions: Sequence[Any]) -> Any:
    """Compile expressions for mpmath."""
    return sp.lambdify([list(arguments)], [with_exponentials(x) for x in expressions], modules="mpmath", cse=True)


def _printed_averages(
    system: SaddleSystem, integrands: Sequence[sp.Expr], nodes: _Nodes, known: dict[sp.Symbol, Any]
) -> list[Any]:
    """Average printed integrands over the nodes, at proximal points polished with the printed objective."""
    phi = system.free_entropy
    z, w, h = phi.channel.proximal_point, phi.channel.fields, phi.teacher_fields
    targets = _function((*h, *known), phi.target.flat())
    at_point = (*z, *w, *h, *phi.channel.target_symbols, *known)
    gradient = [sp.diff(phi.channel.objective, x) for x in z]
    # Gradient and Hessian together share their exponentials.
    newton = _function(at_point, [*gradient, *(sp.diff(slope, x) for slope in gradient for x in z)])
    values = _function(at_point, integrands)
    sums = [mpmath.mpf(0)] * len(integrands)
    numbers = list(known.values())
    for k in range(len(nodes.fields)):
        teacher = [mpmath.mpf(float(x)) for x in nodes.teacher[k]]
        local = [mpmath.mpf(float(x)) for x in nodes.fields[k]]
        point = mpmath.matrix([mpmath.mpf(float(x)) for x in nodes.points[k]])
        fixed = [*local, *teacher, *targets([*teacher, *numbers]), *numbers]
        for _ in range(NEWTON_STEPS):
            slopes = newton([*point, *fixed])
            hessian = mpmath.matrix(len(z), len(z))
            for a in range(len(z)):
                for b in range(len(z)):
                    hessian[a, b] = slopes[len(z) * (1 + a) + b]
            point -= mpmath.lu_solve(hessian, mpmath.matrix(slopes[: len(z)]))
        sums = [total + value for total, value in zip(sums, values([*point, *fixed]), strict=True)]
    return [total / len(nodes.fields) for total in sums]


def check_equations(system: SaddleSystem, point: SolvedPoint) -> tuple[CheckedEquation, ...]:
    """Evaluate the equations of a solution's sector as they are printed, and by the kernel.

    Equations of what vanishes by symmetry are left out, as they are in the sector's equations; those of the mixed
    sector are the general ones.
    """
    evaluation, phi = point.evaluation, system.free_entropy
    module, model = point.evolution.channel.kernel.module, point.evolution.model
    parameters = parameter_vector(model)
    with mpmath.workdps(DIGITS):
        known: dict[sp.Symbol, Any] = {
            x.symbol: mpmath.mpf(float(value)) for x, value in zip(phi.parameters, parameters, strict=True)
        }
        known[symbols.ALPHA.symbol] = mpmath.mpf(float(point.alpha))
        order, conjugates = list(system.overlap_equations), list(system.conjugate_equations)
        _, overlap_equations, conjugate_equations = sector_equations(system, point.sector)
        known |= {x: mpmath.mpf(float(value)) for x, value in zip(order, evaluation.state, strict=True)}
        known |= {x: mpmath.mpf(float(value)) for x, value in zip(conjugates, evaluation.conjugates, strict=True)}
        latex = latex_table(phi.model)
        overlaps = _function(tuple(known), list(overlap_equations.values()))(list(known.values()))
        compiled = dict(zip(order, module.overlaps(*evaluation.conjugates, parameters), strict=True))
        checked = [
            CheckedEquation(latex[x], float(compiled[x]), float(exact))
            for x, exact in zip(overlap_equations, overlaps, strict=True)
        ]
        nodes = _kernel_nodes(replace(point.evolution, rule=RULE).channel, evaluation.state)
        averages: list[tuple[sp.Expr, GaussianAverage]] = []
        for equation in (*conjugate_equations.values(), system.test_error):
            (average,) = equation.atoms(GaussianAverage)
            averages.append((equation, average))
        integrands = [*(average.integrand for _, average in averages), phi.channel.objective, phi.channel.loss]
        exact = _printed_averages(system, integrands, nodes, known)
        placeholder = sp.Dummy("average")
        outside = [
            _function((*known, placeholder), [equation.xreplace({average: placeholder})])([*known.values(), value])[0]
            for (equation, average), value in zip(averages, exact[:-2], strict=True)
        ]
        stored = evaluation.averages
        kernel = nodes.averages
        for x, value in zip(conjugate_equations, outside, strict=False):
            k = conjugates.index(x)
            compared = float(point.alpha * kernel[k]), float(value), float(evaluation.conjugates[k])
            checked.append(CheckedEquation(latex[x], *compared))
        at = point.evolution.channel.columns
        rest = (
            (r"\mathbb{E}[\mathcal{M}]", at.envelope, exact[-2], stored.envelope),
            (r"\mathbb{E}[\ell(z^{\star}, h^{\star})]", at.loss, exact[-1], stored.loss),
            (r"\epsilon_{g}", at.test_error, outside[-1], stored.test_error),
        )
        checked += [CheckedEquation(name, float(kernel[k]), float(value), solved) for name, k, value, solved in rest]
    return tuple(checked)
