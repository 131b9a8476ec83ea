"""What is no argument is refused before any work, by one error that names it; what is unusual but good works."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp

import validation
from baselines import (
    BASELINES,
    ConstantBaseline,
    bayes_optimal,
    best_attention,
    best_positional_attention,
    best_semantic_attention,
    linear_positional,
    uniform_attention,
)
from replica import AttentionModel, MultiIndexModel, Spectrum, SpectrumAtom, derive, softmax_attention
from replica.common.checked_arguments import quoted
from replica.common.errors import AttentionPhaseError
from saddle import (
    LineRule,
    PhaseDiagram,
    Sector,
    SobolRule,
    SolveSettings,
    StateEvolution,
    TransitionLines,
    find_point,
    solve_phase_diagram,
    solve_point,
    solve_transition_line,
    solve_transition_lines,
)
from saddle.averages.channel import Channel
from saddle.averages.rules.line_orders import LineOrders
from saddle.diagram.rule_choice import choose_rule
from saddle.diagram.solve_arguments import checked_solve
from saddle.kernel.cache_folder import cache_folder
from saddle.reference import solve_model
from validation.simulation.compared import COMPARED
from validation.simulation.run_grid import _checked as checked_axes

PAPER = AttentionModel.paper()
RULE = LineRule.for_tolerance(2e-2)
STATE = (0.1, 0.0, 10.0, 0.0)
DATA = validation.draw_teacher_data(PAPER, 12, 1.0, np.random.default_rng(0))
THEORY = dict.fromkeys(COMPARED, 0.1)
EVOLUTION = StateEvolution(PAPER, RULE, 1)
DIAGRAM = PhaseDiagram(PAPER, np.array([0.5, 1.0]), {}, None, None, (), linear_positional(PAPER), {}, RULE)
THREE = {"positional_matrix": np.eye(3), "positional_encoding": (1, 0, -1)}

NO_NUMBER = ("1", b"1", True, 1j, np.complex128(1), [1.0], {1: 2}, math.nan, math.inf, 10**400, object(), len)
NO_POSITIVE = (*NO_NUMBER, 0, -1.0)
NO_INTEGER = ("3", 2.5, 3.0, True, None, [3], 1j, math.nan, Fraction(3), object())
NO_SEQUENCE = ("12", 3, {1: 2, 3: 4}, {1, 2}, None, 1.5)
NO_PAIR = (
    *NO_SEQUENCE,
    (1,),
    (1, 2, 3),
    (2, 1),
    (1, 1),
    ("1", "2"),
    (1j, 2),
    (math.nan, 1),
    (0.1, math.inf),
    (1, None),
)
NO_NAME = (3, None, b"x", "nonsense", ["x"], 1.5)
NO_PATH = (3, None, b"x", "", "a\0b", 1.5, ["x"])
NO_OBJECT = (3, "x", None, [1])
NO_FLAG = ("no", 1, None, [True])
NO_MATRIX = ("12", ["12", "34"], 3, {1: 2}, [[1, 2]], [[1, 2], [3]], [[1, "2"], [3, 4]], np.eye(2) * 1j,
             [[True, 1], [1, 1]], [[math.nan, 1], [1, 1]])  # fmt: skip


def paper(name: str) -> Callable[[Any], Any]:
    return lambda value: AttentionModel.paper(**{name: value})


def keyword(function: Callable[..., Any], name: str, *given: Any, **others: Any) -> Callable[[Any], Any]:
    return lambda value: function(*given, **{**others, name: value})


def ridge(**changes: Any) -> MultiIndexModel:
    given: dict[str, Any] = {"loss": lambda z, y: (z[0] - y[0]) ** 2 / 2, "regularization": 0.1}
    return MultiIndexModel(**{**given, **changes})


def train(**changes: Any) -> Any:
    given = {"data": DATA, "generator": np.random.default_rng(0), "training": validation.Training(steps=1)}
    return validation.train_student(**{**given, **changes})


def message_passing(**changes: Any) -> Any:
    settings = validation.MessagePassingSettings(1)
    given = {"data": DATA, "start": DATA.teacher, "susceptibility": 5.0, "settings": settings}
    return validation.approximate_message_passing(**{**given, "generator": np.random.default_rng(0), **changes})


def compare(**changes: Any) -> Any:
    prediction = validation.Prediction(1.0, THEORY)
    given = {"model": PAPER, "prediction": prediction, "start": "semantic", "dimension": 10, "seeds": (0, 1)}
    return validation.compare_at(**{**given, **changes})


def without(values: tuple[Any, ...], *kept: Any) -> tuple[Any, ...]:
    """Values without those that are good there."""
    return tuple(value for value in values if not any(value is x for x in kept))


LINE = ("alpha_c", "omega", (0.2, 0.4))
TABLE: list[tuple[str, str, Callable[[Any], Any], tuple[Any, ...]]] = [
    # Models.
    ("AttentionModel", "omega", paper("omega"), (*NO_NUMBER, None, -0.1, 1.1)),
    ("AttentionModel", "sigma", paper("sigma"), (*NO_POSITIVE, 1e300, 1e-200)),
    ("AttentionModel", "regularization", paper("regularization"), (*NO_POSITIVE, None, 1e-300)),
    ("AttentionModel", "positional_matrix", paper("positional_matrix"), (*NO_MATRIX, np.zeros((10, 10)))),
    ("AttentionModel", "positional_encoding", paper("positional_encoding"),
     (*without(NO_SEQUENCE, None), (0, 0), (1,), (1, 1j), ("1", "2"), (True, 1), (1, math.nan), itertools.count())),
    ("AttentionModel", "positional_gram", lambda x: AttentionModel(0.3, positional_gram=x),
     (*NO_MATRIX, [[0, 0], [0, 0]], [[1, 3], [3, 1]], [[1, 2], [1, 1]])),
    ("AttentionModel", "sequence_length", paper("sequence_length"), (*without(NO_INTEGER, None), 1, 10, 10**30)),
    ("AttentionModel", "rank", paper("rank"), (*NO_INTEGER, 0, 10)),
    ("AttentionModel", "teacher_rank", paper("teacher_rank"), (*NO_INTEGER, 0, 10)),
    ("AttentionModel", "attention", paper("attention"),
     (3, np.sin, softmax_attention, np.eye(2), lambda h: h[7], lambda h: sp.zeros(2, 2), lambda: 1, lambda h: "ab",
      lambda h: sp.besselj(0, h[0]) * h * h.T, lambda h: sp.Abs(h[0]) * sp.eye(2), lambda h: 1 / 0)),
    ("AttentionModel", "target", paper("target"),
     (3, np.sin, softmax_attention, lambda h: h[7], lambda: 1, lambda h: None, lambda h: sp.eye(3),
      lambda h: sp.Piecewise((h[0], h[0] > 0), (0, True)) * sp.eye(2), lambda h: sp.besselj(0, h[0]) * sp.eye(2),
      lambda h: sp.Integral(h[0], (h[0], 0, 1)) * sp.eye(2))),
    ("AttentionModel", "spectrum", paper("spectrum"), ("ab", 3, {}, [3], [], [{"weight": 1}], [{"eigenvalues": (1, 1)}],
     [{"weight": 0.5, "eigenvalues": (1, 1)}], [{"weight": 1, "eigenvalues": "11"}])),
    ("AttentionModel", "parameters", paper("parameters"),
     ("ab", 3, {1: 2}, {"kappa": "2"}, {"kappa": None}, {"noise": 5.0}, {"beta": 1.0}, [("kappa",)], {"kappa": True})),
    ("MultiIndexModel", "loss", keyword(ridge, "loss"), (3, None, "x", np.sin, lambda z, y: z[5], lambda z, y: None)),
    ("MultiIndexModel", "outputs", keyword(ridge, "outputs"), (3, "x", lambda h, xi: 3, lambda h, xi: h[9], lambda: 1)),
    ("MultiIndexModel", "regularization", keyword(ridge, "regularization"), (*NO_POSITIVE, None)),
    ("MultiIndexModel", "noise", keyword(ridge, "noise"), (*NO_INTEGER, -1)),
    ("MultiIndexModel", "rank", keyword(ridge, "rank"), (*NO_INTEGER, 0)),
    ("MultiIndexModel", "spectrum", keyword(ridge, "spectrum"), (3, "ab", None, [3])),
    ("MultiIndexModel", "parameters", keyword(ridge, "parameters"), ("ab", 3, {"kappa": 1.0}, {1: 2})),
    ("MultiIndexModel", "positional_gram", keyword(ridge, "positional_gram"), ("ab", 3, [[-1]], [[1, 0]], [["1"]])),
    ("SpectrumAtom", "weight", lambda x: SpectrumAtom(x, (1, 1)), NO_POSITIVE),
    ("SpectrumAtom", "eigenvalues", lambda x: SpectrumAtom(1.0, x), (*NO_SEQUENCE, (), (-1, 1), ("1", "2"), (1, 1j))),
    ("SpectrumAtom", "teacher_moments", lambda x: SpectrumAtom(1.0, (1, 1), teacher_moments=x),
     (3, "1", [["1"]], [[-1]])),
    ("SpectrumAtom", "mixed_moments", lambda x: SpectrumAtom(1.0, (1, 1), mixed_moments=x),
     (3, "1", [["1"], [1]], [[1]])),
    ("Spectrum", "atoms", Spectrum, (3, "ab", None, [3], [], {})),
    ("Spectrum", "weights", lambda x: Spectrum([SpectrumAtom(w, (1,)) for w in x]), ((0.5,), (0.5, 0.6), (1.00001,))),
    ("Spectrum.power_law", "exponent", lambda x: Spectrum.power_law(x, 2), NO_POSITIVE),
    ("Spectrum.power_law", "tokens", lambda x: Spectrum.power_law(1.0, x), (*NO_INTEGER, 0)),
    ("Spectrum.power_law", "count", lambda x: Spectrum.power_law(1.0, 2, count=x), (*NO_INTEGER, 0)),
    ("derive", "model", derive, NO_OBJECT),
    # The solver.
    ("solve_phase_diagram", "model", solve_phase_diagram, NO_OBJECT),
    ("solve_phase_diagram", "alpha", keyword(solve_phase_diagram, "alpha", PAPER),
     (*NO_PAIR, (0, 1), (-1, 1), (1, 1 + 1e-15))),
    ("solve_phase_diagram", "points", keyword(solve_phase_diagram, "points", PAPER), (*NO_INTEGER, 1, -5, 10**9)),
    ("solve_phase_diagram", "sweep", keyword(solve_phase_diagram, "sweep", PAPER), NO_NAME),
    ("solve_phase_diagram", "tolerance", keyword(solve_phase_diagram, "tolerance", PAPER), (*NO_POSITIVE, 0.5, 1e-9)),
    ("solve_phase_diagram", "rule", keyword(solve_phase_diagram, "rule", PAPER), (*without(NO_OBJECT, None), LineRule)),
    ("solve_phase_diagram", "rule", keyword(solve_phase_diagram, "rule", AttentionModel(0.3, **THREE)), (RULE,)),
    ("solve_phase_diagram", "threads", keyword(solve_phase_diagram, "threads", PAPER), (*NO_INTEGER, -1, 10**6)),
    ("solve_phase_diagram", "progress", keyword(solve_phase_diagram, "progress", PAPER), NO_FLAG),
    ("StateEvolution", "model", StateEvolution, NO_OBJECT),
    ("StateEvolution", "rule", keyword(StateEvolution, "rule", PAPER), (*without(NO_OBJECT, None), SobolRule)),
    ("StateEvolution", "rule", keyword(StateEvolution, "rule", AttentionModel(0.0, rank=2)), (RULE,)),
    ("StateEvolution", "threads", keyword(StateEvolution, "threads", PAPER), (*NO_INTEGER, -1)),
    ("evaluate", "state", lambda x: EVOLUTION.evaluate(x, 1.0), (*NO_SEQUENCE, (1, 2, 3), ("1",) * 4, (1j, 0, 1, 0))),
    ("evaluate", "alpha", lambda x: EVOLUTION.evaluate(STATE, x), (*NO_POSITIVE, None)),
    ("replicon", "alpha", lambda x: EVOLUTION.replicon(STATE, x), (*NO_POSITIVE, None)),
    ("find_point", "evolution", keyword(find_point, "evolution", sector="semantic", alpha=1.0), (*NO_OBJECT, PAPER)),
    ("find_point", "sector", keyword(find_point, "sector", EVOLUTION, alpha=1.0),
     (*NO_NAME, "", "semantic 7", "agnostic 2")),
    ("find_point", "alpha", keyword(find_point, "alpha", EVOLUTION, "semantic"), (*NO_POSITIVE, None)),
    ("solve_point", "sector", lambda x: solve_point(EVOLUTION, x, np.array(STATE), 1.0), NO_NAME),
    ("solve_point", "state", lambda x: solve_point(EVOLUTION, Sector.AGNOSTIC, x, 1.0), (*NO_SEQUENCE, (1, 2))),
    ("solve_point", "alpha", lambda x: solve_point(EVOLUTION, Sector.AGNOSTIC, np.array(STATE), x), NO_POSITIVE),
    ("choose_rule", "tolerance", lambda x: choose_rule(PAPER, 1.0, x), (*NO_POSITIVE, 0.5)),
    ("choose_rule", "alpha", lambda x: choose_rule(PAPER, x), (*NO_POSITIVE, None)),
    ("crossing", "baseline", DIAGRAM.crossing, NO_NAME),
    ("plot", "baselines", DIAGRAM.plot, (*(x for x in NO_SEQUENCE if x is not None), [3], ["nonsense"], [None])),
    ("report", "baselines", lambda x: DIAGRAM.report("nowhere", baselines=x), ("x", 3, [3], ["nonsense"], {1: 2})),
    ("report", "formats", lambda x: DIAGRAM.report("nowhere", x), (3, None, "word", ["word"], [3], (), {"latex": 1})),
    ("report", "latex_names", lambda x: DIAGRAM.report("nowhere", latex_names=x),
     ("theta", 3, ["q"], {"x": "y"}, {"q": 3}, {"q": "$"}, {"q": ""}, {"q": r"\mu"}, {"q": "%"}, {3: "q"})),
    ("report", "prefix", lambda x: DIAGRAM.report("nowhere", prefix=x), (3, "", "a b", "a_b", ["a"])),
    ("report", "parts", lambda x: DIAGRAM.report("nowhere", parts=x), (3, (), "word", ["word"], [3], {"model": 1})),
    ("report", "macros", lambda x: DIAGRAM.report("nowhere", latex_names={"q": r"\Q"}, macros=x),
     ("x", 3, [r"\Q"], {"Q": "x"}, {r"\Q": 3}, {r"\Q": "%"}, {r"\R": "x"}, {3: "x"})),
    ("report", "line_width", lambda x: DIAGRAM.report("nowhere", line_width=x), (*NO_NUMBER, None, 3, 100)),
    ("report", "folder", DIAGRAM.report, NO_PATH),
    ("save", "path", lambda x: EMPTY_LINES.save(x), NO_PATH),
    ("PhaseDiagram.load", "path", PhaseDiagram.load, NO_PATH),
    ("TransitionLines.load", "path", TransitionLines.load, NO_PATH),
    ("cache_folder", "cache", cache_folder, without(NO_PATH, None)),
    ("solve_transition_line", "transition", lambda x: solve_transition_line(PAPER, x),
     (*NO_NAME, "agnostic -> nonsense")),
    ("solve_transition_line", "over", lambda x: solve_transition_line(PAPER, "alpha_c", x), (*NO_NAME, "rank")),
    ("solve_transition_line", "between", lambda x: solve_transition_line(PAPER, "alpha_c", "omega", x),
     (*NO_PAIR, (-0.1, 0.5), (0.5, 1.5))),
    ("solve_transition_line", "alpha", keyword(solve_transition_line, "alpha", PAPER, *LINE), NO_PAIR),
    ("solve_transition_line", "points", keyword(solve_transition_line, "points", PAPER, *LINE),
     (*NO_INTEGER, 1, 10**9, (0.1, 0.2))),
    ("SolveSettings", "tolerance", keyword(SolveSettings, "tolerance"), (*NO_POSITIVE, 0.5)),
    ("SolveSettings", "rule", keyword(SolveSettings, "rule"), (3, "x", LineRule)),
    ("SolveSettings", "threads", keyword(SolveSettings, "threads"), (*NO_INTEGER, -1, 10**6)),
    ("SolveSettings", "progress", keyword(SolveSettings, "progress"), NO_FLAG),
    ("SolveSettings", "highest_alpha", keyword(SolveSettings, "highest_alpha"), (*NO_POSITIVE, None)),
    ("solve_transition_line", "settings", keyword(solve_transition_line, "settings", PAPER, *LINE),
     (*NO_OBJECT, {"tolerance": 1e-3}, SolveSettings)),
    ("solve_transition_line", "highest_alpha", lambda x: solve_transition_line(
        PAPER, *LINE, settings=SolveSettings(highest_alpha=x)), (0.001,)),
    ("solve_transition_line", "rule", lambda x: solve_transition_line(
        PAPER, *LINE, diagram=DIAGRAM, settings=SolveSettings(rule=x)), (LineRule(),)),
    ("solve_transition_line", "rule", lambda x: solve_transition_line(
        AttentionModel(0.3, **THREE), *LINE, settings=SolveSettings(rule=x)), (RULE,)),
    ("solve_transition_line", "diagram", keyword(solve_transition_line, "diagram", PAPER, *LINE), (3, "x", [1], PAPER)),
    ("solve_transition_line", "diagram", lambda x: solve_transition_line(x, *LINE, diagram=DIAGRAM),
     (AttentionModel.paper(sigma=0.9), AttentionModel.paper(regularization=0.02), AttentionModel(0.0, **THREE))),
    ("solve_transition_line", "diagram", lambda x: solve_transition_line(PAPER, "alpha_c", "omega", x, diagram=DIAGRAM),
     ((0.31, 0.5), (0.0, 0.29))),
    ("solve_transition_lines", "transitions", keyword(solve_transition_lines, "transitions", PAPER),
     (*NO_SEQUENCE, [3], ["nonsense"], ["alpha_c", "nonsense"])),
    ("solve_transition_lines", "over", lambda x: solve_transition_lines(PAPER, x), NO_NAME),
    ("solve_transition_lines", "over", lambda x: solve_transition_lines(
        AttentionModel.paper(spectrum=Spectrum.isotropic(0.2, 0.3)), x, (0.1, 0.2)), ("sigma",)),
    ("solve_transition_lines", "settings", keyword(solve_transition_lines, "settings", PAPER), (*NO_OBJECT, RULE)),
    ("solve_transition_lines", "highest_alpha", lambda x: solve_transition_lines(
        PAPER, settings=SolveSettings(highest_alpha=x)), (0.001,)),
    ("solve_model", "alpha", lambda x: solve_model(ridge(), x), (-1.0, 0, math.nan)),
    ("solve_model", "model", lambda x: solve_model(x, 1.0), NO_OBJECT),
    # Quadrature rules.
    ("LineRule", "teacher_spacing", lambda x: LineRule(teacher_spacing=x), (*NO_POSITIVE, None, 3.0)),
    ("LineRule", "common_spacing", lambda x: LineRule(common_spacing=x), (*NO_POSITIVE, None, 3.0)),
    ("LineRule", "reach", lambda x: LineRule(reach=x), (*NO_POSITIVE, None, 10.0)),
    ("LineRule", "line", lambda x: LineRule(line=x), NO_OBJECT),
    ("LineRule.for_tolerance", "tolerance", LineRule.for_tolerance, (*NO_POSITIVE, None, 1.0)),
    ("LineRule.refined", "factor", LineRule().refined, (*NO_POSITIVE, None)),
    ("SobolRule", "points", lambda x: SobolRule(points=x), (*NO_INTEGER, 3, 0, 2**40)),
    ("SobolRule", "scrambles", lambda x: SobolRule(scrambles=x), (*NO_INTEGER, 1, -1, 10**9)),
    ("SobolRule", "seed", lambda x: SobolRule(seed=x), (*NO_INTEGER, -1)),
    ("SobolRule", "line", lambda x: SobolRule(line=x), NO_OBJECT),
    ("SobolRule.refined", "factor", SobolRule().refined, (*NO_POSITIVE, None)),
    ("LineOrders", "scan_points", lambda x: LineOrders(scan_points=x), (*NO_INTEGER, 2, 10**9)),
    ("LineOrders", "graded_nodes", lambda x: LineOrders(graded_nodes=x), (*NO_INTEGER, 0, 65)),
    ("LineOrders", "extent", lambda x: LineOrders(extent=x), (*NO_POSITIVE, None)),
    # Baselines.
    *((f.__name__, "model", f, NO_OBJECT) for f in (
        linear_positional, uniform_attention, bayes_optimal, best_attention, best_positional_attention,
        best_semantic_attention)),
    ("test_error_at", "alpha", linear_positional(PAPER).test_error_at, (*NO_POSITIVE, None)),
    ("test_error_at", "alpha", lambda x: BAYES.test_error_at(x), (*NO_POSITIVE, None)),
    ("error_at", "alpha", lambda x: BAYES.error_at(x), (*NO_POSITIVE, None)),
    ("overlap_at", "alpha", lambda x: BAYES.overlap_at(x), (*NO_POSITIVE, None)),
    ("curve", "alphas", lambda x: BAYES.curve(x), (*NO_SEQUENCE, ["1"], [1.0, -1.0], [math.nan])),
    # Simulations.
    ("draw_teacher_data", "model", keyword(validation.draw_teacher_data, "model", dimension=9, sample_complexity=1.0,
                                           generator=np.random.default_rng(0)), NO_OBJECT),
    ("draw_teacher_data", "dimension", lambda x: validation.draw_teacher_data(PAPER, x, 1.0, np.random.default_rng(0)),
     (*NO_INTEGER, 0, 10**9)),
    ("draw_teacher_data", "alpha", lambda x: validation.draw_teacher_data(PAPER, 9, x, np.random.default_rng(0)),
     (*NO_POSITIVE, None, 1e-9)),
    ("draw_teacher_data", "generator", lambda x: validation.draw_teacher_data(PAPER, 9, 1.0, x), NO_OBJECT),
    ("draw_teacher_data", "dtype", lambda x: validation.draw_teacher_data(PAPER, 9, 1.0, np.random.default_rng(0), x),
     ("nonsense", int, 3.5, np.complex128, [1])),
    ("train_student", "data", keyword(train, "data"), NO_OBJECT),
    ("train_student", "start", keyword(train, "start"), (3, "nonsense", None, ["x"], np.zeros(3), np.full(12, 1j))),
    ("train_student", "generator", keyword(train, "generator"), NO_OBJECT),
    ("Training", "method", keyword(validation.Training, "method"), NO_NAME),
    ("Training", "learning_rate", keyword(validation.Training, "learning_rate"), NO_POSITIVE),
    ("Training", "steps", keyword(validation.Training, "steps"), (*without(NO_INTEGER, None), -1)),
    ("Training", "gradient_tolerance", keyword(validation.Training, "gradient_tolerance"), (*NO_NUMBER, None, -1.0)),
    ("Training", "polish", keyword(validation.Training, "polish"), NO_FLAG),
    ("Training", "test_samples", keyword(validation.Training, "test_samples"), (*NO_INTEGER, 0)),
    ("Training", "dtype", keyword(validation.Training, "dtype"), ("nonsense", int, 3.5, np.complex128, [1])),
    ("train_student", "training", keyword(train, "training"), (*NO_OBJECT, validation.Training(dtype="float32"))),
    ("train_student", "learning_rate", lambda x: train(training=validation.Training(learning_rate=x)), (1000.0,)),
    ("train_student", "progress", keyword(train, "progress"), (3, "x")),
    ("initial_student", "start", lambda x: validation.initial_student(DATA, x), (*NO_NAME, "mixed")),
    ("initial_student", "data", lambda x: validation.initial_student(x, "semantic"), NO_OBJECT),
    ("student_with_overlaps", "self_overlap",
     lambda x: validation.student_with_overlaps(DATA, x, 0.1, 0.0, np.random.default_rng(0)), (*NO_NUMBER, None)),
    ("simulate", "seed", lambda x: validation.simulate(PAPER, "semantic", 1.0, 9, x), (*NO_INTEGER, -1)),
    ("simulate", "start", lambda x: validation.simulate(PAPER, x, 1.0, 9, 0), ("nonsense",)),
    ("simulate", "training", lambda x: validation.simulate(PAPER, "semantic", 1.0, 9, 0, training=x), NO_OBJECT),
    ("simulate", "spherical_teacher",
     lambda x: validation.simulate(PAPER, "semantic", 1.0, 9, 0, spherical_teacher=x), NO_FLAG),
    ("compare_at", "model", keyword(compare, "model"), NO_OBJECT),
    ("Prediction", "alpha", lambda x: validation.Prediction(x, THEORY), (*NO_POSITIVE, None)),
    ("Prediction", "values", lambda x: validation.Prediction(1.0, x),
     (*NO_OBJECT, {**THEORY, "train_loss": math.nan}, {**THEORY, "train_loss": "1"})),
    ("Prediction", "errors", lambda x: validation.Prediction(1.0, THEORY, x), (*NO_OBJECT, {"train_loss": "1"})),
    ("Prediction", "allowance_coefficients", lambda x: validation.Prediction(1.0, THEORY, {}, x),
     (3, "x", {"train_loss": -1.0}, {"train_loss": "1"})),
    ("compare_at", "prediction", keyword(compare, "prediction"),
     (*NO_OBJECT, THEORY, validation.Prediction(1.0, {}))),
    ("compare_at", "allowance_coefficients",
     lambda x: compare(prediction=validation.Prediction(1.0, THEORY, {}, x)), ({"nonsense": 1.0},)),
    ("compare_at", "start", keyword(compare, "start"), NO_NAME),
    ("compare_at", "dimension", keyword(compare, "dimension"), (*NO_INTEGER, 0)),
    ("compare_at", "seeds", keyword(compare, "seeds"),
     (*NO_SEQUENCE, (1,), (1, 1), (1, 2.5), (1, "2"), (1, -2), (0, True))),
    ("compare_at", "training", keyword(compare, "training"), NO_OBJECT),
    ("compare_at", "spherical_teacher", keyword(compare, "spherical_teacher"), NO_FLAG),
    ("comparison_table", "comparison", validation.comparison_table, NO_OBJECT),
    ("simulate_runs", "model", lambda x: validation.simulate_runs(x, (1.0,)), NO_OBJECT),
    ("simulate_runs", "alphas", lambda x: validation.simulate_runs(PAPER, x), (*NO_SEQUENCE, [], [0], ["1"], [1, 1])),
    ("simulate_runs", "starts", keyword(validation.simulate_runs, "starts", PAPER, (1.0,)),
     (*without(NO_SEQUENCE, None), [3], ["x"], [])),
    ("simulate_runs", "dimensions", keyword(validation.simulate_runs, "dimensions", PAPER, (1.0,)),
     (*NO_SEQUENCE, [0], [2.5], ["9"], [])),
    ("simulate_runs", "seeds", keyword(validation.simulate_runs, "seeds", PAPER, (1.0,)),
     (*without(NO_SEQUENCE, 3), 1, True, 2.0, (1, 2.5), (1, "2"), (1,), (0, -1), 10**9)),
    ("Execution", "executor", keyword(validation.Execution, "executor"), (3, "x", map)),
    ("Execution", "folder", keyword(validation.Execution, "folder"), without(NO_PATH, None)),
    ("Execution", "progress", keyword(validation.Execution, "progress"), NO_FLAG),
    ("simulate_runs", "execution", keyword(validation.simulate_runs, "execution", PAPER, (1.0,)), NO_OBJECT),
    ("simulate_runs", "training", keyword(validation.simulate_runs, "training", PAPER, (1.0,)), NO_OBJECT),
    ("simulate_runs", "spherical_teacher", keyword(validation.simulate_runs, "spherical_teacher", PAPER, (1.0,)),
     NO_FLAG),
    ("compare_with_theory", "diagram", validation.compare_with_theory, NO_OBJECT),
    ("compare_with_theory", "alphas", lambda x: validation.compare_with_theory(DIAGRAM, x),
     (1.0, "12", None, {1: 2}, ["1"])),
    ("compare_with_theory", "dimensions", keyword(validation.compare_with_theory, "dimensions", DIAGRAM),
     (30, "9", [2.5])),
    ("compare_with_theory", "seeds", keyword(validation.compare_with_theory, "seeds", DIAGRAM),
     (2.0, "12", (1, 2.5), 1)),
    ("compare_with_theory", "training", keyword(validation.compare_with_theory, "training", DIAGRAM), NO_OBJECT),
    ("compare_with_theory", "execution", keyword(validation.compare_with_theory, "execution", DIAGRAM), NO_OBJECT),
    ("compare_with_theory", "starts", keyword(validation.compare_with_theory, "starts", DIAGRAM), (3, "semantic", [3])),
    ("message_passing", "data", keyword(message_passing, "data"), NO_OBJECT),
    ("message_passing", "susceptibility", keyword(message_passing, "susceptibility"), (*NO_POSITIVE, None)),
    ("message_passing", "settings", keyword(message_passing, "settings"), NO_OBJECT),
    ("MessagePassingSettings", "iterations", validation.MessagePassingSettings, (*NO_INTEGER, 0)),
    ("MessagePassingSettings", "damping", keyword(validation.MessagePassingSettings, "damping", 1),
     (*NO_POSITIVE, None, 1.5)),
    ("MessagePassingSettings", "response", keyword(validation.MessagePassingSettings, "response", 1),
     (3, "nonsense", None, [], ["x"], {1: 2})),
    ("MessagePassingSettings", "tolerance", keyword(validation.MessagePassingSettings, "tolerance", 1),
     (*NO_NUMBER, None, -1.0)),
    ("state_evolution_trajectory", "evolution", lambda x: validation.state_evolution_trajectory(x, STATE, 1.0, 1),
     NO_OBJECT),
    ("state_evolution_trajectory", "state", lambda x: validation.state_evolution_trajectory(EVOLUTION, x, 1.0, 1),
     (*NO_SEQUENCE, (1, 2))),
    ("state_evolution_trajectory", "iterations",
     lambda x: validation.state_evolution_trajectory(EVOLUTION, STATE, 1.0, x),
     (*NO_INTEGER, 0)),
    ("pass_bayes_messages", "alpha", lambda x: validation.pass_bayes_messages(x, 9, 2, 0), (*NO_POSITIVE, None)),
    ("pass_bayes_messages", "length", lambda x: validation.pass_bayes_messages(1.0, 9, x, 0), (*NO_INTEGER, 0)),
    ("pass_bayes_messages", "seed", lambda x: validation.pass_bayes_messages(1.0, 9, 2, x), (*NO_INTEGER, -1)),
    ("fields_up_to_sign", "target", lambda x: validation.fields_up_to_sign(x, PAPER), NO_MATRIX),
    ("solve_on_published_rule", "branch", lambda x: validation.solve_on_published_rule(PAPER, x, 1.0), NO_NAME),
    ("solve_on_published_rule", "alpha", lambda x: validation.solve_on_published_rule(PAPER, "semantic", x),
     NO_POSITIVE),
    ("published_theory", "model", lambda x: validation.published_theory(x, "semantic"), NO_OBJECT),
    ("published_theory", "branch", lambda x: validation.published_theory(PAPER, x), NO_NAME),
    ("published_gradient_descent", "start", lambda x: validation.published_gradient_descent(PAPER, x), NO_NAME),
    ("published_rank_two", "omega", validation.published_rank_two, (*NO_NUMBER, None, 0.1)),
]  # fmt: skip
BAYES = bayes_optimal(PAPER)
EMPTY_LINES = TransitionLines(PAPER, "omega", (0.0, 0.5), {})


def rows() -> Iterator[Any]:
    counts: dict[str, int] = {}
    for where, argument, call, values in TABLE:
        for value in values:
            stem = f"{where}-{argument}"
            counts[stem] = counts.get(stem, 0) + 1
            yield pytest.param(argument, call, value, id=f"{stem}-{counts[stem]}")


ROWS = list(rows())


@pytest.fixture
def no_work(monkeypatch):
    """Fail if anything is averaged, derived, drawn or written."""

    def begun(*_: Any, **__: Any) -> Any:
        raise AssertionError("work was begun before arguments were checked")

    monkeypatch.setattr(Channel, "line_rows", begun)
    monkeypatch.setattr("replica.theory.build_free_entropy", begun)
    monkeypatch.setattr("validation.simulation.teacher._draw_samples", begun)
    monkeypatch.setattr("matplotlib.figure.Figure.__init__", begun)


def test_there_are_many():
    assert len(ROWS) >= 500


@pytest.mark.parametrize(("argument", "call", "value"), ROWS)
def test_what_is_no_argument_is_refused_by_name(argument, call, value, no_work):
    with pytest.raises(AttentionPhaseError) as caught:
        call(value)
    message = str(caught.value)
    assert argument in message, message
    assert "\n" not in message
    assert len(message) < 3000


def test_quotations_are_one_short_line():
    class Rude:
        def __repr__(self) -> str:
            raise KeyError("no")

    for value in (10**5000, "x" * 10**5, np.zeros((100, 100)), Rude(), [[1] * 99] * 99):
        assert "\n" not in quoted(value)
        assert len(quoted(value)) < 300
    assert quoted(0.5) == "0.5"


NUMBERS = (
    Fraction(1, 2),
    Decimal("0.5"),
    np.float32(0.5),
    np.float16(0.5),
    np.array(0.5),
    sp.Rational(1, 2),
    sp.Float(0.5),
)


@pytest.mark.parametrize("half", NUMBERS, ids=lambda x: type(x).__name__)
def test_other_kinds_of_numbers_are_numbers(half):
    assert AttentionModel.paper(omega=half) == AttentionModel.paper(omega=0.5)
    assert AttentionModel.paper(sigma=half, regularization=half) == AttentionModel.paper(sigma=0.5, regularization=0.5)
    assert AttentionModel.paper(positional_encoding=(half, -1)) == AttentionModel.paper(positional_encoding=(0.5, -1))
    assert SpectrumAtom(half, (half, 1)) == SpectrumAtom(0.5, (0.5, 1))
    assert checked_solve(PAPER, (half, 1)) == checked_solve(PAPER, (0.5, 1.0))
    assert LineRule(common_spacing=half) == LineRule(common_spacing=0.5)
    assert BAYES.test_error_at(half) == BAYES.test_error_at(0.5)
    assert checked_axes([half], ["semantic"], [9], 2) == checked_axes([0.5], ["semantic"], [9], 2)
    assert EVOLUTION.evaluate(STATE, half).free_entropy == EVOLUTION.evaluate(np.array(STATE), 0.5).free_entropy


@pytest.mark.parametrize("kind", [int, np.int64, np.int8, np.uint16, np.array, sp.Integer], ids=lambda x: x.__name__)
def test_other_kinds_of_integers_are_integers(kind):
    assert AttentionModel.paper(sequence_length=kind(2), rank=kind(2)) == AttentionModel.paper(rank=2)
    assert checked_solve(PAPER, points=kind(48), threads=kind(1)) == checked_solve(PAPER, points=48, threads=1)
    assert SobolRule(kind(64), kind(4), kind(1)) == SobolRule(64, 4, 1)
    assert hash(SobolRule(kind(64))) == hash(SobolRule(64))
    assert checked_axes([1.0], ["semantic"], [kind(9)], [kind(1), 2]) == checked_axes([1.0], ["semantic"], [9], [1, 2])


SEQUENCES = (list, tuple, iter, np.array, lambda values: (x for x in values))


@pytest.mark.parametrize("kind", SEQUENCES, ids=["list", "tuple", "iterator", "array", "generator"])
def test_other_kinds_of_sequences_are_sequences(kind):
    assert AttentionModel.paper(positional_encoding=kind((1.0, -2.0))) == AttentionModel.paper(
        positional_encoding=(1, -2)
    )
    rows = ((0.5, 0.5), (1.0, 0.25))
    assert AttentionModel.paper(positional_matrix=kind(rows)) == AttentionModel.paper(positional_matrix=rows)
    by_row = [kind(row) for row in rows]
    assert AttentionModel.paper(positional_matrix=by_row) == AttentionModel.paper(positional_matrix=rows)
    assert SpectrumAtom(1.0, kind((1.0, 2.0))) == SpectrumAtom(1.0, (1, 2))
    assert checked_solve(PAPER, kind((0.5, 2.0))) == checked_solve(PAPER, (0.5, 2.0))
    assert np.array_equal(BAYES.curve(kind((0.2, 0.3))).test_error, BAYES.curve([0.2, 0.3]).test_error)
    assert EVOLUTION.evaluate(kind(STATE), 1.0).free_entropy == EVOLUTION.evaluate(np.array(STATE), 1.0).free_entropy
    assert checked_axes(kind((1.0, 2.0)), ["semantic"], kind((9, 10)), kind((0, 1))) == checked_axes(
        [1.0, 2.0], ["semantic"], [9, 10], 2
    )


def test_matrices_of_other_kinds_are_matrices():
    rows = [[0.5, 0.5], [1.0, 0.25]]
    plain = AttentionModel.paper(positional_matrix=rows)
    for matrix in (np.array(rows), np.array(rows, dtype=np.float32), np.matrix(rows), sp.Matrix(rows)):
        assert AttentionModel.paper(positional_matrix=matrix) == plain


def test_weights_in_single_precision_are_weights():
    thirds = np.full(3, 1 / 3, dtype=np.float32)
    assert math.fsum(map(float, thirds)) != 1.0
    spectrum = Spectrum([SpectrumAtom(w, (1, 2)) for w in thirds])
    assert math.fsum(spectrum.weights) == pytest.approx(1.0, abs=1e-15)
    # Weights in double precision stay as they are.
    assert Spectrum([SpectrumAtom(w, (1, 2)) for w in (0.1, 0.2, 0.7)]).weights.tolist() == [0.1, 0.2, 0.7]


def test_a_family_is_as_good_as_its_sector():
    by_name, by_sector = (find_point(EVOLUTION, x, 2) for x in ("semantic", Sector.SEMANTIC))
    assert by_name.order_parameters == by_sector.order_parameters
    assert by_name.alpha == 2.0


def test_the_default_rule_fits_the_model():
    assert StateEvolution(PAPER).rule == LineRule()
    for model in (AttentionModel(0.0, **THREE), AttentionModel(0.0, rank=2), AttentionModel(0.0, teacher_rank=2)):
        assert StateEvolution(model).rule == SobolRule()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(THREE, marks=pytest.mark.measurement),
        pytest.param({"rank": 2}, marks=pytest.mark.measurement),
        pytest.param({"teacher_rank": 2}, marks=pytest.mark.slow),
    ],
    ids=["tokens", "rank", "teacher"],
)
def test_a_point_is_found_on_the_default_rule(changes):
    evolution = StateEvolution(AttentionModel(0.0, **changes))
    assert find_point(evolution, "semantic", 2.0).residual_norm < 1e-8


def test_a_solve_is_the_same_however_its_arguments_are_written():
    plain = solve_phase_diagram(PAPER, (1.0, 1.5), points=3, tolerance=2e-2, threads=1)
    other = solve_phase_diagram(
        PAPER, [Fraction(1), np.float32(1.5)], points=np.int64(3), tolerance=np.array(2e-2), threads=np.int8(1)
    )
    assert np.array_equal(plain.alpha, other.alpha)
    assert plain.rule == other.rule
    assert {name: t.alpha for name, t in plain.transitions.items()} == {
        n: t.alpha for n, t in other.transitions.items()
    }


@pytest.mark.parametrize("name", ["linear positional", "Bayes-optimal"])
@pytest.mark.parametrize("sigma", [1e-60, 1e-30, 1e-8, 1e-3])
def test_errors_of_baselines_know_what_rounding_hides(name, sigma):
    model = AttentionModel.paper(sigma=sigma, omega=0.0)
    baseline = BASELINES[name](model)
    # Of (1 - omega)^2 sigma^6 3/8 for fields so small that the softmax is linear.
    error = baseline.error if isinstance(baseline, ConstantBaseline) else baseline.error_at(0.01)
    known = 0.375 * sigma**6 if sigma > 1e-50 else 0.0
    assert abs(baseline.test_error_at(0.01) - known) <= error + 1e-5 * known
    assert error > 0.0
