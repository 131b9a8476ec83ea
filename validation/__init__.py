"""Checks of the theory by experiment: data sets, gradient descent, overlaps, comparison."""

from validation.bayes_message_passing import MessagePassingRun, fields_up_to_sign, pass_messages
from validation.comparison import ComparedQuantity, Comparison, compare_at, comparison_table, simulate
from validation.gradient_descent import TrainingRun, train_student
from validation.starts import initial_student
from validation.teacher import TeacherData, draw_teacher_data
from validation.training_loss import TrainingLoss

__all__ = [
    "ComparedQuantity",
    "Comparison",
    "MessagePassingRun",
    "TeacherData",
    "TrainingLoss",
    "TrainingRun",
    "compare_at",
    "comparison_table",
    "draw_teacher_data",
    "fields_up_to_sign",
    "initial_student",
    "pass_messages",
    "simulate",
    "train_student",
]
