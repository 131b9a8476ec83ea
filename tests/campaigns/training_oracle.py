"""Judge reported global minima by training at finite dimension, which shares nothing with the solver.

Run as ``python -m tests.campaigns.training_oracle --models 30 --processes 2 --seed 1 --output training.jsonl``. What
was trained is kept and never trained again; ``--again`` asks the solver anew, and ``--summary`` only prints the table.

For every model and alpha, L-BFGS descends from twelve starts on several data sets; the lowest loss of each counts.
Fluctuations between data sets are mostly those of the targets: the loss at Q = 0, whose mean is known exactly, is the
control variate that takes them out. What is left of the loss at dimension d differs from its limit by a term in 1/d,
which is not small where tokens are wide (30/d in one case) and is positive in every case measured. So it is measured
with every model: from dimensions d/2 and d, L(infinity) = 2 L(d) - L(d/2) up to order 1/d^2.

A descent that stops in a metastable minimum gives too large a loss, and broken replica symmetry raises the true minimum
(theory notes, section 9). So only a loss *below* -Phi of the reported global minimum, by more than three standard
errors and an allowance, says that a branch was missed. The allowance, relative to -Phi, is twice the square of the
measured 1/d term, for the next order, and half a per cent, for the regression's own bias.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from replica import AttentionModel
from tests.campaigns.random_models import random_model
from tests.campaigns.result_lines import append_line, read_lines
from tests.campaigns.two_token_training import Problem, draw_training_set, lowest_loss, mean_loss_at_zero

__all__ = ["Judgement", "judge", "main", "table"]

DIMENSION = 400
# Data sets at half the dimension and at the full one.
DATA_SETS = {DIMENSION // 2: 64, DIMENSION: 32}
ALPHAS = (0.2, 3.0)
ERRORS, ALLOWED = 3.0, 5e-3
# How the solver is asked: the range holds every alpha that is trained at.
ASKED = {"alpha": (0.01, 3.5), "points": 12, "tolerance": 5e-3, "threads": 1}


class Judgement(NamedTuple):
    """What training says of one reported minimum; all relative to -Phi.

    Attributes
    ----------
    excess
        Of the mean loss in the limit over -Phi.
    error
        Standard error of that.
    finite_size
        The measured term in 1/d, at the full dimension.
    allowance
        What is granted for higher orders.
    violated
        Whether the loss lies below by more than three standard errors and the allowance.
    """

    excess: float
    error: float
    finite_size: float
    allowance: float
    violated: bool


def problem_of(model: AttentionModel) -> Problem:
    """Return the numbers of a model, which are all that training takes from the library."""
    return Problem(
        model.omega,
        model.sigma,
        model.regularization,
        np.array(model.positional_matrix),
        np.array(model.positional_encoding),
    )


def alphas_of(seed: int, number: int) -> tuple[float, float]:
    """Return two values of alpha, log-uniform, that give whole numbers of samples at half the dimension."""
    generator = np.random.default_rng([seed, number, 1])
    low, high = np.sort(np.exp(generator.uniform(*np.log(ALPHAS), size=2)))
    grid = DIMENSION // 2
    return round(low * grid) / grid, (round(high * grid) + (round(low * grid) == round(high * grid))) / grid


def train(seed: int, number: int, which: int) -> dict[str, Any]:
    """Train one model at one of its alphas, and return a line of losses."""
    stratum, model = random_model(seed, number)
    problem, alpha = problem_of(model), alphas_of(seed, number)[which]
    begun, losses, zeros, won = time.perf_counter(), {}, {}, Counter()
    with threadpool_limits(1):
        for dimension, sets in DATA_SETS.items():
            runs = []
            for k in range(sets):
                generator = np.random.default_rng([seed, number, 2 + which, dimension, k])
                runs.append(lowest_loss(draw_training_set(problem, alpha, dimension, generator), generator))
            losses[str(dimension)] = [loss for loss, _, _ in runs]
            zeros[str(dimension)] = [found["zero"] for _, _, found in runs]
            won.update(name for _, name, _ in runs)
    line: dict[str, Any] = {"what": "training", "model": number, "which": which, "stratum": stratum, "alpha": alpha}
    line |= {"values": model.to_dict(), "losses": losses, "zeros": zeros, "lowest from": dict(won.most_common())}
    return line | {"seconds": time.perf_counter() - begun}


def ask_solver(seed: int, number: int) -> list[dict[str, Any]]:
    """Solve one model's diagram, and return lines of Phi of the reported global minimum at the model's alphas."""
    from saddle import solve_phase_diagram

    begun = time.perf_counter()
    diagram = solve_phase_diagram(random_model(seed, number)[1], **ASKED)
    lines = []
    for which, alpha in enumerate(alphas_of(seed, number)):
        name = next(phase.branch for phase in diagram.phases if phase.low <= alpha <= phase.high)
        line: dict[str, Any] = {"what": "theory", "model": number, "which": which, "branch": name}
        if name is not None:
            try:
                point = diagram.branches[name].at(alpha)
                line |= {"phi": point.free_entropy, "error": point.error["free_entropy"]}
            except ValueError as failure:
                line["failure"] = str(failure)
        lines.append(line | {"seconds": time.perf_counter() - begun})
    return lines


def limit_of(line: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the loss in the limit of large d, its standard error, and the term in 1/d at the full dimension."""
    problem = problem_of(AttentionModel(**line["values"]))
    means, errors = [], []
    for dimension in DATA_SETS:
        losses, zeros = (np.array(line[name][str(dimension)]) for name in ("losses", "zeros"))
        covariance = np.cov(losses, zeros)
        rest = losses - covariance[0, 1] / covariance[1, 1] * (
            zeros - mean_loss_at_zero(problem, line["alpha"], dimension)
        )
        means.append(rest.mean())
        # One degree of freedom went into the mean, one into the coefficient.
        errors.append(np.sqrt(np.sum((rest - rest.mean()) ** 2) / (len(rest) - 2) / len(rest)))
    half, full = means
    return 2.0 * full - half, float(np.hypot(2.0 * errors[1], errors[0])), half - full


def judge(line: Mapping[str, Any], phi: float, error: float = 0.0) -> Judgement:
    """Compare a line of losses with the reported Phi and its error."""
    limit, spread, finite_size = (value / -phi for value in limit_of(line))
    error_in_all = float(np.hypot(spread, error / -phi))
    allowance = ALLOWED + 2.0 * finite_size**2
    excess = limit - 1.0
    return Judgement(excess, error_in_all, finite_size, allowance, excess < -ERRORS * error_in_all - allowance)


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Return what was found of every model and alpha, as text; violations are marked."""
    trained = {(x["model"], x["which"]): x for x in lines if x["what"] == "training"}
    theory = {(x["model"], x["which"]): x for x in lines if x["what"] == "theory"}
    rows = [f"{'model':>5} {'stratum':10} {'alpha':>6}  {'branch':24} {'-Phi':>11} {'excess':>8} {'error':>7} "
            f"{'1/d term':>8}  verdict"]  # fmt: skip
    counts: Counter[str] = Counter()
    for key in sorted(trained.keys() & theory.keys()):
        line, solved = trained[key], theory[key]
        start = f"{key[0]:>5} {line['stratum']:10} {line['alpha']:6.3f}  {solved['branch'] or 'none known':24}"
        if "phi" not in solved:
            verdict = solved.get("failure", "no minimum reported")
            counts["no minimum reported"] += 1
            rows.append(f"{start} {'':>11} {'':>8} {'':>7} {'':>8}  {verdict}")
            continue
        found = judge(line, solved["phi"], solved["error"])
        verdict = "within"
        if found.violated:
            verdict = "BELOW: a branch is missing"
        elif found.excess > ERRORS * found.error + found.allowance:
            verdict = "above"  # metastable, or broken replica symmetry
        counts[verdict] += 1
        rows.append(
            f"{start} {-solved['phi']:11.6f} {found.excess:8.4f} {found.error:7.4f} {found.finite_size:8.4f}  {verdict}"
        )
    seconds = [sum(x["seconds"] for x in table.values()) for table in (trained, theory)]
    rows.append(", ".join(f"{name}: {count}" for name, count in counts.most_common()))
    rows.append(f"{len(trained)} trainings in {seconds[0]:.0f} s, of one process each")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or go on with the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("training.jsonl"))
    parser.add_argument("--again", action="store_true", help="ask the solver again")
    parser.add_argument("--summary", action="store_true", help="print the table, and compute nothing")
    chosen = parser.parse_args(arguments)
    lines = read_lines(chosen.output)
    if not chosen.summary:
        trained = {(line["model"], line["which"]) for line in lines if line["what"] == "training"}
        solved = set() if chosen.again else {line["model"] for line in lines if line["what"] == "theory"}
        with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
            tasks: dict[Future[Any], str] = {
                pool.submit(train, chosen.seed, number, which): f"model {number} trained at alpha {which + 1}"
                for number in range(chosen.models)
                for which in (0, 1)
                if (number, which) not in trained
            }
            tasks |= {
                pool.submit(ask_solver, chosen.seed, number): f"model {number} solved"
                for number in range(chosen.models)
                if number not in solved
            }
            for task in as_completed(tasks):
                try:
                    result = task.result()
                except Exception as failure:  # noqa: BLE001
                    sys.stderr.write(f"{tasks[task]}: {type(failure).__name__}: {failure}\n")
                    continue
                for line in result if isinstance(result, list) else [result]:
                    append_line(chosen.output, line)
                sys.stderr.write(f"{tasks[task]}\n")
        lines = read_lines(chosen.output)
    sys.stdout.write(table(lines) + "\n")


if __name__ == "__main__":
    main()
