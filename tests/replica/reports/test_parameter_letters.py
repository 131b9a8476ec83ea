"""Parameters of the user's own in LaTeX: Greek as commands, unlike any other letter, never outside of ASCII."""

from __future__ import annotations

import pytest
import sympy as sp

from replica import MultiIndexModel, Naming, derive, equation_report
from replica.quantities.names import Quantity, parameter_latex
from replica.reports.content.definitions import Glossary
from replica.reports.formats.bibliography import cited
from replica.reports.formats.html import html_document
from replica.reports.formats.latex import latex_document
from replica.reports.typesetting.greek import in_commands, word_latex
from replica.reports.typesetting.parameter_letters import parameter_letters


def letters(*names: str) -> list[str]:
    return list(parameter_letters([Quantity(x, x, parameter_latex(x), "own") for x in names]).values())


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("kappa", r"\kappa"),
        ("κ", r"\kappa"),
        ("kappa_s", r"\kappa_{\mathrm{s}}"),
        ("κ_μ", r"\kappa_{\mu}"),
        ("lambda_", r"\tilde{\lambda}"),
        ("λ", r"\tilde{\lambda}"),
        ("mu", r"\tilde{\mu}"),
        ("mu_2", r"\mu_{\mathrm{2}}"),
        ("Δt", r"\Delta t"),
        ("é", r"\tilde{e}"),
        ("ϑ", r"\vartheta"),
        ("я", r"\mathrm{u044f}"),
        ("strength", r"\mathrm{strength}"),
    ],
)
def test_letters_of_parameters(name, latex):
    assert letters(name) == [latex]


def test_parameters_are_told_apart():
    assert letters("kappa", "κ", "kappa_") == [r"\kappa", r"\tilde{\kappa}", r"\bar{\kappa}"]


def test_greek_letters_become_commands():
    alphabet = "".join(map(chr, range(0x391, 0x3CA))).replace("\u03a2", "")
    assert in_commands(alphabet).isascii()
    assert word_latex(alphabet).isascii()
    assert in_commands("κt_λ") == r"\kappa t_\lambda"


def test_models_with_greek_parameters_are_printed_in_ascii():
    own = sp.Symbol("lambda_"), sp.Symbol("κ")
    model = MultiIndexModel(
        loss=lambda z, y: (y[0] - z[0]) ** 2 / 2 + own[0] * z[0] ** 2,
        regularization=0.1,
        outputs=lambda h, noise: [h[0] + own[1] * noise[0]],
        noise=1,
        parameters={"lambda_": 1.0, "κ": 0.2},
    )
    derivation = derive(model)
    passages = equation_report(derivation).with_results((), Naming.of(None))
    text = latex_document("Report", passages, "p", ())
    assert text.isascii()
    assert r"$\tilde{\lambda}$ & parameter of loss or outputs, called lambda\_" in text
    assert r"\kappa" in text
    assert set(derivation.latex_names.values()) >= {r"\tilde{\lambda}", r"\kappa", r"\lambda"}
    html_document("Report", passages, cited(passages), {})
    shown = {entry.shown for entry in Glossary(derivation.loss_model).entries}
    assert shown >= {r"\tilde{\lambda}", r"\kappa", r"\lambda"}


def test_parameters_may_be_named():
    own = {"kappa": r"\kappa", "strength": r"\mathrm{strength}"}
    naming = Naming.of({"kappa": r"\varkappa", "strength": "r"}, parameters=own)
    assert naming.rename(r"\kappa z \mathrm{strength}^2 \mathrm{sem}") == r"\varkappa zr^{2}\mathrm{sem}"
    with pytest.raises(ValueError, match=r"choose from .*kappa"):
        Naming.of({"rho": "x"}, parameters=own)
