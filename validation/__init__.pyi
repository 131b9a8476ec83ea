from .comparison.at_one_point import (
    ComparedQuantity as ComparedQuantity,
)
from .comparison.at_one_point import (
    Comparison as Comparison,
)
from .comparison.at_one_point import (
    compare_at as compare_at,
)
from .comparison.at_one_point import (
    comparison_table as comparison_table,
)
from .comparison.compare import TheoryComparison as TheoryComparison
from .comparison.compare import compare_with_theory as compare_with_theory
from .message_passing.approximate import (
    MessagePassingRun as MessagePassingRun,
)
from .message_passing.approximate import (
    approximate_message_passing as approximate_message_passing,
)
from .message_passing.bayes import (
    BayesMessagePassingRun as BayesMessagePassingRun,
)
from .message_passing.bayes import (
    fields_up_to_sign as fields_up_to_sign,
)
from .message_passing.bayes import (
    pass_bayes_messages as pass_bayes_messages,
)
from .message_passing.state_trajectory import (
    StateTrajectory as StateTrajectory,
)
from .message_passing.state_trajectory import (
    state_evolution_trajectory as state_evolution_trajectory,
)
from .paper.reproduction import reproduce_paper as reproduce_paper
from .paper.settings import PaperSettings as PaperSettings
from .published.coarse_rule import CoarseSolution as CoarseSolution
from .published.coarse_rule import solve_on_published_rule as solve_on_published_rule
from .published.comparison import (
    compare_published_descent as compare_published_descent,
)
from .published.comparison import (
    compare_published_scaling as compare_published_scaling,
)
from .published.comparison import (
    compare_published_theory as compare_published_theory,
)
from .published.comparison import (
    published_rule_deviation as published_rule_deviation,
)
from .published.numbers import (
    published_gradient_descent as published_gradient_descent,
)
from .published.numbers import (
    published_linear_baseline as published_linear_baseline,
)
from .published.numbers import (
    published_rank_two as published_rank_two,
)
from .published.numbers import (
    published_scaling as published_scaling,
)
from .published.numbers import (
    published_theory as published_theory,
)
from .published.numbers import (
    published_transitions as published_transitions,
)
from .simulation.coordinates import sampled_model as sampled_model
from .simulation.divergence import Diverged as Diverged
from .simulation.gradient_descent import TrainingRun as TrainingRun
from .simulation.gradient_descent import train_student as train_student
from .simulation.run_grid import simulate_runs as simulate_runs
from .simulation.simulate import simulate as simulate
from .simulation.starts import initial_student as initial_student
from .simulation.starts import student_with_overlaps as student_with_overlaps
from .simulation.teacher import TeacherData as TeacherData
from .simulation.teacher import draw_teacher_data as draw_teacher_data
from .simulation.training_loss import TrainingLoss as TrainingLoss
