"""The kernel's functions on the side of the weights, as SymPy expressions: overlaps, free entropy, training loss.

Where the covariances have a spectrum, they are evaluated on one of its atoms, whose eigenvalues and moments are further
arguments, and whoever calls averages them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import sympy as sp

from replica.algebra.gaussian_average import GaussianAverage
from replica.algebra.inverse_matrices import Stage, differentiate
from replica.algebra.spectrum_average import SpectrumAverage
from replica.code.function_specification import FunctionSpecification
from replica.equations.saddle_system import SaddleSystem
from replica.quantities import symbols

__all__ = ["prior_functions"]


def _on_atom(expression: sp.Expr) -> sp.Expr:
    return expression.integrand if isinstance(expression, SpectrumAverage) else expression


def prior_functions(system: SaddleSystem) -> list[FunctionSpecification]:
    """Return the functions of a saddle system that need no integral over the fields."""
    phi = system.free_entropy
    prior = phi.prior
    state = tuple(x.symbol for x in system.order_parameters)
    conjugates = tuple(x.symbol for x in system.conjugates)
    parameters = tuple(x.symbol for x in phi.parameters)
    atom = prior.token_law.atom_symbols
    overlaps = [_on_atom(system.overlap_equations[x]) for x in state]
    stages: tuple[Stage, ...] = ()
    if prior.moments:
        stages = (tuple(prior.inverse.definitions.items()), tuple(prior.moments.items()))
    slopes = functools.partial(differentiate, inverses=prior.inverses, definitions=prior.moments)
    where = " on one atom of the spectrum" if atom else ""
    specification = functools.partial(FunctionSpecification, parameters=parameters)
    precision = sp.Matrix(prior.inverse.of)
    minors = [precision[:k, :k].det() for k in range(1, precision.rows + 1)]
    return [
        specification(
            "weight_precision",
            f"What must stay positive for the weights' measure to exist{where}: leading minors of its matrix.",
            (*conjugates, *atom),
            tuple(minors),
        ),
        specification(
            "overlaps",
            f"Order parameters {_listed(system)} from the conjugates{where}.",
            (*conjugates, *atom),
            tuple(overlaps),
            stages,
            output_names=tuple(map(str, state)),
        ),
        specification(
            "overlap_derivatives",
            f"Derivatives of the overlaps in the conjugates, row by row{where}.",
            (*conjugates, *atom),
            tuple(slopes(overlap, x) for overlap in overlaps for x in conjugates),
            stages,
            output_names=_derivative_names(state, conjugates),
        ),
        specification(
            "overlap_parameter_derivatives",
            f"Derivatives of the overlaps in the model's parameters at fixed conjugates, row by row{where}.",
            (*conjugates, *atom),
            tuple(slopes(overlap, x) for overlap in overlaps for x in parameters),
            stages,
            output_names=_derivative_names(state, parameters),
        ),
        *(_averaged_scalars(system, specification, stages) if atom else _scalars(system, specification, stages)),
    ]


def _derivative_names(values: Iterable[object], variables: Iterable[object]) -> tuple[str, ...]:
    listed = tuple(variables)
    return tuple(f"d {value} / d {x}" for value in values for x in listed)


def _listed(system: SaddleSystem) -> str:
    return f"({', '.join(str(x.symbol) for x in system.order_parameters)})"


def _scalars(
    system: SaddleSystem, specification: functools.partial[FunctionSpecification], stages: tuple[Stage, ...]
) -> list[FunctionSpecification]:
    """Return Phi, its parameter derivatives and the training loss where there is one atom, without an average."""
    phi = system.free_entropy
    prior = phi.prior
    state = tuple(x.symbol for x in system.order_parameters)
    conjugates = tuple(x.symbol for x in system.conjugates)
    average, alpha = symbols.AVERAGE_ENVELOPE.symbol, symbols.ALPHA.symbol
    average_loss = sp.Symbol("average_loss", real=True)
    (loss_average,) = system.training_loss.atoms(GaussianAverage)
    explicit = phi.trace_term + prior.integrand
    return [
        specification(
            "free_entropy",
            "Phi at given order parameters, conjugates and average envelope.",
            (*state, *conjugates, average, alpha),
            (explicit - alpha * average,),
            stages,
        ),
        specification(
            "free_entropy_parameter_derivatives",
            "Derivatives in the model's parameters of Phi without its channel term.",
            (*state, *conjugates),
            tuple(differentiate(explicit, x.symbol, prior.inverses, prior.moments) for x in phi.parameters),
            stages,
            output_names=_derivative_names(("Phi",), [x.symbol for x in phi.parameters]),
        ),
        specification(
            "training_loss",
            "Training loss from the average loss at z* and the weights' norm, without the envelope.",
            (*conjugates, average_loss, alpha),
            (system.training_loss.xreplace({loss_average: average_loss}),),
            stages,
        ),
    ]


def _averaged_scalars(
    system: SaddleSystem, specification: functools.partial[FunctionSpecification], stages: tuple[Stage, ...]
) -> list[FunctionSpecification]:
    """Return what Phi and the training loss are made of where a spectrum has to be averaged over."""
    phi = system.free_entropy
    prior = phi.prior
    state = tuple(x.symbol for x in system.order_parameters)
    conjugates = tuple(x.symbol for x in system.conjugates)
    average, alpha = symbols.AVERAGE_ENVELOPE.symbol, symbols.ALPHA.symbol
    average_loss, norm, value = sp.symbols("average_loss weight_norm prior", real=True)
    return [
        specification(
            "prior_terms",
            "The prior term of Phi, and the mean square of the weights, on one atom of the spectrum.",
            (*conjugates, *prior.token_law.atom_symbols),
            (prior.integrand, _on_atom(system.weight_norm)),
            stages,
        ),
        specification(
            "free_entropy",
            "Phi at given order parameters, conjugates, prior term and average envelope.",
            (*state, *conjugates, value, average, alpha),
            (phi.trace_term + value - alpha * average,),
        ),
        specification(
            "free_entropy_parameter_derivatives",
            "Derivatives in the model's parameters of Phi's prior term, on one atom of the spectrum.",
            (*conjugates, *prior.token_law.atom_symbols),
            tuple(differentiate(prior.integrand, x.symbol, prior.inverses, prior.moments) for x in phi.parameters),
            stages,
        ),
        specification(
            "training_loss",
            "Training loss from the average loss at z* and the weights' mean square, without the envelope.",
            (average_loss, norm, alpha),
            (alpha * average_loss + phi.model.ridge / 2 * norm,),
        ),
    ]
