"""Loops over lanes: the text that evaluates printed functions at many nodes at once.

A *lane* is one node of the Gaussian integral (or one start of a minimisation). Quantities of all lanes stand in one
flat array ``work``, a quantity's row of LANES numbers after the other, so that a compiler sees with a single base
and constant distances that no two rows overlap, and evaluates several lanes with each instruction.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replica.quantities.names import ORDER_PARAMETERS
from saddle.kernel.workspace import FIELD_ROWS, LANES, SCALAR_ROWS

if TYPE_CHECKING:
    from replica.code.source import PrintedFunction
    from replica.equations.free_entropy import FreeEntropy

__all__ = ["LaneLayout", "lane_function", "newton_sweep"]

NEWTON_SWEEPS = 100

PAPER_STATE = tuple(quantity.letter for quantity in ORDER_PARAMETERS)


@dataclass(frozen=True)
class LaneLayout:
    """Which row of the workspace, and which entry of a line's constants, holds which quantity.

    Attributes
    ----------
    points, fields, targets
        Names of z, w and the target's entries.
    constants
        Names of what is the same for all nodes of a line, in the order of the array ``line``.
    outputs
        Largest number of values that a function writes.
    state
        Names of the order parameters, in the order of the state vector.
    susceptibilities
        Names of those that are variances of the proximal point: the diagonals of V.
    """

    points: tuple[str, ...]
    fields: tuple[str, ...]
    targets: tuple[str, ...]
    constants: tuple[str, ...]
    outputs: int
    state: tuple[str, ...] = PAPER_STATE
    susceptibilities: tuple[str, ...] = ("V",)

    @classmethod
    def of(
        cls, free_entropy: FreeEntropy, common: Sequence[str], target_derivatives: Sequence[str], outputs: int
    ) -> LaneLayout:
        """Return the layout for a free entropy."""
        channel = free_entropy.channel
        symbols = channel.proximal_point, channel.fields, free_entropy.teacher_fields, channel.target_symbols
        points, fields, teacher, targets = (tuple(map(str, x)) for x in symbols)
        state = tuple(str(x.symbol) for x in free_entropy.order_parameters)
        diagonals = tuple(str(matrix[a, a]) for matrix in channel.susceptibilities for a in range(matrix.rows))
        constants = (*common, *teacher, *targets, *target_derivatives)
        return cls(points, fields, targets, constants, outputs, state, diagonals)

    @property
    def hessian(self) -> tuple[str, ...]:
        """Names of the upper Hessian's entries."""
        size = len(self.points)
        return tuple(f"H_{i + 1}{j + 1}" for i in range(size) for j in range(i, size))

    @property
    def first_rows(self) -> dict[str, int]:
        """First row of each group of quantities whose place depends on the model, and the end of all."""
        size = len(self.points)
        targets = len(SCALAR_ROWS) + len(FIELD_ROWS) * size
        hessian = targets + len(self.targets)
        out = hessian + len(self.hessian)
        return {"T": targets, "HESSIAN": hessian, "OUT": out, "END": out + self.outputs}

    def row(self, group: str, index: int = 0) -> int:
        """Return the row of a quantity."""
        if group in SCALAR_ROWS:
            return SCALAR_ROWS.index(group)
        if group in FIELD_ROWS:
            return len(SCALAR_ROWS) + index * len(FIELD_ROWS) + FIELD_ROWS.index(group)
        return self.first_rows[group] + index

    def place(self, group: str, index: int = 0) -> str:
        """Return the text that addresses lane i of a row."""
        return f"work[{self.row(group, index) * LANES} + i]"

    def sizes(self) -> dict[str, int]:
        """Return what numerics need to know of the layout, by name."""
        rows = self.first_rows
        return {
            "N_FIELDS": len(self.points),
            "N_TARGETS": len(self.targets),
            "FIRST_TARGET": self.constants.index(self.targets[0]),
            "N_CONSTANTS": len(self.constants),
            "ROW_T": rows["T"] * LANES,
            "ROW_HESSIAN": rows["HESSIAN"] * LANES,
            "ROW_OUT": rows["OUT"] * LANES,
            "WORK_SIZE": rows["END"] * LANES,
        }

    @property
    def lane_inputs(self) -> dict[str, str]:
        """Text that loads each quantity that differs from lane to lane."""
        inputs = {name: self.place("Z", k) for k, name in enumerate(self.points)}
        inputs |= {name: self.place("HESSIAN", k) for k, name in enumerate(self.hessian)}
        return inputs | {"line_coordinate": self.place("S")}


IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def _split_uniform(assignments: Sequence[str], varying: set[str]) -> tuple[list[str], list[str]]:
    """Split assignments into those that are the same in all lanes, to be done once, and the others."""
    uniform, per_lane = [], []
    varying = set(varying)
    for assignment in assignments:
        name, value = assignment.split(" = ", 1)
        if varying.isdisjoint(IDENTIFIER.findall(value)):
            uniform.append(assignment)
        else:
            varying.add(name)
            per_lane.append(assignment)
    return uniform, per_lane


def lane_function(printed: PrintedFunction, layout: LaneLayout, output: tuple[str, int]) -> str:
    """Return a function that evaluates a printed function in the first lanes, into rows from ``output`` on.

    Its arrays are pointers, and it returns zero: all functions over lanes have one signature
    (see ``saddle.kernel.machine_code``). Loops start at lane 0; later lanes are reached through a moved pointer.
    """
    lane_inputs = layout.lane_inputs
    hoisted, loaded = [f"    {name} = parameters[{k}]" for name, k in printed.parameters], []
    for name in printed.arguments:
        if name in lane_inputs:
            loaded.append(f"        {name} = {lane_inputs[name]}")
        elif name in layout.state:
            hoisted.append(f"    {name} = state[{layout.state.index(name)}]")
        else:
            hoisted.append(f"    {name} = line[{layout.constants.index(name)}]")
    uniform, per_lane = _split_uniform(printed.assignments, set(lane_inputs))
    group, first = output
    lines = [
        "@over_lanes",
        f"def {printed.name}(count, work, line, state, parameters):",
        f'    """{printed.purpose}"""',
        *hoisted,
        *(f"    {assignment}" for assignment in uniform),
        "    for i in range(count):",
        *loaded,
        *(f"        {assignment}" for assignment in per_lane),
        *(
            f"        {layout.place(group, first + k)} = {value}{f'  # {name}' if name else ''}"
            for k, (value, name) in enumerate(zip(printed.results, printed.result_names, strict=True))
        ),
        "    return 0",
    ]
    return "\n".join(lines)


def _factorisation(size: int) -> list[str]:
    """Return statements that solve (L P L^T) step = -g, with every pivot made positive and at least ``floor``.

    Where the Hessian is positive definite this is Newton's step; elsewhere it is a descent direction.
    """
    lines = []
    for j in range(1, size + 1):
        terms = [f"H_{j}{j}", *(f"lower_{j}{k}*upper_{j}{k}" for k in range(1, j))]
        lines += [
            f"raw_{j} = {' - '.join(terms)}",
            f"pivot_{j} = max(abs(raw_{j}), floor)",
            f"inverse_{j} = 1.0/pivot_{j}",
        ]
        for i in range(j + 1, size + 1):
            terms = [f"H_{j}{i}", *(f"lower_{i}{k}*upper_{j}{k}" for k in range(1, j))]
            lines += [f"upper_{i}{j} = {' - '.join(terms)}", f"lower_{i}{j} = upper_{i}{j}*inverse_{j}"]
    for j in range(1, size + 1):
        lines.append(f"half_{j} = {' - '.join([f'-g_{j}', *(f'lower_{j}{k}*half_{k}' for k in range(1, j))])}")
    for j in range(size, 0, -1):
        terms = [f"half_{j}*inverse_{j}", *(f"lower_{i}{j}*new_step_{i}" for i in range(j + 1, size + 1))]
        lines.append(f"new_step_{j} = {' - '.join(terms)}")
    return lines


def newton_sweep(printed: PrintedFunction, layout: LaneLayout) -> str:
    """Return functions that take one damped Newton step of the Moreau objective, or many, in every lane.

    There are no branches. A lane holds its point, the step it is about to take and how much of it. The objective is
    evaluated at the trial point; if it fell enough (Armijo) the lane moves there and computes its next step, otherwise
    it will try 0.4 of the step. A lane is done when its Newton step, taken last, is negligible.
    """
    size = len(layout.points)
    every = range(1, size + 1)
    # The largest variance of a field, by which softness is judged.
    scale = functools.reduce(lambda first, second: f"max({first}, {second})", layout.susceptibilities)
    read = [name for name in layout.state if name in {*printed.arguments, *layout.susceptibilities}]
    uniform, per_lane = _split_uniform(printed.assignments, {*layout.points, *layout.fields, *layout.targets})
    names = ["new_value", *(f"g_{k}" for k in every), *layout.hessian]

    def store(group: str, index: int, new: str, old: str) -> str:
        return f"{layout.place(group, index)} = {new} if accepted else {old}"

    norm = " + ".join(f"new_step_{k}*new_step_{k}" for k in every)
    least, longest = "pivot_1", "1.0"
    for k in every:
        longest = f"max({longest}, abs(new_step_{k}))"
    for k in every[1:]:
        least = f"min({least}, pivot_{k})"
    body = [
        *(f"{name} = {layout.place('W', k)}" for k, name in enumerate(layout.fields)),
        *(f"{name} = {layout.place('T', k)}" for k, name in enumerate(layout.targets)),
        *(f"old_{k} = {layout.place('Z', k - 1)}" for k in every),
        *(f"step_{k} = {layout.place('STEP', k - 1)}" for k in every),
        f"scale = {layout.place('SCALE')}",
        f"value = {layout.place('VALUE')}",
        f"descent = {layout.place('DESCENT')}",
        f"done = {layout.place('DONE')}",
        *(f"{name} = old_{k} + scale*step_{k}" for k, name in zip(every, layout.points, strict=True)),
        *per_lane,
        *(f"{name} = {result}" for name, result in zip(names, printed.results, strict=True)),
        "accepted = (new_value <= value + 1e-4*scale*descent + 1e-15*abs(value)) & (done == 0.0)",
        *_factorisation(size),
        f"convex = {' & '.join(f'(raw_{k} > floor)' for k in every)}",
        f"nearly_convex = {' & '.join(f'(raw_{k} > -floor)' for k in every)}",
        f"squared = {norm}",
        f"room = 1.0 + {' + '.join(f'{name}*{name}' for name in layout.points)}",
        # Quadratic convergence: after this step the error is of order length^2 / (softness * V). At a cusp there is
        # no softness left, and only linear convergence: there a step that no longer matters must do.
        f"finished = accepted & convex & (squared < 1e-14*min(1.0, {scale}*{least})*room)",
        "finished = finished | (accepted & nearly_convex & (squared < 1e-18*room))",
        # No field moves by more than one: softmax attention varies over fields of order one.
        f"shrink = 1.0/{longest}",
        *(f"new_step_{k} = new_step_{k}*shrink" for k in every),
        f"new_descent = {' + '.join(f'g_{k}*new_step_{k}' for k in every)}",
        "last = 1.0 if finished else 0.0",
        *(
            store("Z", k - 1, f"{name} + last*new_step_{k}", f"old_{k}")
            for k, name in zip(every, layout.points, strict=True)
        ),
        *(store("STEP", k - 1, f"new_step_{k}", f"step_{k}") for k in every),
        store("VALUE", 0, "new_value + 0.5*last*new_descent", "value"),
        store("DESCENT", 0, "new_descent", "descent"),
        store("SCALE", 0, "1.0", "0.4*scale"),
        *(store("HESSIAN", k, name, layout.place("HESSIAN", k)) for k, name in enumerate(layout.hessian)),
        "done = 1.0 if finished else done",
        f"{layout.place('DONE')} = done",
        "remaining += 0 if done == 1.0 else 1",
    ]
    lines = [
        "@within_loops",
        "def newton_sweep(count, work, state, parameters):",
        '    """One damped Newton step of every lane; return how many lanes are not done."""',
        *(f"    {name} = parameters[{k}]" for name, k in printed.parameters),
        *(f"    {name} = state[{layout.state.index(name)}]" for name in read),
        f"    floor = 1e-5/{scale}",
        *(f"    {assignment}" for assignment in uniform),
        "    remaining = 0",
        "    for i in range(count):",
        *(f"        {statement}" for statement in body),
        "    return remaining",
        "",
        "",
        "@over_lanes",
        "def newton_sweeps(count, work, line, state, parameters):",
        '    """Newton steps of every lane until all are done, or that many; return how many lanes are not done."""',
        "    remaining = 1",
        f"    for _ in range({NEWTON_SWEEPS}):",
        "        remaining = newton_sweep(count, work, state, parameters)",
        "        if remaining == 0:",
        "            break",
        "    return remaining",
    ]
    return "\n".join(lines)
