from .branching import NewBranch as NewBranch
from .branching import deflated_solutions as deflated_solutions
from .branching import switch as switch
from .curve.bounds import Bounds as Bounds
from .curve.curves import CurveEvaluation as CurveEvaluation
from .curve.curves import CurvePoint as CurvePoint
from .curve.curves import CurveSystem as CurveSystem
from .curve.stepping import StepControl as StepControl
from .curve.tracing import Curve as Curve
from .curve.tracing import Stop as Stop
from .curve.tracing import trace as trace
from .curve.tracing import trace_both_ways as trace_both_ways
from .exploration import Exploration as Exploration
from .exploration import TracedBranch as TracedBranch
from .exploration import explore as explore
from .newton import OutsideDomain as OutsideDomain
from .outcomes import Outcome as Outcome
from .outcomes import SolverError as SolverError
from .problem import (
    Evaluation as Evaluation,
)
from .problem import (
    FunctionProblem as FunctionProblem,
)
from .problem import (
    Problem as Problem,
)
from .problem import (
    Symmetry as Symmetry,
)
from .special_points.defining_systems import (
    EqualPotentials as EqualPotentials,
)
from .special_points.defining_systems import (
    FoldPoints as FoldPoints,
)
from .special_points.defining_systems import (
    FunctionZeros as FunctionZeros,
)
from .special_points.defining_systems import (
    SymmetryBreakingPoints as SymmetryBreakingPoints,
)
from .special_points.double_points import DoubleSymmetryBreaking as DoubleSymmetryBreaking
from .special_points.finding import find_events as find_events
from .special_points.first_order_lines import (
    MergingPoint as MergingPoint,
)
from .special_points.first_order_lines import (
    end_of_line as end_of_line,
)
from .special_points.first_order_lines import (
    first_order_line as first_order_line,
)
from .special_points.locating import SquareSolution as SquareSolution
from .special_points.locating import solve_square as solve_square
from .special_points.special_point import (
    Criticality as Criticality,
)
from .special_points.special_point import (
    Event as Event,
)
from .special_points.special_point import (
    EventFunction as EventFunction,
)
from .special_points.special_point import (
    EventKind as EventKind,
)
from .subspaces import Block as Block
from .subspaces import Section as Section
from .subspaces import symmetry_blocks as symmetry_blocks
