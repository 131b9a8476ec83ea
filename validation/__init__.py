"""Checks of the theory by experiment: data sets, training, message passing, overlaps, comparison."""

from validation.comparison.at_one_point import ComparedQuantity, Comparison, compare_at, comparison_table
from validation.comparison.compare import TheoryComparison, compare_with_theory
from validation.message_passing.approximate import MessagePassingRun, approximate_message_passing
from validation.message_passing.bayes import BayesMessagePassingRun, fields_up_to_sign, pass_bayes_messages
from validation.message_passing.state_trajectory import StateTrajectory, state_evolution_trajectory
from validation.published.coarse_rule import CoarseSolution, solve_on_published_rule
from validation.published.comparison import (
    compare_published_descent,
    compare_published_scaling,
    compare_published_theory,
    published_rule_deviation,
)
from validation.published.numbers import (
    published_gradient_descent,
    published_linear_baseline,
    published_rank_two,
    published_scaling,
    published_theory,
    published_transitions,
)
from validation.simulation.divergence import Diverged
from validation.simulation.gradient_descent import TrainingRun, train_student
from validation.simulation.run_grid import simulate_runs
from validation.simulation.simulate import simulate
from validation.simulation.starts import initial_student, student_with_overlaps
from validation.simulation.teacher import TeacherData, draw_teacher_data
from validation.simulation.training_loss import TrainingLoss

__all__ = [
    "BayesMessagePassingRun",
    "CoarseSolution",
    "ComparedQuantity",
    "Comparison",
    "Diverged",
    "MessagePassingRun",
    "StateTrajectory",
    "TeacherData",
    "TheoryComparison",
    "TrainingLoss",
    "TrainingRun",
    "approximate_message_passing",
    "compare_at",
    "compare_published_descent",
    "compare_published_scaling",
    "compare_published_theory",
    "compare_with_theory",
    "comparison_table",
    "draw_teacher_data",
    "fields_up_to_sign",
    "initial_student",
    "pass_bayes_messages",
    "published_gradient_descent",
    "published_linear_baseline",
    "published_rank_two",
    "published_rule_deviation",
    "published_scaling",
    "published_theory",
    "published_transitions",
    "simulate",
    "simulate_runs",
    "solve_on_published_rule",
    "state_evolution_trajectory",
    "student_with_overlaps",
    "train_student",
]
