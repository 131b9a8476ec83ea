"""The generated functions against the SymPy expressions they were printed from, at 30 digits."""

from __future__ import annotations

import dataclasses
import math

import mpmath
import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, derive_saddle_system, symbols
from replica.attention import with_exponentials
from replica.code_generation import FunctionSpecification, function_specifications, generate_source
from replica.free_energy import build_free_entropy
from saddle.channel import parameter_vector
from saddle.kernel import kernel_of_system

SPECIFICATIONS = function_specifications(derive_saddle_system())
MODEL = AttentionModel(0.35, 0.6, 0.02, ((0.3, 0.7), (0.8, 0.2)), (1.0, -0.7))


def draw_arguments(specification: FunctionSpecification, generator: np.random.Generator) -> list[float]:
    """Plausible values: positive where the symbol says so, theta^2 < q sigma^2."""
    values = []
    for symbol in specification.arguments:
        match str(symbol):
            case "V":
                values.append(generator.uniform(5, 35))
            case "q":
                values.append(generator.uniform(0.05, 0.2))
            case "theta":
                values.append(generator.uniform(-0.1, 0.1))
            case "alpha":
                values.append(generator.uniform(0.1, 3))
            case _:
                values.append(generator.uniform(-1.2, 1.2))
    return values


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=lambda specification: specification.name)
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_mpmath(kernel, specification, seed):
    generator = np.random.default_rng(seed)
    arguments = draw_arguments(specification, generator)
    parameters = parameter_vector(MODEL)
    compiled = np.atleast_1d(getattr(kernel.module, specification.name)(*arguments, parameters))
    parameter_symbols = [quantity.symbol for quantity in symbols.MODEL_PARAMETERS]
    expressions = [with_exponentials(output) for output in specification.outputs]
    with mpmath.workdps(30):
        evaluate = sp.lambdify([*specification.arguments, *parameter_symbols], expressions, modules="mpmath")
        exact = evaluate(*map(mpmath.mpf, arguments), *map(mpmath.mpf, map(float, parameters)))
        scale = max(abs(value) for value in exact)
        for got, value in zip(compiled, exact, strict=True):
            # Rounding in double precision, relative to the largest entry for entries that cancel.
            assert abs(mpmath.mpf(float(got)) - value) < 1e-12 * abs(value) + 1e-13 * scale


def test_saturated_attention_gives_no_nan(kernel):
    parameters = parameter_vector(MODEL)
    for z in ((60.0, -60.0), (-200.0, 3.0), (500.0, 500.0)):
        values = kernel.module.moreau_objective(*z, *z, 10.0, 0.5, 0.5, 0.5, 0.5, parameters)
        assert all(math.isfinite(value) for value in values)


def test_identical_systems_give_identical_text():
    first, second = generate_source(derive_saddle_system()), generate_source(derive_saddle_system())
    assert first.text == second.text
    assert first.digest == second.digest
    assert len(first.text.splitlines()) < 500


def test_a_symbol_that_is_no_argument_is_refused():
    phi = build_free_entropy()
    stray = dataclasses.replace(phi, loss=phi.loss + sp.Symbol("stray"))
    with pytest.raises(ValueError, match="stray"):
        generate_source(derive_saddle_system(stray))


def test_a_changed_term_of_phi_changes_the_compiled_residual(kernel):
    phi = build_free_entropy()
    q_hat, V_hat = symbols.CONJUGATES[0].symbol, symbols.CONJUGATES[2].symbol
    extra = q_hat * V_hat / 3
    changed = kernel_of_system(derive_saddle_system(dataclasses.replace(phi, prior_term=phi.prior_term + extra)))
    assert changed.digest != kernel.digest
    parameters = parameter_vector(MODEL)
    conjugates = (0.3, 0.2, 0.1, 0.05)
    before = np.array(kernel.module.overlaps(*conjugates, parameters))
    after = np.array(changed.module.overlaps(*conjugates, parameters))
    # dPhi/dq_hat gains V_hat/3, so V gains 2/3 V_hat; dPhi/dV_hat gains q_hat/3, so q loses 2/3 q_hat.
    np.testing.assert_allclose(after - before, [-2 / 3 * 0.3, 0.0, 2 / 3 * 0.1, 0.0], atol=1e-14)
