"""A comparison in words and as a table: what agrees, what does not, and what is known of the reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.aligned_text import aligned
from replica.quantities.overlap_invariants import single_overlaps
from validation.comparison.contents import AGREEMENT, ComparisonContents
from validation.comparison.theory_points import TheoryPoint, start_family, start_overlaps
from validation.simulation.compared import (
    VANISHING,
    compared_names,
    own_overlaps,
    quantity_label,
    signless_overlaps,
)

__all__ = ["Disagreement", "disagreements", "table", "verdict"]

# That replica symmetry is broken where proximal points jump is no reason by itself: what is known is that descent then
# stops with single samples in the wrong well of their Moreau objective.
METASTABLE = "the proximal point jumps there, and minima that descent finds may be metastable"
# After moves between wells that is no reason any more.
BROKEN = "the proximal point jumps there, so that replica symmetry is broken: solve_broken_symmetry says by how much"


@dataclass(frozen=True)
class Disagreement:
    """One quantity that lies further from theory than chance would have it.

    Attributes
    ----------
    start, alpha, quantity
        Which.
    measured, standard_error, theory
        The mean over the seeds (extrapolated, if there are several sizes), its error, and the prediction.
    significance
        Distance as a normal deviate.
    reason
        What is known of the solution that might explain it; "" if nothing is.
    """

    start: str
    alpha: float
    quantity: str
    measured: float
    standard_error: float
    theory: float
    significance: float
    reason: str

    def __str__(self) -> str:
        share = f", {(self.measured / self.theory - 1):+.1%}" if abs(self.theory) > VANISHING else ""
        because = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.start} start, alpha = {self.alpha:g}: {quantity_label(self.quantity)} is {self.measured:.5g} +- "
            f"{self.standard_error:.1g}, theory {self.theory:.5g}{share}, "
            f"{abs(self.significance):.1f} standard errors{because}"
        )


def disagreements(comparison: ComparisonContents) -> list[Disagreement]:
    """Return every quantity more than three standard errors from theory where the start's branch exists."""
    return [item for item in _compared(comparison) if abs(item.significance) > AGREEMENT]


def _compared(comparison: ComparisonContents, *, existing: bool = True) -> list[Disagreement]:
    """Return all that is held against theory where the start's branch exists, or where it does not."""
    judged = comparison.judged
    found = []
    for (start, alpha), point in comparison.points.items():
        if point.exists is not existing or not point.values:
            continue
        here = judged.sel(start=start, alpha=alpha)
        for name in compared_names(comparison.layout):
            row = here.sel(quantity=name)
            numbers = [float(row[key]) for key in ("mean", "standard_error", "theory", "significance")]
            if np.isfinite(numbers).all():
                mean, error, theory, distance = numbers
                found.append(
                    Disagreement(start, alpha, name, mean, error, theory, distance, _reason(comparison, point))
                )
    return found


def _reason(comparison: ComparisonContents, point: TheoryPoint) -> str:
    """Say what is known that may keep runs away from a solution of theory."""
    known = []
    if not point.stable:
        known.append("the solution is unstable")
    if not point.replica_stable:
        known.append(_broken(comparison))
    if comparison.extrapolated is None:
        known.append("not extrapolated in 1/d")
    return ", ".join(known)


def _broken(comparison: ComparisonContents) -> str:
    """Say what broken replica symmetry means for minima that were found in this way."""
    return BROKEN if comparison.training.moves else METASTABLE


def verdict(comparison: ComparisonContents) -> str:
    """Say in words where theory and simulation agree, where they do not, and what is known of the reason."""
    runs = comparison.runs
    sizes = ", ".join(str(d) for d in runs["dimension"].values)
    how = "extrapolated in 1/d" if comparison.extrapolated is not None else "not extrapolated"
    lines = [f"{runs.sizes['seed']} seeds, d = {sizes}, {how}."]
    if not comparison.complete:
        lines.append("The comparison was interrupted: it is partial.")
    failed = int(np.sum(~np.isin(runs["outcome"].values, ("finished", "missing"))))
    if failed:
        lines.append(f"{failed} runs diverged and are left out.")
    for start in map(str, runs["start"].values):
        lines += _on_start(comparison, start)
    lines += _on_magnitudes(comparison)
    return "\n".join(lines)


def _on_start(comparison: ComparisonContents, start: str) -> list[str]:
    """Return what is to be said of one start."""
    points = {alpha: point for (name, alpha), point in comparison.points.items() if name == start}
    compared = [item for item in _compared(comparison) if item.start == start]
    lines = []
    if compared:
        apart = [item for item in compared if abs(item.significance) > AGREEMENT]
        where = _listed([alpha for alpha, point in points.items() if point.exists])
        branches = ", ".join(dict.fromkeys(point.branch for point in points.values() if point.exists))
        worst = max(compared, key=lambda item: abs(item.significance))
        lines.append(
            f"{start} start against the {branches} branch, alpha = {where}: {len(compared) - len(apart)} of "
            f"{len(compared)} quantities within {AGREEMENT:g} standard errors "
            f"(largest: {quantity_label(worst.quantity)} at alpha = {worst.alpha:g}, {worst.significance:+.1f})."
        )
        lines += [f"  disagrees: {item}" for item in apart]
    lines += [_without_branch(comparison, start, point) for point in points.values() if not point.exists]
    return lines


def _without_branch(comparison: ComparisonContents, start: str, point: TheoryPoint) -> str:
    """Say what runs do where the start's family has no solution of its own."""
    here = comparison.judged.sel(start=start, alpha=point.alpha)
    kept = []
    layout = comparison.layout
    for name in start_overlaps(layout, start) or own_overlaps(layout, "self_overlap"):
        # Signs are meaningful here: a run keeps that of its start.
        values = comparison.statistics.isel(dimension=-1).sel(start=start, alpha=point.alpha, quantity=name)
        kept.append(f"{quantity_label(name)} = {float(values['mean']):.4g} +- {float(values['standard_error']):.1g}")
    loss = here.sel(quantity="train_loss")
    text = f"{start} start, alpha = {point.alpha:g}: theory has no {start_family(layout, start)} solution here"
    if not point.values:
        return f"{text}, and none that it could merge with is known; runs keep {', '.join(kept)}."
    return (
        f"{text} (it has merged with the {point.branch} one, where the overlap is 0); runs keep {', '.join(kept)}, "
        f"with a training loss of {float(loss['mean']):.5g} +- {float(loss['standard_error']):.1g} against "
        f"{float(loss['theory']):.5g}{'' if point.replica_stable else '; ' + _broken(comparison)}."
    )


def _on_magnitudes(comparison: ComparisonContents) -> list[str]:
    """Say what magnitudes of overlaps amount to where theory says that the overlap vanishes."""
    largest = comparison.statistics.isel(dimension=-1)
    exists = np.array(
        [
            [comparison.points[str(start), float(alpha)].exists for alpha in largest["alpha"].values]
            for start in largest["start"].values
        ]
    )
    lines = []
    single = single_overlaps(comparison.layout)
    for name in (*single, *signless_overlaps(comparison.layout)):
        rows = largest.sel(quantity=name)
        zero = exists & (np.abs(rows["theory"].values) < VANISHING) & np.isfinite(rows["mean"].values)
        if zero.any():
            mean = float(rows["magnitude"].values[zero].mean())
            chance = float(rows["magnitude_by_chance"].values[zero].mean())
            how = "enter with their signs: magnitudes, as published," if name in single else "have no sign: magnitudes"
            lines.append(
                f"Where theory says {quantity_label(name)} = 0, runs {how} "
                f"average {mean:.2g} at d = {int(largest['dimension'])}, of which fluctuations about zero explain "
                f"{chance:.2g}."
            )
    return lines


def _listed(alphas: list[float]) -> str:
    return ", ".join(f"{alpha:g}" for alpha in alphas)


def table(comparison: ComparisonContents) -> str:
    """Return means, standard errors, theory and deviations as text, a line per start, size, alpha and quantity."""
    columns = ("mean", "standard_error", "theory", "deviation", "significance")
    heading = ("start", "d", "alpha", "quantity", "mean", "standard error", "theory", "deviation", "significance")
    rows: list[tuple[str, ...]] = [heading]
    parts = [(str(int(d)), comparison.statistics.sel(dimension=d)) for d in comparison.statistics["dimension"].values]
    if comparison.extrapolated is not None:
        parts.append(("infinity", comparison.extrapolated))
    for start in map(str, comparison.runs["start"].values):
        for size, part in parts:
            for alpha in map(float, part["alpha"].values):
                exists = comparison.points[start, alpha].exists
                for name in compared_names(comparison.layout):
                    here = part.sel(start=start, alpha=alpha, quantity=name)
                    numbers = [float(here[column]) for column in columns]
                    cells = [f"{number:.6g}" for number in numbers[:3]] + [f"{number:+.2f}" for number in numbers[3:]]
                    rows.append((start, size, f"{alpha:g}" + ("" if exists else " *"), quantity_label(name), *cells))
    note = [] if all(point.exists for point in comparison.points.values()) else ["* theory has no such solution here"]
    return "\n".join([*aligned(rows, right_from=0), *note])
