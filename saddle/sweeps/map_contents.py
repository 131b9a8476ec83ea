"""What a map over two parameters holds: phase diagrams on a grid, seen as a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.common.by_value import ByValue, shortened
from replica.common.checked_arguments import checked_number
from replica.common.errors import InvalidArgument
from replica.common.html_table import html_table
from replica.quantities.solvable_model import Model
from saddle.phase_diagram import PhaseDiagram
from saddle.sweeps.model_sweep import ModelSweep, SweptModel

__all__ = ["MapContents"]


@dataclass(frozen=True, eq=False, repr=False)
class MapContents(ByValue):
    """Phase diagrams on a grid of two parameters.

    Attributes
    ----------
    model
        The model; two of its parameters are replaced.
    over
        Their names.
    values
        Their values, increasing: (n,) of the first, and (k,) of the second.
    sweep
        The diagrams: those of all values of the second parameter at the first's first value, and so on.
    """

    model: Model
    over: tuple[str, str]
    values: tuple[np.ndarray, np.ndarray]
    sweep: ModelSweep

    def __post_init__(self) -> None:
        """Make arrays read-only."""
        for axis in self.values:
            axis.setflags(write=False)

    def __repr__(self) -> str:
        axes = [
            f"{name} = {axis[0]:.6g} to {axis[-1]:.6g} ({len(axis)})"
            for name, axis in zip(self.over, self.values, strict=True)
        ]
        heading = f"{type(self).__name__} over {', '.join(axes)}"
        found = f"; {self._found}" if self.transition_names else ""
        return f"<{heading}: {len(self.sweep.diagrams)} of {len(self.sweep)} models solved{found}>"

    def _repr_html_(self) -> str:
        rows = [
            ("model", shortened(repr(self.model))),
            *((name, f"{a[0]:.6g} to {a[-1]:.6g} ({len(a)})") for name, a in zip(self.over, self.values, strict=True)),
            ("found", f"{len(self.sweep.diagrams)} of {len(self.sweep)} models solved"),
            ("transitions", self._found),
            ("first failure", shortened(next(iter(self.sweep.failures.values()), ""))),
        ]
        return html_table(type(self).__name__, [(name, text) for name, text in rows if text])

    @property
    def _found(self) -> str:
        """Every transition, and in how many of the models that were solved it was found."""
        total = len(self.sweep.diagrams)
        return ", ".join(f"{name} in {count} of {total}" for name, count in self.transition_counts.items())

    @property
    def complete(self) -> bool:
        """Whether all diagrams are there, and complete."""
        return self.sweep.complete

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers n and k of values."""
        return len(self.values[0]), len(self.values[1])

    def at(self, first: int, second: int) -> SweptModel:
        """Return the model, with its diagram, at the places of both parameters' values."""
        return self.sweep[int(np.ravel_multi_index((first, second), self.shape))]

    def transition(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return alpha of a transition and its error, both (n, k); nan where there is none, or no diagram.

        Parameters
        ----------
        name
            As in :attr:`saddle.PhaseDiagram.transitions`, such as "alpha_c".
        """
        alpha, error = np.full(self.shape, np.nan), np.full(self.shape, np.nan)
        for place, one in enumerate(self.sweep):
            found = None if one.diagram is None else one.diagram.transitions.get(name)
            if found is not None and found.resolved:
                alpha.flat[place], error.flat[place] = found.alpha, found.error
        return alpha, error

    @property
    def transition_names(self) -> tuple[str, ...]:
        """Names of all transitions that some diagram has, those of most diagrams first."""
        return tuple(self.transition_counts)

    @property
    def transition_counts(self) -> dict[str, int]:
        """In how many of the diagrams every transition was found, those of most diagrams first."""
        counts: dict[str, int] = {}
        for diagram in self.sweep.diagrams:
            for name in diagram.transitions:
                counts[name] = counts.get(name, 0) + 1
        return {name: counts[name] for name in sorted(counts, key=lambda name: -counts[name])}

    def families(self, alpha: float) -> np.ndarray:
        """Return the family of the global minimum at one alpha, (n, k) of texts; "" where it is not known.

        Raises
        ------
        ValueError
            If alpha is no number in the range that was solved.
        """
        alpha = self.checked_alpha(alpha)
        found = np.full(self.shape, "", dtype="U16")
        for place, one in enumerate(self.sweep):
            found.flat[place] = _family_at(one.diagram, alpha)
        return found

    def checked_alpha(self, alpha: float) -> float:
        """Return an alpha in the range that was solved; raises InvalidArgument if it is none."""
        value = checked_number("alpha", alpha)
        grids = [diagram.alpha for diagram in self.sweep.diagrams]
        low, high = (float(grids[0][0]), float(grids[0][-1])) if grids else (value, value)
        if not low <= value <= high:
            raise InvalidArgument(f"alpha must lie in the range that was solved, {low!r} to {high!r}, got {value!r}")
        return value


def _family_at(diagram: PhaseDiagram | None, alpha: float) -> str:
    if diagram is None:
        return ""
    branch = next((phase.branch for phase in diagram.phases if phase.low <= alpha <= phase.high), None)
    return "" if branch is None else branch.split()[0]
