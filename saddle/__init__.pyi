from .averages.channel_averages import ChannelAverages as ChannelAverages
from .averages.replicon import Replicon as Replicon
from .averages.rules.lattice import LineRule as LineRule
from .averages.rules.line_orders import LineOrders as LineOrders
from .averages.rules.sobol import SobolRule as SobolRule
from .averages.state_space import Sector as Sector
from .branches.branch import (
    Branch as Branch,
)
from .branches.branch import (
    SolvedPoint as SolvedPoint,
)
from .branches.branch import (
    find_point as find_point,
)
from .branches.branch import (
    solve_point as solve_point,
)
from .continuation.newton import OutsideDomain as OutsideDomain
from .continuation.outcomes import Outcome as Outcome
from .continuation.outcomes import SolverError as SolverError
from .diagram.audit import Audit as Audit
from .diagram.audit import AuditPoint as AuditPoint
from .diagram.lines.ends import LineEnd as LineEnd
from .diagram.lines.line import TransitionLine as TransitionLine
from .diagram.lines.tracing import solve_transition_line as solve_transition_line
from .diagram.rule_choice import choose_rule as choose_rule
from .phase_diagram import PhaseDiagram as PhaseDiagram
from .phase_diagram import solve_phase_diagram as solve_phase_diagram
from .state_evolution.evaluation import (
    ResidualParameterSlopes as ResidualParameterSlopes,
)
from .state_evolution.evaluation import (
    StateEvaluation as StateEvaluation,
)
from .state_evolution.state_evolution import StateEvolution as StateEvolution
from .transition_lines import TransitionLines as TransitionLines
from .transition_lines import solve_transition_lines as solve_transition_lines
from .transitions.baseline_crossing import Crossing as Crossing
from .transitions.global_minimum import Phase as Phase
from .transitions.transition import Transition as Transition
from .transitions.transition import TransitionPoint as TransitionPoint
