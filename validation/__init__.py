"""Checks of the theory by experiment: data sets, training, message passing, overlaps, comparison."""

from validation.comparison import ComparedQuantity, Comparison, compare_at, comparison_table, simulate
from validation.gradient_descent import TrainingRun, train_student
from validation.message_passing import MessagePassingRun, approximate_message_passing
from validation.starts import initial_student, student_with_overlaps
from validation.state_trajectory import StateTrajectory, state_evolution_trajectory
from validation.teacher import TeacherData, draw_teacher_data
from validation.training_loss import TrainingLoss

__all__ = [
    "ComparedQuantity",
    "Comparison",
    "MessagePassingRun",
    "StateTrajectory",
    "TeacherData",
    "TrainingLoss",
    "TrainingRun",
    "approximate_message_passing",
    "compare_at",
    "comparison_table",
    "draw_teacher_data",
    "initial_student",
    "simulate",
    "state_evolution_trajectory",
    "student_with_overlaps",
    "train_student",
]
