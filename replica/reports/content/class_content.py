"""Passages on samples of several classes: what averages are over, and the table of the classes' numbers."""

from __future__ import annotations

from replica.equations.saddle_system import SaddleSystem
from replica.model.sample_class import class_numbers, names_of_classes
from replica.quantities.solvable_model import Model
from replica.reports.passages import Paragraph, Passage, Table
from replica.reports.typesetting.parameter_letters import parameter_letters

__all__ = ["class_passages", "class_table"]


def class_passages(model: Model) -> list[Passage]:
    """Return what a class is, and that averages are over them, too."""
    if not model.classes:
        return []
    directions = model.structure.directions
    means = (
        r" A token's mean in class $c$ is $p_l = \sum_k c_{lk}\, v_k$, with coefficients of that class and directions "
        r"$v_k$ of norm one, orthogonal to each other and to the teacher's columns; $m$ are overlaps with them."
        if directions
        else ""
    )
    return [
        Paragraph(
            f"Samples are of {len(model.classes)} classes, of which each is met with its probability." + means + " "
            r"Averages $\mathbb{E}$ over a sample are over its class, too: of every class with its own values of "
            "the parameters that the table of classes lists."
        )
    ]


def class_table(system: SaddleSystem, model: Model) -> list[Passage]:
    """Return the table of the classes' numbers, one row per class."""
    if not model.classes:
        return []
    own = names_of_classes(model)
    parameters = [x for x in system.free_entropy.parameters if x.name in own]
    letters = parameter_letters(system.free_entropy.parameters)
    rows = tuple(
        (str(k), f"{one.probability:g}", *(f"{one.parameters[x.name]:g}" for x in parameters))
        for k, one in enumerate(class_numbers(model), start=1)
    )
    heads = ("class", "probability", *(f"${letters[x.name]}$" for x in parameters))
    return [Paragraph("Classes of samples:"), Table(heads, rows)]
