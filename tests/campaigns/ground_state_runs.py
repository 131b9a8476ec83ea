r"""Ground states of data sets of several sizes, for the table of docs/broken_symmetry.md.

Run by hand: ``python -m tests.campaigns.ground_state_runs runs.jsonl`` trains what is missing in the file, small sizes
and first seeds first, and can be stopped at any time; ``--most 1000`` leaves out larger sizes.
``python -m tests.campaigns.ground_state_summary runs.jsonl`` makes the page's tables of it.

Every line is of one data set: where L-BFGS stops, where moves of single samples lead from there, where 5000 steps of
gradient descent and the minimum below them lie, and the control variates; or of one point and size: the mean of the
control variates over fresh samples; or of one point: theory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from baselines import linear_positional
from replica import AttentionModel
from saddle import solve_broken_symmetry, solve_complexity
from tests.campaigns.result_lines import append_line, read_lines
from validation import INTO_THE_GROUND_STATE, Training, TrainingLoss, draw_teacher_data, ground_state, train_student
from validation.simulation.gradient_descent import TrainingRun
from validation.simulation.teacher import TeacherData, fresh_batches
from validation.simulation.wells.sample_losses import SampleLosses

__all__ = ["CONTROLS", "POINTS", "Point", "controls"]

# Data sets of each size, and of these how many are trained by gradient descent, too.
# Limits gain most from d = 1000: a data set of 2000 takes ten times as long.
SIZES = {250: (96, 0), 500: (64, 24), 1000: (48, 12), 2000: (6, 0)}
# Of the first of these two moves in a row are tried, too.
CHAINS = {500: 16, 1000: 8}
TEST_SAMPLES = 40_000
# Fresh samples of a teacher: as many numbers at every size, but no more than so many samples.
TEACHERS, FRESH, NUMBERS = 40, 25_000, 16_000_000
NAMES = {"q": "self_overlap_1", "m": "positional_overlap", "theta": "semantic_overlap", "response": "susceptibility"}
CONTROLS = ("loss", "pull on m", "pull on theta", "squared gradient", "curvature", "linear model")


@dataclass(frozen=True)
class Point:
    """Where theory and experiment are compared.

    Attributes
    ----------
    omega, alpha, family
        Of the paper's model, and the solution.
    start
        Of training.
    student
        m and theta of the fixed student at which control variates are taken: near theory's.
    """

    omega: float
    alpha: float
    family: str
    start: str
    student: tuple[float, float]

    @property
    def name(self) -> str:
        """What results and tables call it."""
        return f"omega = {self.omega:g}, {self.family}, alpha = {self.alpha:g}"

    @property
    def model(self) -> AttentionModel:
        """The model."""
        return AttentionModel.paper(omega=self.omega)


POINTS = (
    Point(0.3, 1.5, "positional", "positional-informed", (0.2547, 0.0)),
    Point(0.2, 1.5, "positional", "positional-informed", (0.22, 0.0)),
    Point(0.3, 0.9, "semantic", "semantic", (0.0, 0.09)),
)


def controls(point: Point, data: TeacherData) -> list[float]:
    """Return averages over the samples at a fixed student, whose means over data sets are known from fresh samples.

    What the minimum of these samples has too much or too little of, they have in proportion: all are sums of
    independent terms.
    """
    model, d = data.model, data.dimension
    m, theta = point.student
    student = m * np.ones(d) + theta / model.token_variance * data.teacher
    loss = TrainingLoss.of(data)
    losses = SampleLosses.of(loss)
    z = loss.preactivations(student).T
    g = losses.gradient(z)
    fields = np.einsum("lnd,d->nl", data.tokens, data.teacher) / np.sqrt(d)
    apart = data.targets - linear_positional(model).matrix[:, :, None]
    linear = np.einsum("ijn,jkn,ikn->n", apart, loss.token_products, apart) / (2 * d)
    return [
        float(loss.squared_errors(student).mean() / (2 * d)),
        float((g @ np.array(model.positional_encoding, dtype=float)).mean()),
        float(np.sum(g * fields, axis=1).mean()),
        float(np.sum(g**2, axis=1).mean()),
        float(np.einsum("nii->n", losses.hessian(z)).mean()),
        float(linear.mean()),
    ]


def mean_controls(point: Point, dimension: int) -> dict[str, Any]:
    """Return the means of the control variates over fresh samples of several teachers, and their standard errors."""
    found = []
    for teacher in range(TEACHERS):
        generator = np.random.default_rng([7, dimension, teacher])
        data = draw_teacher_data(point.model, dimension, 0.05, generator, spherical_teacher=True)
        fresh = fresh_batches(data, min(FRESH, NUMBERS // dimension), generator)
        batches = [(batch.samples, controls(point, batch)) for batch in fresh]
        found.append(np.average([c for _, c in batches], axis=0, weights=[n for n, _ in batches]))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(TEACHERS)
    return {"what": "means", "means": np.mean(found, axis=0).tolist(), "errors": error.tolist()}


def trained(point: Point, dimension: int, seed: int, by_descent: bool) -> dict[str, Any]:
    """Return what became of one data set."""
    data, tested = _drawn(point, dimension, seed)

    def train(start: Any, training: Training) -> TrainingRun:
        told = replace(training, test_samples=TEST_SAMPLES)
        return train_student(data, start, generator=np.random.default_rng(tested), training=told)

    training = replace(INTO_THE_GROUND_STATE, test_samples=TEST_SAMPLES)
    found = ground_state(data, point.start, generator=np.random.default_rng(tested), training=training)
    line = {
        "what": "training",
        "metastable": _row(found.metastable, point),
        "lowest": _row(found.lowest, point),
        "response": [float(found.susceptibilities[0]), float(found.susceptibilities[-1])],
        "wrong": [int(found.wrong_wells[0]), int(found.wrong_wells[-1])],
        "accepted": found.accepted,
        "tried": found.tried,
        "mutual_overlap": found.mutual_overlap,
        "complete": found.complete,
        "controls": controls(point, data),
    }
    if by_descent:
        stopped = train(point.start, Training())
        line["descent"] = _row(stopped, point)
        line["below_descent"] = _row(train(stopped.student, Training(method="l-bfgs")), point)
    return line


def chained(point: Point, dimension: int, seed: int) -> dict[str, Any]:
    """Return the minimum from which two moves in a row lead no lower either."""
    data, tested = _drawn(point, dimension, seed)
    training = replace(INTO_THE_GROUND_STATE, moves=2, test_samples=TEST_SAMPLES)
    found = ground_state(data, point.start, generator=np.random.default_rng(tested), training=training)
    line = {"lowest": _row(found.lowest, point), "accepted": found.accepted, "tried": found.tried}
    return {"what": "chain", **line, "response": float(found.susceptibilities[-1])}


def _drawn(point: Point, dimension: int, seed: int) -> tuple[TeacherData, np.random.SeedSequence]:
    """Return a data set, and what seeds its fresh samples."""
    drawn, tested = np.random.SeedSequence([seed, dimension]).spawn(2)
    generator = np.random.default_rng(drawn)
    return draw_teacher_data(point.model, dimension, point.alpha, generator, spherical_teacher=True), tested


def _row(run: TrainingRun, point: Point) -> dict[str, float]:
    """Return what is compared; Q and -Q are one solution, whose own overlap is made positive."""
    overlaps = run.positional_overlap, run.semantic_overlap
    sign = float(np.sign(overlaps[0 if point.family == "positional" else 1]))
    return {
        "q": run.self_overlap,
        "m": sign * overlaps[0],
        "theta": sign * overlaps[1],
        "loss": run.train_loss,
        "test_error": run.test_error,
        "gradient": run.gradient_norm,
    }


def theory(point: Point) -> dict[str, Any]:
    """Return replica symmetry, one step with its errors, and energies and numbers of metastable minima."""
    one = solve_broken_symmetry(point.model, point.family, point.alpha, progress=False)
    curve = solve_complexity(point.model, point.family, point.alpha, progress=False)
    before = one.symmetric
    return {
        "what": "theory",
        "symmetric": _values(dict(zip(("q", "m", "response", "theta"), before.state, strict=True)), before),
        "one_step": _values({name: one.order_parameters[key] for name, key in NAMES.items()}, one),
        "errors": {
            **{name: float(one.error[key]) for name, key in NAMES.items()},
            "loss": one.error["free_entropy"],
            "test_error": one.error["test_error"],
        },
        "parisi": np.asarray(curve.parisi_parameters).tolist(),
        "energy": np.asarray(curve.energy).tolist(),
        "complexity": np.asarray(curve.complexity).tolist(),
    }


def _values(overlaps: Mapping[str, float], solution: Any) -> dict[str, float]:
    values = {name: float(abs(value)) for name, value in overlaps.items()}
    return {**values, "loss": -float(solution.free_entropy), "test_error": float(solution.test_error)}


def _wanted(most: int) -> Iterator[tuple[int, int, int]]:
    """Yield size, seed and point in the order of the work: whenever it is stopped, all points have as much."""
    for size, (count, _) in SIZES.items():
        if size <= most:
            for seed in range(count):
                for place in range(len(POINTS)):
                    yield size, seed, place


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--most", type=int, default=max(SIZES), help="largest size")
    chosen = parser.parse_args(arguments)
    lines = read_lines(chosen.output)
    done = {(x["what"], x["point"], x.get("dimension"), x.get("seed")) for x in lines}

    def keep(make: Callable[[], dict[str, Any]], **key: Any) -> None:
        began = time.process_time()
        append_line(chosen.output, {**make(), **key, "seconds": time.process_time() - began})

    for point in POINTS:
        if ("theory", point.name, None, None) not in done:
            keep(partial(theory, point), point=point.name)
    for size, seed, place in _wanted(chosen.most):
        point = POINTS[place]
        if ("means", point.name, size, None) not in done:
            keep(partial(mean_controls, point, size), point=point.name, dimension=size)
            done.add(("means", point.name, size, None))
        if ("training", point.name, size, seed) not in done:
            keep(partial(_trained_or_not, point, size, seed), point=point.name, dimension=size, seed=seed)
            sys.stderr.write(f"{point.name}, d = {size}, seed {seed}\n")
    for size in (x for x in CHAINS if x <= chosen.most):
        for seed in range(CHAINS[size]):
            for point in POINTS:
                if ("chain", point.name, size, seed) not in done:
                    keep(partial(chained, point, size, seed), point=point.name, dimension=size, seed=seed)


def _trained_or_not(point: Point, size: int, seed: int) -> dict[str, Any]:
    """Return what became of one data set, or why nothing did."""
    try:
        return trained(point, size, seed, seed < SIZES[size][1])
    except ValueError as failure:
        return {"what": "training", "failure": str(failure)}


if __name__ == "__main__":
    main()
