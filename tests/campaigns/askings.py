"""Ask random models in several ways, and count what the answers contradict each other in.

Run as ``python -m tests.campaigns.askings --models 200 --askings 5 --processes 2 --seed 1 --output askings.jsonl``.
A second call with the same file goes on where the first was stopped; with ``--summary`` it only counts. Diagrams lie
in a folder beside the file, so that those asked for before are compared with those that follow.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from saddle import PhaseDiagram
from saddle.testing import contradictions
from tests.campaigns.laws import broken_laws, not_survived
from tests.campaigns.random_models import random_model
from tests.campaigns.result_lines import append_line, read_lines
from tests.campaigns.ways_of_asking import random_asking

__all__ = ["ask_in_several_ways", "main", "summary"]

# Reports cost half a minute: of the first model of every so many.
REPORTED_EVERY = 50


class OutOfTime(Exception):
    """An asking took longer than allowed."""


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise OutOfTime(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _seen(diagram: PhaseDiagram) -> dict[str, Any]:
    """Return what a diagram says, for people who read the file."""
    return {
        "transitions": {name: [t.alpha, t.error, t.kind, t.resolved] for name, t in diagram.transitions.items()},
        "phases": [[phase.branch, phase.low, phase.high] for phase in diagram.phases],
        "reasons": dict(diagram.reasons),
    }


def _asked(seed: int, number: int, which: int, known: Sequence[float], folder: Path, limit: int) -> dict[str, Any]:
    """Ask one model once, keep the diagram, and return a line that says how it went."""
    stratum, model = random_model(seed, number)
    asking = random_asking(np.random.default_rng([seed, number, which]), which, known)
    line: dict[str, Any] = {"what": "asking", "model": number, "asking": which, "stratum": stratum}
    line |= {"values": model.to_dict(), "arguments": asking.to_dict()}
    begun = time.perf_counter()
    try:
        with _time_limit(limit):
            diagram = asking.solve(model)
    except Exception as failure:  # noqa: BLE001
        line |= {"failure": f"{type(failure).__name__}: {failure}", "traceback": traceback.format_exc()}
        return line | {"seconds": time.perf_counter() - begun}
    line["seconds"] = time.perf_counter() - begun
    try:
        with _time_limit(limit), tempfile.TemporaryDirectory() as scratch:
            line["broken laws"] = broken_laws(diagram, asking.tolerance)
            with_report = which == 0 and number % REPORTED_EVERY == 0
            line["not survived"] = not_survived(diagram, Path(scratch), with_report=with_report)
        diagram.save(_file_of(folder, number, which))
    except Exception as failure:  # noqa: BLE001
        line |= {"failure": f"judging: {type(failure).__name__}: {failure}", "traceback": traceback.format_exc()}
    return line | _seen(diagram) | {"seconds in all": time.perf_counter() - begun}


def _file_of(folder: Path, number: int, which: int) -> Path:
    return folder / f"{number}-{which}.nc"


def ask_in_several_ways(
    seed: int, number: int, askings: int, output: Path, limit: int, done: Sequence[dict[str, Any]] = ()
) -> int:
    """Ask about the model of one number, compare all answers, and return how many contradictions there are.

    Every answer is a line of the output, and one more says what contradicts what.

    Parameters
    ----------
    seed, number
        Of the model.
    askings
        How often it is asked for.
    output
        The file of lines.
    limit
        Seconds after which an asking is given up.
    done
        Lines of this model that were written before.
    """
    folder = _folder_of(output)
    folder.mkdir(exist_ok=True)
    lines = {line["asking"]: line for line in done if line["what"] == "asking"}
    for which in range(askings):
        whole = which in lines and ("failure" in lines[which] or _file_of(folder, number, which).exists())
        if not whole:
            known = [t[0] for t in lines.get(0, {}).get("transitions", {}).values()] if which else []
            lines[which] = _asked(seed, number, which, known, folder, limit)
            append_line(output, lines[which])
    diagrams = {k: PhaseDiagram.load(_file_of(folder, number, k)) for k in lines if "failure" not in lines[k]}
    found = []
    for first, second in itertools.combinations(sorted(diagrams), 2):
        try:
            with _time_limit(limit):
                texts = contradictions(diagrams[first], diagrams[second])
        except Exception as failure:  # noqa: BLE001
            texts = [f"comparison: {type(failure).__name__}: {failure}", *traceback.format_exc().splitlines()[-3:]]
        found += [[first, second, text] for text in texts]
    append_line(output, {"what": "comparison", "model": number, "stratum": lines[0]["stratum"], "found": found})
    return len(found)


def _folder_of(output: Path) -> Path:
    return output.with_suffix(".diagrams")


def summary(lines: Sequence[dict[str, Any]]) -> str:
    """Return how often what was found, as text."""
    askings = {(line["model"], line["asking"]): line for line in lines if line["what"] == "asking"}
    compared = {line["model"]: line for line in lines if line["what"] == "comparison"}
    rows = [f"{len(askings)} askings about {len({m for m, _ in askings})} models, {len(compared)} of them compared"]
    for stratum in sorted({line["stratum"] for line in askings.values()}):
        mine = [line for line in askings.values() if line["stratum"] == stratum]
        seconds = [line["seconds"] for line in mine]
        rows.append(
            f"{stratum}: {len(mine)} askings, {np.median(seconds):.1f} s in the median, {max(seconds):.0f} s at most, "
            f"{sum('failure' in line for line in mine)} failed"
        )
        rows += _counted("failures", [line["failure"].split(":")[0] for line in mine if "failure" in line])
        for law in ("broken laws", "not survived"):
            # A law broken at several points of one diagram counts once.
            texts = [{text.split(":")[0] for text in line.get(law, ())} for line in mine]
            rows += _counted(law, [kind for kinds in texts for kind in kinds])
        models = [line for line in compared.values() if line["stratum"] == stratum]
        # What both members of a pair say of each other counts once.
        pairs = [{(a, b, text.split(":")[0]) for a, b, text in line["found"]} for line in models]
        rows.append(f"  {sum(bool(p) for p in pairs)} of {len(models)} models with contradictions")
        rows += _counted("contradictions, pairs of askings", [kind for p in pairs for *_, kind in p])
    return "\n".join(rows)


def _counted(what: str, kinds: Sequence[str]) -> list[str]:
    counts = ", ".join(f"{kind} {count}" for kind, count in Counter(kinds).most_common())
    return [f"  {what}: {counts}"] if counts else []


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or go on with a campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--askings", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, default=600, help="seconds after which an asking is given up")
    parser.add_argument("--output", type=Path, default=Path("askings.jsonl"))
    parser.add_argument("--summary", action="store_true", help="count what the file holds, and ask nothing")
    chosen = parser.parse_args(arguments)
    lines = read_lines(chosen.output)
    if not chosen.summary:
        compared = {line["model"] for line in lines if line["what"] == "comparison"}
        left = [number for number in range(chosen.models) if number not in compared]
        # Threads of compiled code do not survive a fork.
        with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
            tasks = {
                pool.submit(
                    ask_in_several_ways,
                    chosen.seed,
                    number,
                    chosen.askings,
                    chosen.output,
                    chosen.limit,
                    [line for line in lines if line["model"] == number],
                ): number
                for number in left
            }
            for task in as_completed(tasks):
                sys.stderr.write(f"model {tasks[task]}: {task.result()} contradictions\n")
        lines = read_lines(chosen.output)
    sys.stdout.write(summary(lines) + "\n")
    for line in lines:
        if line["what"] == "comparison":
            for first, second, text in line["found"]:
                sys.stdout.write(f"model {line['model']}, askings {first} and {second}: {text}\n")


if __name__ == "__main__":
    main()
