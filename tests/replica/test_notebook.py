"""Derivations in a notebook: short reprs, and equations that are shown as reports print them."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from replica import AttentionModel, MultiIndexModel, derive, derive_saddle_system
from replica.reports.typesetting.mathml import unknown_commands

MODELS = {
    "paper": AttentionModel.paper(),
    "ridge": MultiIndexModel(loss=lambda z, y: (y[0] - z[0]) ** 2 / 2, regularization=0.1),
}
DERIVATIONS = {name: derive(model) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_reprs_are_short(name):
    derivation = DERIVATIONS[name]
    for shown in (derivation, derivation.free_entropy, derivation.saddle_system):
        assert len(repr(shown)) < 250
    assert len(repr(derivation.steps)) < 1200
    for step in derivation.steps:
        assert step.name in repr(step)
        assert all(len(repr(x)) < 200 for x in step.equations)


def mathematics(latex: str) -> list[str]:
    assert latex.count("$$") % 2 == 0
    displays = re.findall(r"\$\$\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}\$\$", latex, re.DOTALL)
    assert len(displays) == latex.count("$$") // 2
    return displays


@pytest.mark.parametrize("name", MODELS)
def test_equations_are_shown(name):
    derivation = DERIVATIONS[name]
    system = derivation.saddle_system
    shown = [derivation.free_entropy._repr_latex_(), system._repr_latex_()]
    assert len(mathematics(shown[0])) == 1
    assert len(mathematics(shown[1])) == len(
        {**system.intermediates, **system.overlap_equations, **system.conjugate_equations}
    )
    for step in derivation.steps:
        latex = step._repr_latex_()
        assert latex.startswith(f"{step.title}. {step.text}")
        assert mathematics(latex) == [x for y in step.equations for x in mathematics(y._repr_latex_())]
        assert derivation.step(step.name) is step
        shown.append(latex)
    for display in (x for latex in shown for x in mathematics(latex)):
        assert display.count("{") == display.count("}")
        assert not unknown_commands(display.replace("&", " ").replace("\\\\\n", " "))


def test_a_shown_equation_is_the_library_s():
    equation = DERIVATIONS["paper"].step("saddle point").equation("saddle-V")
    assert equation._repr_latex_() == (
        "$$\\begin{aligned}\nV &=\\frac{\\sigma^{2}}{\\lambda+\\sigma^{2}\\hat{V}}\n\\end{aligned}$$"
    )
    assert repr(equation) == "DisplayedEquation('saddle-V': V = sigma**2/(V_hat*sigma**2 + regularization))"
    assert isinstance(equation.right, sp.Expr)


def test_shown_systems_equal_those_that_are_not():
    assert DERIVATIONS["paper"].saddle_system == derive_saddle_system()
    assert derive_saddle_system() == DERIVATIONS["paper"].saddle_system
    assert DERIVATIONS["paper"].saddle_system != DERIVATIONS["ridge"].saddle_system
