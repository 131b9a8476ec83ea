from .branching import NewBranch as NewBranch, deflated_solutions as deflated_solutions, switch as switch
from .curve.bounds import Bounds as Bounds
from .curve.curves import CurveEvaluation as CurveEvaluation, CurvePoint as CurvePoint, CurveSystem as CurveSystem
from .curve.stepping import StepControl as StepControl
from .curve.tracing import Curve as Curve, Stop as Stop, trace as trace, trace_both_ways as trace_both_ways
from .exploration import explore as explore
from .explored import Exploration as Exploration, TracedBranch as TracedBranch
from .newton import OutsideDomain as OutsideDomain
from .problem import (
    Evaluation as Evaluation,
    FunctionProblem as FunctionProblem,
    Involution as Involution,
    KnownDerivatives as KnownDerivatives,
    ParameterDerivatives as ParameterDerivatives,
    Problem as Problem,
)
from .scope import Scope as Scope
from .special_points.defining_systems import (
    EqualPotentials as EqualPotentials,
    FoldPoints as FoldPoints,
    FunctionZeros as FunctionZeros,
    SymmetryBreakingPoints as SymmetryBreakingPoints,
)
from .special_points.double_points import DoubleSymmetryBreaking as DoubleSymmetryBreaking
from .special_points.finding import find_special_points as find_special_points
from .special_points.first_order_lines import (
    MergingPoint as MergingPoint,
    end_of_line as end_of_line,
    first_order_line as first_order_line,
)
from .special_points.locating import SquareSolution as SquareSolution, solve_square as solve_square
from .special_points.special_point import (
    Criticality as Criticality,
    CurveFunction as CurveFunction,
    SpecialPoint as SpecialPoint,
    SpecialPointKind as SpecialPointKind,
)
from .subspaces import Block as Block, Section as Section, symmetry_blocks as symmetry_blocks
