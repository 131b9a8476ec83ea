from .averages.channel_averages import ChannelAverages as ChannelAverages
from .averages.lines.jump_line_rule import JumpLineRule as JumpLineRule
from .averages.moreau_envelope import MoreauEnvelope as MoreauEnvelope, moreau_envelope as moreau_envelope
from .averages.replicon import Replicon as Replicon
from .averages.rules.body_centred import BodyCentredRule as BodyCentredRule
from .averages.rules.lattice import LineRule as LineRule
from .averages.rules.line_orders import LineOrders as LineOrders
from .averages.rules.sobol import SobolRule as SobolRule
from .averages.state_space import Sector as Sector
from .branches.branch import (
    Branch as Branch,
    SolvedPoint as SolvedPoint,
    find_point as find_point,
    solve_point as solve_point,
)
from .branches.line_parameters import line_parameters as line_parameters, with_parameters as with_parameters
from .branches.steps.step_solution import BrokenSymmetryPoint as BrokenSymmetryPoint
from .continuation.outcomes import Outcome as Outcome, SolverError as SolverError
from .diagram.audit import Audit as Audit, AuditPoint as AuditPoint
from .diagram.lines.ends import LineEnd as LineEnd
from .diagram.lines.line import TransitionLine as TransitionLine
from .diagram.lines.plane import ParameterPlane as ParameterPlane
from .diagram.lines.tracing import solve_transition_line as solve_transition_line
from .diagram.provenance import Provenance as Provenance
from .diagram.rule_choice import choose_rule as choose_rule
from .diagram.solve_settings import SolveSettings as SolveSettings
from .diagram.steps.broken_symmetry import solve_broken_symmetry as solve_broken_symmetry
from .diagram.steps.complexity import ComplexityCurve as ComplexityCurve, solve_complexity as solve_complexity
from .diagram.steps.step_transitions import (
    StepTransition as StepTransition,
    transition_with_steps as transition_with_steps,
)
from .diagram.steps.step_trend import StepTrend as StepTrend, step_trend as step_trend
from .output.figures.complexity_figure import plot_complexity as plot_complexity
from .output.steps.step_files import save_steps as save_steps, steps_dataset as steps_dataset
from .phase_diagram import (
    PhaseDiagram as PhaseDiagram,
    StepDiagram as StepDiagram,
    load_steps as load_steps,
    solve_phase_diagram as solve_phase_diagram,
)
from .state_evolution.evaluation import (
    StateEvaluation as StateEvaluation,
    StateParameterDerivatives as StateParameterDerivatives,
)
from .state_evolution.state_evolution import StateEvolution as StateEvolution
from .state_evolution.steps.grid_rule import GridRule as GridRule
from .state_evolution.steps.step_stability import StepStability as StepStability
from .state_evolution.steps.step_state import StepState as StepState
from .sweeps.dataset import sweep_dataset as sweep_dataset
from .sweeps.model_sweep import ModelSweep as ModelSweep, SweptModel as SweptModel
from .sweeps.phase_map import PhaseMap as PhaseMap, solve_map as solve_map
from .sweeps.solving import solve_many as solve_many
from .transition_lines import TransitionLines as TransitionLines, solve_transition_lines as solve_transition_lines
from .transitions.alpha_derivatives import AlphaDerivative as AlphaDerivative
from .transitions.baseline_crossing import Crossing as Crossing
from .transitions.events import Event as Event, replicon_event as replicon_event
from .transitions.found import Found as Found
from .transitions.global_minimum import Phase as Phase
from .transitions.transition import Transition as Transition, TransitionPoint as TransitionPoint

__version__: str
