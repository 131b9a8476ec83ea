"""Every special point of the textbook problems, in their own variables and in others, within stated budgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from saddle.continuation.curve.tracing import Stop
from saddle.continuation.problem import FunctionProblem
from saddle.continuation.special_points.special_point import SpecialPointKind
from tests.saddle.continuation.textbook import (
    Counted,
    Transformed,
    blume_capel,
    branch,
    bratu,
    cusp,
    enzyme,
    kernels,
    located,
    rate,
    reaction,
)


@dataclass(frozen=True)
class Case:
    """A branch of a problem, what lies on it, and how many evaluations may be spent, plainly and transformed."""

    name: str
    problem: Callable[[], FunctionProblem]
    x: Sequence[float]
    parameters: Sequence[float]
    bounds: tuple[float, float]
    budget: int
    transformed_budget: int
    active: int = 0
    folds: Sequence[float] = ()
    crossings: Sequence[float] = ()
    kind: SpecialPointKind = SpecialPointKind.PITCHFORK
    kernels: Sequence[int] = field(default=(), kw_only=True)
    highest: float | None = field(default=None, kw_only=True)


def reaction_folds(beta: float) -> list[float]:
    u = (1 + np.array([-1, 1]) * np.sqrt(1 - 16 / beta)) / 2
    return list(u / (1 - u) * np.exp(-beta * u / 4))


ENZYME_FOLDS, ENZYME_PITCHFORKS = (18.8870676579, 34.3569249985), (22.1816379261, 34.2228865442)
LOW = 0.01 + 100 * rate(0.01)

CASES = [
    Case("cusp", cusp, [-1.5], [1.5 - 1.5**3, 1.0], (-2, 2), 210, 245, folds=[-0.384900179459750, 0.384900179459750]),
    Case("imperfect cusp", cusp, [-1.0], [0.01, 0.99], (-1, 1), 145, 155, 1, folds=[0.0877205321463860]),
    Case("reaction", reaction, [0, 0], [0, 18.0], (0, 0.2), 108, 125, folds=[0.099574136735728, 0.111565080074215]),
    Case("reaction at 25", reaction, [0, 0], [0, 25.0], (0, 0.3), 165, 195, folds=sorted(reaction_folds(25.0))),
    Case(
        "enzyme", enzyme, [0.01, 0.01], [LOW], (0, 50), 325, 345, folds=ENZYME_FOLDS, crossings=ENZYME_PITCHFORKS
    ),
    Case(
        "enzyme, undeclared symmetry", lambda: enzyme(False), [0.01, 0.01], [LOW], (0, 50), 365, 385,
        folds=ENZYME_FOLDS, crossings=ENZYME_PITCHFORKS, kind=SpecialPointKind.BRANCH_POINT,
    ),
    Case("kernels", kernels, np.zeros(15), [0.5], (0.5, 6), 47, 47, crossings=[1, 2, 3, 4, 5], kernels=[1, 2, 3, 4, 5]),
    Case(
        "kernels, undeclared symmetry", lambda: kernels(False), np.zeros(15), [0.5], (0.5, 6), 260, 310,
        crossings=[1, 2, 3, 4, 5], kind=SpecialPointKind.BRANCH_POINT, kernels=[1, 2, 3, 4, 5],
    ),
    Case("Bratu 9", lambda: bratu(9), np.zeros(9), [0], (-0.1, 4), 120, 125, folds=[3.49549329428], highest=4.0),
    Case("Bratu 19", lambda: bratu(19), np.zeros(19), [0], (-0.1, 4), 145, 160, folds=[3.50925695752], highest=4.0),
    Case("Blume-Capel", blume_capel, [0], [0.25, 0.2], (0.2, 0.7), 33, 33, 1, crossings=[0.447939867307014]),
    Case(
        "Blume-Capel, through the pitchfork", blume_capel, [0.95], [0.25, 0.2], (0.2, 0.7), 360, 415, 1,
        folds=[0.490265484857193] * 2, crossings=[0.447939867307014], kind=SpecialPointKind.BRANCH_POINT,
    ),
]  # fmt: skip


def check(case: Case, problem: FunctionProblem | Transformed, budget: int) -> None:
    counted = Counted(problem)
    x = np.asarray(case.x, dtype=float)
    start = problem.there(x) if isinstance(problem, Transformed) else x
    stops = []
    if case.highest is not None:

        def higher(_, point) -> bool:
            u = problem.back(point.y[:-1]) if isinstance(problem, Transformed) else point.y[:-1]
            return u[len(u) // 2] > case.highest

        stops = [Stop("high", higher)]
    _, _, special_points = branch(counted, start, case.parameters, case.bounds, case.active, stops=stops)
    spent = counted.count
    np.testing.assert_allclose(located(special_points, SpecialPointKind.FOLD), case.folds, rtol=1e-9)
    np.testing.assert_allclose(located(special_points, case.kind), case.crossings, rtol=1e-9)
    assert len(special_points) == len(case.folds) + len(case.crossings)
    if case.kernels:
        crossings = sorted((e for e in special_points if e.kind is case.kind), key=lambda e: e.parameter)
        assert [e.kernel.shape[1] for e in crossings] == list(case.kernels)
    for special in special_points:
        here = problem.evaluate(special.x, _parameters(case, special.parameter))
        assert np.max(np.abs(here.residual)) < 1e-10
        assert np.max(np.abs(here.jacobian @ special.kernel)) < 1e-4
    assert spent <= budget


def _parameters(case: Case, value: float) -> np.ndarray:
    parameters = np.array(case.parameters, dtype=float)
    parameters[case.active] = value
    return parameters


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_special_points_to_nine_digits(case):
    check(case, case.problem(), case.budget)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answers_do_not_move_with_the_variables(case, seed):
    check(case, Transformed.random(case.problem(), seed), case.transformed_budget)


@pytest.mark.parametrize("seed", range(3))
def test_the_answers_do_not_move_with_bent_variables(seed):
    check(CASES[2], Transformed.random(reaction(), seed, bend=0.25), 130)


def test_the_folds_of_the_reaction_meet_at_its_cusp():
    """At beta = 16 the folds are one point with D = e^-2, where the branch does not turn back."""
    for beta, count in ((16.01, 2), (15.99, 0)):
        _, _, special_points = branch(reaction(), [0, 0], [0, beta], (0, 0.3))
        folds = located(special_points, SpecialPointKind.FOLD)
        assert len(folds) == len(special_points) == count
        if count:
            np.testing.assert_allclose(folds, sorted(reaction_folds(beta)), rtol=1e-9)
            np.testing.assert_allclose(folds, np.exp(-2), rtol=3e-3)
