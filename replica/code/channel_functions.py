"""What the kernel evaluates at the nodes of the channel's Gaussian integral, as SymPy expressions."""

from __future__ import annotations

import functools

import sympy as sp

from replica.algebra.inverse_matrices import upper_triangle
from replica.code.channel_terms import ChannelTerms
from replica.code.function_specification import FunctionSpecification
from replica.code.line_coordinates import line_coordinates
from replica.code.moreau_functions import objective_function
from replica.equations.replicon_form import curvature_symbols, replicon_form
from replica.equations.saddle_system import SaddleSystem

__all__ = ["channel_functions"]


def channel_functions(system: SaddleSystem) -> list[FunctionSpecification]:
    """Return the channel's functions of a saddle system."""
    phi = system.free_entropy
    channel = ChannelTerms(system, line_coordinates(phi))
    z, state, parameters = channel.proximal_point, channel.state, channel.parameters
    line, common = channel.line.line, channel.line.common
    dynamic = (*z, *channel.hessian_entries, *channel.at_node)
    slopes = tuple(channel.target_derivatives.values())
    on_slopes = [channel.along_node(dict(zip(phi.channel.target_symbols, phi.target, strict=True))[entry], x)
                 for entry, x in channel.target_derivatives]  # fmt: skip
    tangent = channel.response([line])
    squared = sp.Add(*(channel.inverse[i, j] ** 2 for i in range(len(z)) for j in range(len(z))))
    envelope = channel.objective
    pulls = [channel.derivative(channel.on_line(slope), line) for slope in channel.envelope_derivatives]
    curvature = curvature_symbols(len(z))
    hats = [str(x.symbol) for x in system.conjugates]
    specification = functools.partial(FunctionSpecification, parameters=parameters)
    return [
        specification(
            "target_matrix",
            "Entries of the target T(h*), row by row.",
            phi.teacher_fields,
            tuple(phi.target),
            output_names=tuple(map(str, phi.channel.target_symbols)),
        ),
        specification(
            "target_parameter_derivatives",
            "Derivatives of the target's entries in the parameters they depend on, node fixed.",
            phi.teacher_fields,
            tuple(on_slopes),
            output_names=tuple(f"d {entry} / d {x}" for entry, x in channel.target_derivatives),
        ),
        objective_function(phi.channel),
        specification(
            "local_fields",
            "Local fields w at a node of the Gaussian integral.",
            (*common, line, *phi.teacher_fields, *state),
            tuple(channel.line.fields[x] for x in phi.channel.fields),
            many_nodes=True,
        ),
        specification(
            "along_line",
            "Derivatives along the line of z* and of the Moreau envelope, and a bound of the former's length.",
            dynamic,
            (*tangent, channel.derivative(envelope, line), sp.sqrt(squared * sp.Add(*(x**2 for x in pulls)))),
            channel.stages,
            many_nodes=True,
        ),
        specification(
            "node_averages",
            "Integrands: conjugates per alpha; envelope; loss at z*; test error; odd blocks; and the derivatives of "
            "the first and of the test error in the order parameters, z* following, node fixed.",
            dynamic,
            (
                *channel.integrands(),
                *channel.following(channel.conjugates, state),
                *(channel.total(channel.test_error, x) for x in state),
            ),
            channel.stages,
            many_nodes=True,
            output_names=(
                *hats,
                "envelope",
                "loss",
                "test error",
                *(f"d {x} / d {y}, density's" for x, y in channel.odd_pairs),
                *(f"d {x} / d {y}" for x in (*hats, "test error") for y in state),
            ),
        ),
        specification(
            "jump_terms",
            "Conjugates per alpha, and the envelope's slopes along the line and in the order parameters.",
            (*z, *channel.at_node),
            (*channel.conjugates, *(channel.derivative(envelope, x) for x in (line, *state))),
            channel.definition_stages,
            many_nodes=True,
            output_names=(*hats, *(f"d envelope / d {x}" for x in (line, *state))),
        ),
        specification(
            "node_parameter_averages",
            "Derivatives in the model's parameters of the conjugates per alpha, of the test error and of the "
            "envelope, z* following, node fixed.",
            (*dynamic, *slopes),
            (
                *channel.following(channel.conjugates, parameters),
                *(channel.total(channel.test_error, x) for x in parameters),
                *(channel.total(envelope, x) for x in parameters),
            ),
            channel.stages,
            many_nodes=True,
        ),
        specification(
            "jump_parameter_terms",
            "Conjugates per alpha, and the envelope's slopes along the line and in the model's parameters.",
            (*z, *channel.at_node, *slopes),
            (
                *channel.conjugates,
                channel.derivative(envelope, line),
                *(channel.total(envelope, x) for x in parameters),
            ),
            channel.definition_stages,
            many_nodes=True,
        ),
        specification(
            "node_replicon",
            "Products of the envelope's second derivatives in w where z* is smooth, summed over groups of tokens.",
            dynamic,
            replicon_form(phi.layout, curvature),
            (
                *channel.stages,
                tuple((curvature[i, j], channel.envelope_curvature[i, j]) for i, j in upper_triangle(len(z))),
            ),
            many_nodes=True,
        ),
        specification(
            "jump_replicon_terms",
            "The envelope's slopes along the line and in the local fields.",
            (*z, *channel.at_node),
            (
                channel.derivative(envelope, line),
                *(channel.on_line(slope) for slope in channel.envelope_derivatives),
            ),
            channel.definition_stages,
            many_nodes=True,
        ),
    ]
