"""The laws as assertions: each raises AssertionError with a sentence for everything that breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from replica.common.checked_arguments import checked_instance
from replica.common.errors import InvalidArgument
from replica.quantities.solvable_model import Model, require_model
from saddle.averages.rules.rule_arguments import checked_tolerance
from saddle.diagram.contents import DiagramContents
from saddle.testing.agreement import KINDS, contradictions
from saddle.testing.asking import Asking
from saddle.testing.diagram_laws import told_laws, value_laws
from saddle.testing.images import images_of
from saddle.testing.survival import losses_of
from saddle.testing.transition_laws import transition_laws

__all__ = [
    "assert_agree", "assert_askings_agree", "assert_explained", "assert_stationary", "assert_survives",
    "assert_symmetric",
]  # fmt: skip

ASKINGS = (Asking(), Asking((0.3, 2.0), 3, "up"), Asking((0.05, 4.0), 7))
"""Three ways to ask for one diagram."""

# Points and intervals of every branch that are looked at.
PLACES = 3
TOLERANCE = 1e-3


def assert_stationary(diagram: DiagramContents, *, tolerance: float = TOLERANCE, places: int | None = PLACES) -> None:
    """Assert that what a diagram holds solves the equations, and that Phi is stationary there.

    Of every branch: residuals evaluated anew vanish, Phi evaluated anew is what is stored, the training loss by its own
    route is -Phi, Phi is stationary in every order parameter, and dPhi/dalpha is -E[M]. Of every resolved transition:
    the solutions that are stored with it lie in the sectors of its branches and solve its own defining equations within
    three times its stated error, and what is born there begins there. Takes seconds.

    Parameters
    ----------
    diagram
        A :class:`saddle.PhaseDiagram`.
    tolerance
        Slopes of Phi may be off by three times that, relatively: not less than what the averages were asked to be.
    places
        How many points, and intervals between two points, of every branch are looked at; None for all.

    Raises
    ------
    AssertionError
        A sentence for each number that is not what it must be.
    ValueError
        If an argument is none of its kind.
    """
    _checked_diagram("diagram", diagram)
    checked_tolerance(tolerance)
    _assert_none([*value_laws(diagram, tolerance, places), *transition_laws(diagram)])


def assert_explained(diagram: DiagramContents) -> None:
    """Assert that a diagram leaves nothing open, as far as it can be seen by itself.

    It is complete, at every alpha a branch is the global minimum, a transition is where that changes, what transitions
    and ends of branches name is there, and alpha_c and alpha_l that are None have a reason. A diagram may say that it
    does not know, and then breaks this law honestly: see ``reason`` of its phases.

    Parameters
    ----------
    diagram
        A :class:`saddle.PhaseDiagram`.

    Raises
    ------
    AssertionError
        A sentence for each thing that is not explained.
    ValueError
        If the diagram is none.
    """
    _checked_diagram("diagram", diagram)
    unfinished = [] if diagram.complete else ["complete: the computation was interrupted"]
    _assert_none([*unfinished, *told_laws(diagram)])


def assert_agree(first: DiagramContents, second: DiagramContents, *, leaving_out: Collection[str] = ()) -> None:
    """Assert that two diagrams of one model do not contradict each other; see :func:`contradictions`.

    Parameters
    ----------
    first, second
        Solved for the same model, or for images of each other; ranges, grids, directions and rules may differ.
    leaving_out
        Kinds of contradiction that are none here: any of "alpha_c", "alpha_l", "first_order", "bifurcations", "names",
        "phases", "branches", "values", "phi".

    Raises
    ------
    AssertionError
        A sentence for each contradiction.
    ValueError
        If a diagram is none, or there is no such kind.
    """
    _checked_diagram("first", first)
    _checked_diagram("second", second)
    _assert_none(_contradictions(first, second, leaving_out))


def assert_askings_agree(
    model: Model, askings: Sequence[Asking] = ASKINGS, *, leaving_out: Collection[str] = ()
) -> None:
    """Assert that a model's diagram does not depend on how it is asked for.

    Solves it as often as it is asked for, three times by default: on other ranges, grids and from other ends. Takes
    ten to thirty seconds for two tokens and rank one.

    Parameters
    ----------
    model
        The model.
    askings
        Two or more; see :func:`saddle.testing.askings`.
    leaving_out
        As of :func:`assert_agree`.

    Raises
    ------
    AssertionError
        A sentence for each contradiction.
    ValueError
        If an argument is none of its kind.
    """
    require_model(model, "a phase diagram")
    asked = [checked_instance(f"askings[{k}]", asking, Asking, "an Asking") for k, asking in enumerate(askings)]
    if len(asked) < 2:
        raise InvalidArgument(f"askings must be two or more, or there is nothing to compare, got {len(asked)}")
    diagrams = [asking.solve(model) for asking in asked]
    found = []
    for (j, first), (k, second) in itertools.combinations(enumerate(diagrams), 2):
        found += [f"askings {j} and {k}: {text}" for text in _contradictions(first, second, leaving_out)]
    _assert_none(found)


def assert_symmetric(model: Model, asking: Asking = ASKINGS[1], *, leaving_out: Collection[str] = ()) -> None:
    """Assert that maps of a model which change nothing leave its diagram as it is: see :func:`images_of`.

    Solves the model and each of its images, on one rule.

    Parameters
    ----------
    model
        The model.
    asking
        How all are asked for.
    leaving_out
        As of :func:`assert_agree`.

    Raises
    ------
    AssertionError
        A sentence for each contradiction between the model and an image.
    ValueError
        If no such map is known for the model, or an argument is none of its kind.
    """
    images = images_of(model)
    checked_instance("asking", asking, Asking, "an Asking")
    if not images:
        raise InvalidArgument(f"model must have an image other than itself, or nothing is compared, got {model!r}")
    diagram = asking.solve(model)
    asking = replace(asking, rule=diagram.rule)
    found = []
    for name, image in images.items():
        found += [f"{name}: {text}" for text in _contradictions(diagram, asking.solve(image), leaving_out)]
    _assert_none(found)


def assert_survives(result: Any) -> None:
    """Assert that a result comes back the same from pickles, copies and files, and has a text.

    Parameters
    ----------
    result
        A diagram, lines of transitions, a branch, a solved point, a sweep, a model: whatever has ``save`` and ``load``
        is saved and loaded, too.

    Raises
    ------
    AssertionError
        A sentence for each thing that is lost.
    """
    _assert_none(losses_of(result))


def _checked_diagram(name: str, diagram: object) -> None:
    checked_instance(name, diagram, DiagramContents, "a solved PhaseDiagram")


def _contradictions(first: DiagramContents, second: DiagramContents, leaving_out: Collection[str]) -> list[str]:
    unknown = [kind for kind in leaving_out if kind not in KINDS]
    if unknown or isinstance(leaving_out, str):
        given = leaving_out if isinstance(leaving_out, str) else unknown[0]
        raise InvalidArgument(f"leaving_out must be a collection of {', '.join(map(repr, KINDS))}, got {given!r}")
    return [text for text in contradictions(first, second) if text.split(":")[0] not in leaving_out]


def _assert_none(sentences: Iterable[str]) -> None:
    found = list(sentences)
    if found:
        raise AssertionError("\n".join(found))
