"""Checks of the theory by experiment: data sets, gradient descent, overlaps, comparison."""

from validation.comparison import ComparedQuantity, Comparison, compare_at, comparison_table, simulate
from validation.gradient_descent import TrainingRun, train_student
from validation.starts import initial_student
from validation.teacher import TeacherData, draw_teacher_data
from validation.training_loss import TrainingLoss

__all__ = [
    "ComparedQuantity",
    "Comparison",
    "TeacherData",
    "TrainingLoss",
    "TrainingRun",
    "compare_at",
    "comparison_table",
    "draw_teacher_data",
    "initial_student",
    "simulate",
    "train_student",
]
