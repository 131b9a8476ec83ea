"""Checks of the theory by experiment: data sets, gradient descent, overlaps, comparison."""

from validation.coarse_rule import CoarseSolution, solve_on_published_rule
from validation.comparison import ComparedQuantity, Comparison, compare_at, comparison_table, simulate
from validation.gradient_descent import TrainingRun, initial_student, train_student
from validation.published import (
    published_gradient_descent,
    published_linear_baseline,
    published_rank_two,
    published_scaling,
    published_theory,
    published_transitions,
)
from validation.published_comparison import (
    compare_published_descent,
    compare_published_scaling,
    compare_published_theory,
    published_rule_deviation,
)
from validation.teacher import TeacherData, draw_teacher_data
from validation.training_loss import TrainingLoss

__all__ = [
    "CoarseSolution",
    "ComparedQuantity",
    "Comparison",
    "TeacherData",
    "TrainingLoss",
    "TrainingRun",
    "compare_at",
    "compare_published_descent",
    "compare_published_scaling",
    "compare_published_theory",
    "comparison_table",
    "draw_teacher_data",
    "initial_student",
    "published_gradient_descent",
    "published_linear_baseline",
    "published_rank_two",
    "published_rule_deviation",
    "published_scaling",
    "published_theory",
    "published_transitions",
    "simulate",
    "solve_on_published_rule",
    "train_student",
]
