"""Kernels of which only the minimisation is there: any number of tokens, any rank, no equations of state."""

from __future__ import annotations

import functools
import importlib.resources
import sys
from pathlib import Path
from types import ModuleType

from replica.code.moreau_functions import objective_function
from replica.code.source import print_function
from replica.equations.moreau import moreau_problem
from replica.quantities.names import order_parameters
from replica.quantities.structure import ModelStructure
from saddle.kernel.lanes import LaneLayout, newton_sweep
from saddle.kernel.text import PREAMBLE

__all__ = ["minimiser_module"]


@functools.cache
def minimiser_module(structure: ModelStructure, folder: Path) -> ModuleType:
    """Return a module with ``global_minima`` and ``proximal_points`` for a structure."""
    problem = moreau_problem(structure)
    points, fields, targets = (
        tuple(map(str, x)) for x in (problem.proximal_point, problem.fields, problem.target_symbols)
    )
    state = tuple(x.letter for x in order_parameters(problem.layout))
    diagonals = tuple(str(matrix[a, a]) for matrix in problem.susceptibilities for a in range(matrix.rows))
    layout = LaneLayout(points, fields, targets, targets, 1, state, diagonals)
    numerics = importlib.resources.files("saddle.kernel.numerics").joinpath("minima.py").read_text(encoding="utf-8")
    numerics = numerics.replace("from __future__ import annotations\n\n", "", 1)
    constants = f"{layout.constants_text()}N_PARAMETERS = {len(problem.parameters)}\n"
    sweep = newton_sweep(print_function(objective_function(problem)), layout)
    text = "\n\n\n".join([PREAMBLE + constants, sweep, numerics])
    name = f"minimiser_{structure.sequence_length}_{structure.rank}"
    path = folder / f"{name}.py"
    path.write_text(text)
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module
