"""Laws that one diagram obeys by itself, and what it must survive."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from saddle import Branch, PhaseDiagram
from tests.campaigns.agreement import STATED, contradictions, phase_changes

__all__ = ["broken_laws", "not_survived", "slope_mismatch"]

# Of alpha: half the width of differences in alpha.
HALF_WIDTH = 5e-3
# Between the two routes to the training loss, relatively.
ROUTES = 1e-6


def broken_laws(diagram: PhaseDiagram, tolerance: float) -> list[str]:
    """Return in words which laws a diagram breaks; the first word, up to the colon, is the law.

    Parameters
    ----------
    diagram
        What was solved.
    tolerance
        That it was asked for: slopes of Phi may be off by three times that, as its averages are about that good.
    """
    return [
        *_unknown_phases(diagram),
        *_unexplained_changes(diagram),
        *_silent(diagram),
        *_other_loss(diagram),
        *_slopes(diagram, tolerance),
    ]


def _unknown_phases(diagram: PhaseDiagram) -> Iterator[str]:
    for phase in diagram.phases:
        if phase.branch is None:
            yield f"no minimum: none is known from alpha = {phase.low:.7g} to {phase.high:.7g}"


def _unexplained_changes(diagram: PhaseDiagram) -> Iterator[str]:
    for change, (below, above) in zip(phase_changes(diagram), _neighbours(diagram), strict=True):
        if not change.explained:
            yield f"unexplained: from {below!r} to {above!r} near alpha = {change.alpha:.7g} without a transition"


def _neighbours(diagram: PhaseDiagram) -> list[tuple[str | None, str | None]]:
    names = [phase.branch for phase in diagram.phases]
    return list(pairwise(names))


def _silent(diagram: PhaseDiagram) -> Iterator[str]:
    for name in ("alpha_c", "alpha_l"):
        if getattr(diagram, name) is None and not diagram.reasons.get(name):
            yield f"reasons: no {name}, and no word why"


def _other_loss(diagram: PhaseDiagram) -> Iterator[str]:
    for name, branch in diagram.branches.items():
        gap = np.abs(branch.train_loss + branch.free_entropy)[branch.distinct]
        bound = ROUTES * np.abs(branch.free_entropy)[branch.distinct]
        if np.any(~(gap <= bound)):
            yield f"loss: the two routes to the training loss of {name!r} differ by up to {np.max(gap):.1e}"


def _slopes(diagram: PhaseDiagram, tolerance: float) -> Iterator[str]:
    for name, branch in diagram.branches.items():
        for k in np.flatnonzero(branch.distinct[:-1] & branch.distinct[1:]):
            middle = 0.5 * float(branch.alpha[k] + branch.alpha[k + 1])
            half = min(HALF_WIDTH * middle, 0.25 * float(branch.alpha[k + 1] - branch.alpha[k]))
            try:
                mismatch = slope_mismatch(branch, middle, half)
            except ValueError as failure:
                yield f"between: {name!r} has no solution at alpha = {middle:.7g}, between two of its points: {failure}"
                continue
            if not abs(mismatch) <= STATED * tolerance:
                yield f"slope: dPhi/dalpha of {name!r} at {middle:.7g} is not -E[M], by {mismatch:.1e} of it"


def slope_mismatch(branch: Branch, alpha: float, half: float) -> float:
    """Return by what part dPhi/dalpha differs from -E[M], over an interval around an alpha.

    Raises
    ------
    ValueError
        If the branch has no solution at its ends.
    """
    low, high = branch.at(alpha - half), branch.at(alpha + half)
    slope = (high.free_entropy - low.free_entropy) / (2.0 * half)
    envelope = 0.5 * (low.evaluation.averages.envelope + high.evaluation.averages.envelope)
    return slope / envelope + 1.0


def not_survived(diagram: PhaseDiagram, folder: Path, *, with_report: bool = False) -> list[str]:
    """Return in words what a diagram does not survive of copies, plot, save, load, repr and, if asked for, report.

    A campaign goes on whatever one diagram does, so every exception is caught here.
    """
    found = []

    def attempt(what: str, action) -> None:
        try:
            action()
        except Exception as failure:  # noqa: BLE001
            found.append(f"{what}: {type(failure).__name__}: {failure}")

    def plot() -> None:
        from matplotlib import pyplot

        pyplot.close(diagram.plot())

    def save_and_load() -> None:
        path = folder / "diagram.nc"
        diagram.save(path)
        loaded = PhaseDiagram.load(path)
        assert loaded.transitions == diagram.transitions, "loaded transitions are others"
        assert loaded.phases == diagram.phases, "loaded phases are others"
        assert loaded == diagram, "the loaded diagram is another"
        others = contradictions(diagram, loaded)
        assert not others, f"the loaded diagram contradicts: {others[0]}"

    def copies() -> None:
        for again in (pickle.loads(pickle.dumps(diagram)), copy.deepcopy(diagram)):
            assert again == diagram, "a copy is another diagram"
            assert hash(again) == hash(diagram), "a copy has another hash"
            assert not again.alpha.flags.writeable, "a copy can be written to"

    attempt("copy", copies)
    attempt("plot", plot)
    attempt("save and load", save_and_load)
    attempt("repr", lambda: repr(diagram))
    if with_report:
        attempt("report", lambda: diagram.report(folder / "report", formats=("markdown",)))
    assert all(math.isfinite(value) for value in diagram.alpha)
    return found
