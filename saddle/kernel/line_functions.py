"""A model's functions and the shared numerics as one: averages along lines, and minima, of one kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from saddle.kernel.model_tuples import Functions, Sizes

__all__ = ["PARAMETER_SLOPES", "REPLICON", "STATE_AVERAGES", "LineFunctions"]

STATE_AVERAGES, PARAMETER_SLOPES, REPLICON = 0, 1, 2
"""What is averaged along lines: the integrands of the residual with their derivatives in the state, derivatives in the
model's parameters, or what the replicon eigenvalue needs."""

INTEGRANDS = {
    STATE_AVERAGES: ("node_averages", "jump_terms"),
    PARAMETER_SLOPES: ("node_parameter_averages", "jump_parameter_terms"),
    REPLICON: ("node_replicon", "jump_replicon_terms"),
}
SIZES = (
    "N_TARGETS",
    "FIRST_TARGET",
    "N_CONSTANTS",
    "ROW_T",
    "ROW_OUT",
    "WORK_SIZE",
    "N_PARAMETERS",
    "N_STATE",
    "N_ODD",
    "RANK",
    "N_SELF_OVERLAPS",
)
"""What numerics are told of a model, by the names of its module, in their own order."""


@dataclass(frozen=True)
class LineFunctions:
    """Calls the numerics with a model's functions, each compiled when first needed.

    Attributes
    ----------
    module
        A kernel's own module: what SymPy derived.
    numerics
        The module that all kernels share.
    """

    module: ModuleType
    numerics: ModuleType

    @functools.cached_property
    def _sizes(self) -> Any:
        module = self.module
        groups = np.array(module.GROUPS, dtype=np.int64)
        return Sizes._make([*(getattr(module, name) for name in SIZES), groups])

    def _model(self, *names: str) -> tuple[Any, Any]:
        """Return what numerics take for a model: sizes, and the addresses of the functions named; zero for others."""
        addresses = [getattr(self.module, name).address if name else 0 for name in names]
        return self._sizes, Functions(*addresses, *[0] * (len(Functions._fields) - len(names)))

    @functools.cached_property
    def _minimisation(self) -> tuple[Any, Any]:
        return self._model("newton_sweeps")

    @functools.cached_property
    def _averages(self) -> dict[int, tuple[Any, Any]]:
        return {}

    def average_lines(
        self,
        lines: range,
        outer: np.ndarray,
        state: np.ndarray,
        parameters: np.ndarray,
        rule: tuple[np.ndarray, ...],
        mode: int,
        rows: np.ndarray,
    ) -> None:
        """Average along lines of the outer rule; see ``saddle/kernel/numerics/average.py``."""
        if mode not in self._averages:
            shared = "newton_sweeps", "fill_constants", "local_fields", "along_line"
            self._averages[mode] = self._model(*shared, *INTEGRANDS[mode])
        model, place = self._averages[mode], (lines.start, lines.stop)
        room = self.numerics.room_for(self._sizes, len(rule[0]))
        given = outer, state, parameters
        self.numerics.average_lines(
            model, place, *map(_read_only, given), tuple(map(_read_only, rule)), room, mode, rows
        )

    def proximal_points(
        self,
        lines: range,
        fields: np.ndarray,
        targets: np.ndarray,
        guesses: np.ndarray,
        state: np.ndarray,
        parameters: np.ndarray,
        out: np.ndarray,
    ) -> None:
        """Minimise from a start each; see ``saddle/kernel/numerics/minima.py``."""
        self._minimise(self.numerics.proximal_points, lines, fields, targets, guesses, state, parameters, out)

    def global_minima(
        self,
        lines: range,
        fields: np.ndarray,
        targets: np.ndarray,
        starts: np.ndarray,
        state: np.ndarray,
        parameters: np.ndarray,
        out: np.ndarray,
    ) -> None:
        """Find the lowest minima by multi-start; see ``saddle/kernel/numerics/minima.py``."""
        self._minimise(self.numerics.global_minima, lines, fields, targets, starts, state, parameters, out)

    def _minimise(self, function: Callable[..., None], lines: range, *arguments: np.ndarray) -> None:
        *given, out = arguments
        work = np.zeros(self.module.WORK_SIZE + self.module.N_FIELDS)
        function(self._minimisation, (lines.start, lines.stop), *map(_read_only, given), work, out)


def _read_only(array: np.ndarray) -> np.ndarray:
    """Return an array that is not to be written to: one type of argument, for which code is compiled once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
