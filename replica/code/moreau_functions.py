"""The Moreau objective with its gradient and Hessian, as a function of the kernel."""

from __future__ import annotations

import sympy as sp

from replica.algebra.inverse_matrices import Stage, upper_triangle
from replica.algebra.softmax_weight import SoftmaxWeight
from replica.code.function_specification import FunctionSpecification
from replica.equations.moreau import MoreauProblem

__all__ = ["objective_function"]


def objective_function(problem: MoreauProblem) -> FunctionSpecification:
    r"""Return value, gradient and upper Hessian in z of the Moreau objective, by the chain rule through the logits.

    The loss depends on z through the logits X of the softmax weights (and directly, if it does):
    :math:`\partial_a\ell = \sum_k A_k \partial_a X_k` and :math:`\partial_a\partial_b\ell =
    \sum_{kl} B_{kl}\,\partial_a X_k\partial_b X_l + \sum_k A_k\partial_a\partial_b X_k`.
    Kept as stages, so that every exponential is computed once and derivatives stay short for any length and rank.
    """
    z, loss, objective = problem.proximal_point, problem.loss, problem.objective
    logits: dict[sp.Expr, sp.Symbol] = {}
    weights: dict[sp.Expr, sp.Symbol] = {}
    for weight in sorted(loss.atoms(SoftmaxWeight), key=sp.default_sort_key):
        index, *values = weight.args
        renamed = [logits.setdefault(x, sp.Symbol(f"X_{len(logits)}", real=True)) if x != 0 else x for x in values]
        weights[SoftmaxWeight(index, *renamed)] = sp.Symbol(f"P_{len(weights)}", real=True)
    inner = loss.xreplace(
        {weight: SoftmaxWeight(weight.args[0], *(logits.get(x, x) for x in weight.args[1:]))
         for weight in loss.atoms(SoftmaxWeight)}
    )  # fmt: skip
    direct = [x for x in z if inner.has(x)]
    variables = [*logits.values(), *direct]
    values = [*logits, *direct]
    first = [sp.diff(inner, x) for x in variables]
    second = {(k, n): sp.diff(first[k], variables[n]) for k, n in upper_triangle(len(variables))}
    slopes = [sp.Symbol(f"A_{k}_", real=True) for k in range(len(variables))]
    curvatures = {key: sp.Symbol(f"B_{key[0]}_{key[1]}_", real=True) for key, value in second.items() if value != 0}

    def compact(expression: sp.Expr) -> sp.Expr:
        return sp.factor_terms(expression.xreplace(weights))

    quadratic = sp.expand(objective - loss)
    gradient = [
        sp.factor_terms(sp.diff(objective - loss, x))
        + sp.Add(*(slope * sp.diff(value, x) for slope, value in zip(slopes, values, strict=True)))
        for x in z
    ]
    hessian = []
    for a, b in upper_triangle(len(z)):
        entry = sp.diff(quadratic, z[a], z[b])
        for (k, n), symbol in curvatures.items():
            product = sp.diff(values[k], z[a]) * sp.diff(values[n], z[b])
            if k != n:
                product += sp.diff(values[n], z[a]) * sp.diff(values[k], z[b])
            entry += symbol * product
        entry += sp.Add(*(s * sp.diff(value, z[a], z[b]) for s, value in zip(slopes, values, strict=True)))
        hessian.append(entry)
    susceptibilities = tuple(dict.fromkeys(x for matrix in problem.susceptibilities for x in matrix))
    stages: tuple[Stage, ...] = (
        *(tuple(inverse.definitions.items()) for inverse in problem.inverse_susceptibilities),
        tuple((symbol, value) for value, symbol in logits.items()),
        tuple((symbol, weight) for weight, symbol in weights.items()),
        (
            *((symbol, compact(value)) for symbol, value in zip(slopes, first, strict=True)),
            *((symbol, compact(second[key])) for key, symbol in curvatures.items()),
        ),
    )
    return FunctionSpecification(
        "moreau_objective",
        "Value, gradient and upper Hessian in z of what the Moreau envelope minimises.",
        (*z, *problem.fields, *susceptibilities, *problem.target_symbols),
        ((objective - loss) + inner.xreplace(weights), *gradient, *hessian),
        tuple(stage for stage in stages if stage),
        tuple(x.symbol for x in problem.parameters),
        many_nodes=True,
    )
