"""The generated functions against the SymPy expressions they were printed from, at 30 digits."""

from __future__ import annotations

import dataclasses
import math

import mpmath
import numpy as np
import pytest
import sympy as sp

from replica import AttentionModel, derive_saddle_system
from replica.algebra.softmax_weight import with_exponentials
from replica.code.function_specification import FunctionSpecification
from replica.code.source import function_specifications, generate_source
from replica.equations.free_entropy import build_free_entropy
from replica.quantities import symbols
from saddle.averages.parameters import parameter_vector
from saddle.kernel.kernel import kernel_of_system
from saddle.kernel.text import kernel_source
from saddle.kernel.workspace import FIELD_ROWS, LANES, SCALAR_ROWS, field_rows, scalar_row
from tests.oracles.changed_channel import with_channel

SYSTEM = derive_saddle_system()
SPECIFICATIONS = function_specifications(SYSTEM)
SCALAR = [x for x in SPECIFICATIONS if not x.many_nodes]
LANE = [x for x in SPECIFICATIONS if x.many_nodes and x.name != "moreau_objective"]
OBJECTIVE = next(x for x in SPECIFICATIONS if x.name == "moreau_objective")
MODEL = AttentionModel(0.35, 0.6, 0.02, ((0.3, 0.7), (0.8, 0.2)), (1.0, -0.7))
COUNT = 16
STATE = ("q", "m", "V", "theta")


def draw_value(name: str, generator: np.random.Generator) -> float:
    """A plausible value: positive where it must be, theta^2 < q sigma^2."""
    low, high = {
        "V": (5, 35), "q": (0.05, 0.2), "theta": (-0.1, 0.1), "alpha": (0.1, 3), "H_11": (0.1, 0.4), "H_22": (0.1, 0.4),
        "H_12": (-0.09, 0.09),
    }.get(name, (-1.2, 1.2))  # fmt: skip
    return generator.uniform(low, high)


def exact_values(specification: FunctionSpecification, values: dict[str, float]) -> list[mpmath.mpf]:
    """Evaluate a specification from its SymPy expressions alone, stage by stage; call with digits set."""
    known = {x: mpmath.mpf(float(v)) for x, v in zip(specification.parameters, parameter_vector(MODEL), strict=True)}
    known |= {x: mpmath.mpf(float(values[str(x)])) for x in specification.arguments}
    for stage in (*specification.stages, tuple(enumerate(specification.outputs))):
        expressions = [with_exponentials(value) for _, value in stage]
        results = sp.lambdify(list(known), expressions, modules="mpmath", cse=True)(*known.values())
        known |= {x: value for (x, _), value in zip(stage, results, strict=True)}
    return [known[k] for k in range(len(specification.outputs))]


def assert_rounded(compiled, exact) -> None:
    """Rounding in double precision, relative to the largest entry for entries that cancel."""
    scale = max(abs(value) for value in exact)
    for k, (got, value) in enumerate(zip(compiled, exact, strict=True)):
        assert abs(mpmath.mpf(float(got)) - value) < 1e-12 * abs(value) + 1e-13 * scale, k


@pytest.mark.parametrize("specification", SCALAR, ids=lambda specification: specification.name)
@pytest.mark.parametrize("seed", range(5))
def test_functions_of_scalars_agree_with_mpmath(kernel, specification, seed):
    generator = np.random.default_rng(seed)
    values = {str(x): draw_value(str(x), generator) for x in specification.arguments}
    function = getattr(kernel.module, specification.name)
    compiled = np.atleast_1d(function(*values.values(), parameter_vector(MODEL)))
    with mpmath.workdps(30):
        assert_rounded(compiled, exact_values(specification, values))


def line_constants() -> tuple[str, ...]:
    """Names of what is the same for all nodes of a line, in the order of the kernel's array."""
    slopes = next(x for x in LANE if x.name == "node_parameter_averages").arguments
    phi = SYSTEM.free_entropy
    return ("common_mode_1", *map(str, phi.teacher_fields), *map(str, phi.channel.target_symbols),
            *(str(x) for x in slopes if str(x).startswith("dT_")))  # fmt: skip


def rows(module, name: str, count: int = 1) -> np.ndarray:
    """Where the rows of a quantity begin in a workspace, (count,)."""
    if name in FIELD_ROWS:
        return field_rows(name, count)
    first = scalar_row(name) if name in SCALAR_ROWS else getattr(module, f"ROW_{name}")
    return first + LANES * np.arange(count)


def workspace(module, nodes: list[dict[str, float]]) -> np.ndarray:
    """A workspace whose first lanes hold these points, fields, targets and Hessians."""
    work = np.zeros(module.WORK_SIZE)
    names = {"Z": ("z_1", "z_2"), "W": ("w_1", "w_2"), "T": ("T_11", "T_12", "T_21", "T_22")}
    names |= {"HESSIAN": ("H_11", "H_12", "H_22"), "S": ("line_coordinate",)}
    places = {x: at for row, group in names.items() for x, at in zip(group, rows(module, row, len(group)), strict=True)}
    for lane, node in enumerate(nodes):
        for name, value in node.items():
            if name in places:
                work[places[name] + lane] = value
    return work


@pytest.mark.parametrize("specification", LANE, ids=lambda specification: specification.name)
def test_functions_over_lanes_agree_with_mpmath(kernel, specification):
    module, generator = kernel.module, np.random.default_rng(len(specification.name))
    names = [str(x) for x in specification.arguments]
    constants = line_constants()
    assert len(constants) == module.N_CONSTANTS
    assert constants.index("T_11") == module.FIRST_TARGET
    shared = {name: draw_value(name, generator) for name in (*STATE, *constants)}
    nodes = [{name: shared.get(name, draw_value(name, generator)) for name in names} for _ in range(COUNT)]
    work = workspace(module, nodes)
    line, state = (np.array([shared[name] for name in group]) for group in (constants, STATE))
    before = work.copy()
    getattr(module, specification.name)(COUNT, work, line, state, parameter_vector(MODEL))
    out = rows(module, "W" if specification.name == "local_fields" else "OUT", len(specification.outputs))
    written = out[None, :] + np.arange(COUNT)[:, None]
    for node, compiled in zip(nodes[::5], work[written[::5]], strict=True):
        with mpmath.workdps(30):
            assert_rounded(compiled, exact_values(specification, node))
    # Every lane is evaluated as the first one is, and nothing else is written.
    for lane in range(COUNT):
        alone = workspace(module, [nodes[lane]])
        getattr(module, specification.name)(1, alone, line, state, parameter_vector(MODEL))
        np.testing.assert_allclose(work[written[lane]], alone[written[lane] - lane], rtol=1e-11, atol=1e-13)
    untouched = np.ones(len(work), bool)
    untouched[written] = False
    assert np.array_equal(work[untouched], before[untouched])


def test_targets_and_their_slopes_reach_the_lines_constants(kernel):
    module, parameters = kernel.module, parameter_vector(MODEL)
    outer, line = np.array([0.3, -0.5, 0.8]), np.zeros(kernel.module.N_CONSTANTS)
    module.fill_constants(1, outer, line, np.zeros(4), parameters)
    assert np.array_equal(line[:3], outer)
    expected = [
        *module.target_matrix(-0.5, 0.8, parameters),
        *module.target_parameter_derivatives(-0.5, 0.8, parameters),
    ]
    assert np.array_equal(line[3:], expected)


def objective_nodes(generator: np.random.Generator, susceptibility: float) -> list[dict[str, float]]:
    names = [str(x) for x in OBJECTIVE.arguments]
    return [{x: draw_value(x, generator) for x in names} | {"V": susceptibility} for _ in range(COUNT)]


def test_newton_sweep_agrees_with_mpmath(kernel):
    module, parameters = kernel.module, parameter_vector(MODEL)
    nodes = objective_nodes(np.random.default_rng(5), 11.0)
    work = workspace(module, nodes)
    work[scalar_row("VALUE") + np.arange(COUNT)] = math.inf

    def row(name: str, lane: int, size: int = 1) -> np.ndarray:
        return work[rows(module, name, size) + lane]

    remaining = module.newton_sweep(COUNT, work, np.array([math.nan, math.nan, 11.0, math.nan]), parameters)
    assert remaining == COUNT
    full_steps = 0
    for lane, node in enumerate(nodes):
        with mpmath.workdps(30):
            exact = exact_values(OBJECTIVE, node)
            assert_rounded([*row("VALUE", lane), *row("HESSIAN", lane, 3)], [exact[0], *exact[3:]])
            gradient = np.array(exact[1:3], float)
            hessian = np.array([[exact[3], exact[4]], [exact[4], exact[5]]], float)
        step = row("STEP", lane, 2)
        assert row("DESCENT", lane)[0] == pytest.approx(gradient @ step, rel=1e-10)
        assert gradient @ step < 0.0
        assert np.max(np.abs(step)) <= 1.0 + 1e-12
        if np.all(np.linalg.eigvalsh(hessian) > 0.0):
            newton = -np.linalg.solve(hessian, gradient)
            np.testing.assert_allclose(step, newton / max(1.0, np.max(np.abs(newton))), rtol=1e-9)
            full_steps += 1
    assert full_steps > COUNT // 4


def test_minima_are_stationary_to_thirty_digits(kernel):
    nodes = objective_nodes(np.random.default_rng(6), 17.0)
    fields, targets, guesses = (
        np.array([[node[name] for name in names] for node in nodes])
        for names in (("w_1", "w_2"), ("T_11", "T_12", "T_21", "T_22"), ("z_1", "z_2"))
    )
    out = np.zeros((COUNT, 4))
    state = np.array([math.nan, math.nan, 17.0, math.nan])
    kernel.lines.proximal_points(range(COUNT), fields, targets, guesses, state, parameter_vector(MODEL), out)
    assert np.all(out[:, 3] == 1.0)
    for node, (z_1, z_2, value, _) in zip(nodes, out, strict=True):
        with mpmath.workdps(30):
            exact = exact_values(OBJECTIVE, node | {"z_1": z_1, "z_2": z_2})
        assert value == pytest.approx(float(exact[0]), rel=1e-12, abs=1e-15)
        hessian = np.array([[exact[3], exact[4]], [exact[4], exact[5]]], float)
        assert np.all(np.linalg.eigvalsh(hessian) > 0.0)
        # Distance from the exact stationary point, and what it costs.
        offset = np.linalg.solve(hessian, np.array(exact[1:3], float))
        assert np.max(np.abs(offset)) < 1e-11


@pytest.mark.parametrize("low", range(-700, 700, 100))
def test_exponential_agrees_with_mpmath(kernel, low):
    points = np.concatenate([np.random.default_rng(low + 700).uniform(low, low + 100, size=300), [low, low + 100.0]])
    worst = 0.0
    with mpmath.workdps(40):
        for x in points:
            exact = mpmath.exp(mpmath.mpf(float(x)))
            error = abs(mpmath.mpf(float(kernel.module.exponential(float(x)))) - exact)
            worst = max(worst, float(error / exact))
    assert worst < 2.5 * np.finfo(float).eps


def test_exponential_beyond_its_range_and_next_to_zero(kernel):
    exponential = kernel.module.exponential
    assert exponential(0.0) == 1.0
    assert exponential(1e-17) == 1.0
    assert exponential(1e-9) == math.exp(1e-9)
    for x in (701.0, 1e4, math.inf):
        assert exponential(x) == exponential(700.0)
        assert exponential(-x) == exponential(-700.0)
        assert 0.0 < exponential(-x) < 1e-300 < 1e300 < exponential(x) < math.inf


def test_saturated_attention_gives_no_nan(kernel):
    lines, state = kernel.lines, np.array([math.nan, math.nan, 10.0, math.nan])
    far = np.array([(60.0, -60.0), (-200.0, 3.0), (500.0, 500.0), (1e4, -1e3)])
    out = np.zeros((len(far), 4))
    targets = np.full((len(far), 4), 0.5)
    lines.proximal_points(range(len(far)), far, targets, far, state, parameter_vector(MODEL), out)
    assert np.all(np.isfinite(out))
    assert np.all(out[:, 3] == 1.0)


def test_identical_systems_give_identical_text():
    first, second = generate_source(derive_saddle_system()), generate_source(derive_saddle_system())
    assert first.text == second.text
    assert first.digest == second.digest


def test_a_symbol_that_is_no_argument_is_refused():
    phi = build_free_entropy()
    model = dataclasses.replace(phi.model, loss=phi.channel.loss + sp.Symbol("stray"))
    in_loss = with_channel(phi, model=model)
    with pytest.raises(ValueError, match="stray"):
        kernel_source(derive_saddle_system(in_loss))
    prior = dataclasses.replace(phi.prior, integrand=phi.prior.integrand * sp.Symbol("stray"))
    in_prior = dataclasses.replace(phi, prior=prior)
    with pytest.raises(ValueError, match="stray"):
        generate_source(derive_saddle_system(in_prior))


def test_a_changed_term_of_phi_changes_the_compiled_residual(kernel):
    phi = build_free_entropy()
    q_hat, V_hat = symbols.CONJUGATES[0].symbol, symbols.CONJUGATES[2].symbol
    extra = q_hat * V_hat / 3
    prior = dataclasses.replace(phi.prior, integrand=phi.prior.integrand + extra)
    changed = kernel_of_system(derive_saddle_system(dataclasses.replace(phi, prior=prior)))
    assert changed.digest != kernel.digest
    parameters = parameter_vector(MODEL)
    conjugates = (0.3, 0.2, 0.1, 0.05)
    before = np.array(kernel.module.overlaps(*conjugates, parameters))
    after = np.array(changed.module.overlaps(*conjugates, parameters))
    # dPhi/dq_hat gains V_hat/3, so V gains 2/3 V_hat; dPhi/dV_hat gains q_hat/3, so q loses 2/3 q_hat.
    np.testing.assert_allclose(after - before, [-2 / 3 * 0.3, 0.0, 2 / 3 * 0.1, 0.0], atol=1e-14)
