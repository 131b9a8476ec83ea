from .comparison.at_one_point import (
    ComparedQuantity as ComparedQuantity,
    Comparison as Comparison,
    compare_at as compare_at,
    comparison_table as comparison_table,
)
from .comparison.compare import TheoryComparison as TheoryComparison, compare_with_theory as compare_with_theory
from .comparison.prediction import Prediction as Prediction
from .message_passing.approximate import (
    MessagePassingRun as MessagePassingRun,
    approximate_message_passing as approximate_message_passing,
)
from .message_passing.bayes import (
    BayesMessagePassingRun as BayesMessagePassingRun,
    fields_up_to_sign as fields_up_to_sign,
    pass_bayes_messages as pass_bayes_messages,
)
from .message_passing.settings import MessagePassingSettings as MessagePassingSettings
from .message_passing.state_trajectory import (
    StateTrajectory as StateTrajectory,
    state_evolution_trajectory as state_evolution_trajectory,
)
from .minima.ground_state import GroundState as GroundState, ground_state as ground_state
from .minima.ground_state_file import (
    ground_state_dataset as ground_state_dataset,
    load_ground_state as load_ground_state,
    save_ground_state as save_ground_state,
)
from .paper.reproduction import reproduce_paper as reproduce_paper
from .paper.settings import PaperSettings as PaperSettings
from .published.coarse_rule import CoarseSolution as CoarseSolution, solve_on_published_rule as solve_on_published_rule
from .published.comparison import (
    compare_published_descent as compare_published_descent,
    compare_published_scaling as compare_published_scaling,
    compare_published_theory as compare_published_theory,
    published_rule_deviation as published_rule_deviation,
)
from .published.numbers import (
    published_gradient_descent as published_gradient_descent,
    published_linear_baseline as published_linear_baseline,
    published_rank_two as published_rank_two,
    published_scaling as published_scaling,
    published_theory as published_theory,
    published_transitions as published_transitions,
)
from .simulation.coordinates import sampled_model as sampled_model
from .simulation.descent.divergence import Diverged as Diverged
from .simulation.execution import Execution as Execution
from .simulation.gradient_descent import TrainingRun as TrainingRun, train_student as train_student
from .simulation.losses.any_loss import training_loss as training_loss
from .simulation.losses.multi_index_loss import MultiIndexLoss as MultiIndexLoss
from .simulation.losses.training_loss import TrainingLoss as TrainingLoss
from .simulation.run_grid import simulate_runs as simulate_runs
from .simulation.simulate import simulate as simulate
from .simulation.starts import initial_student as initial_student, student_with_overlaps as student_with_overlaps
from .simulation.teacher import TeacherData as TeacherData, draw_teacher_data as draw_teacher_data
from .simulation.training import (
    INTO_THE_BASIN as INTO_THE_BASIN,
    INTO_THE_GROUND_STATE as INTO_THE_GROUND_STATE,
    Training as Training,
)

__version__: str
