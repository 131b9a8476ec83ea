"""Passages on the model: what is trained on what, the loss of one sample, the law of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from replica.equations.free_entropy import FreeEntropy
from replica.model.attention import attention_matrix
from replica.quantities import symbols
from replica.reports.passages import Equation, Heading, Line, Paragraph, Passage
from replica.reports.typesetting.printing import ReportPrinter

__all__ = ["field_passages", "model_passages"]

_ASSUMPTIONS = (
    r"Assumptions: samples are independent; tokens are independent Gaussian vectors of covariance $\Sigma "
    r"= \sigma^2 1$; "
    r"the encodings know nothing of the teacher; $n, d \to \infty$ at fixed $\alpha = n/d$; replica symmetry. Where "
    r"the proximal point jumps, replica symmetry is broken at zero temperature, and what follows from it is a "
    r"replica-symmetric prediction."
)


def model_passages(phi: FreeEntropy, printer: ReportPrinter) -> list[Passage]:
    """Return the model, its assumptions, the target and the loss of one sample."""
    length = phi.structure.sequence_length
    return [
        Heading("Model and assumptions"),
        Paragraph(
            rf"A sequence $x \in \mathbb{{R}}^{{L \times d}}$ has $L = {length}$ tokens, whose entries are independent "
            r"and Gaussian with variance $\sigma^2$. A student with tied, rank-one attention learns a target that "
            r"does not see the positional encodings $p_l = c_l\, 1_d/\sqrt{d}$ {cite:cui2024phase}:"
        ),
        printer.equation("target", "y(x)", r"T\Bigl(\frac{x Q_{\star}}{\sqrt{d}}\Bigr)\, x ,"),
        printer.equation("student", "f_{Q}(x)", r"S\Bigl(\frac{(x+p) Q}{\sqrt{d}}\Bigr)\,(x+p) ,"),
        printer.equation("attention", r"S_{ij}(z)", r"\frac{e^{z_{i} z_{j}}}{\sum_{k} e^{z_{i} z_{k}}} ."),
        Paragraph("With pre-activations $h^{\\star} = x Q_{\\star}/\\sqrt{d}$ of the teacher, the target's matrix is"),
        *_target_equations(phi, printer),
        Paragraph(r"The student minimises, over $n = \alpha d$ samples,"),
        _training_equation(printer),
        Paragraph(_ASSUMPTIONS),
        Paragraph(
            r"In the limit the loss of one sample depends on the pre-activations $z = (x+p)Q/\sqrt{d}$ and $h^{\star}$ "
            "alone:"
        ),
        _loss_equation(phi, printer),
    ]  # fmt: skip


def _training_equation(printer: ReportPrinter) -> Equation:
    """Return what the student minimises."""
    risk = r"\frac{1}{2d}\, \lvert y(x^{\mu}) - f_{Q}(x^{\mu}) \rvert^{2}"
    text = rf"\; \sum_{{\mu=1}}^{{n}} {risk} + \frac{{\lambda}}{{2}}\, \lvert Q \rvert^{{2}} ."
    shown = printer.equation("training", r"\min_{Q}", text, relation="")
    return replace(shown, symbols=frozenset({symbols.parameter("regularization")}))


def _target_equations(phi: FreeEntropy, printer: ReportPrinter) -> list[Passage]:
    """Print one formula for all entries of the target, if it holds for all of them; otherwise every entry."""
    length = phi.structure.sequence_length
    omega = symbols.parameter("omega")
    weights, matrix = attention_matrix(phi.teacher_fields), symbols.positional_matrix(length)
    general, entry = sp.Symbol("S_ij(h*)"), sp.Symbol("A_ij")
    formula = (1 - omega) * general + omega * entry
    names = {general: r"S_{ij}(h^{\star})", entry: "A_{ij}", sp.Symbol("T_ij"): "T_{ij}"}
    generic = printer.with_names(names)
    if all(
        sp.expand(formula.xreplace({general: weights[i, j], entry: matrix[i, j]}) - phi.target[i, j]) == 0
        for i in range(length)
        for j in range(length)
    ):
        equation = generic.equation("target-entries", sp.Symbol("T_ij"), ((1 - omega) * general, omega * entry))
        shown = frozenset(x for x in equation.symbols if x != general)
        return [Equation(equation.label, equation.left, (*equation.lines[:-1], _ended(equation.lines[-1], ".")), shown)]
    entries = sp.Matrix(length, length, phi.channel.target_symbols)
    return [printer.equation(f"target-{i + 1}{j + 1}", entries[i, j], phi.target[i, j])
            for i in range(length) for j in range(length)]  # fmt: skip


def _ended(line: Line, mark: str) -> Line:
    return Line(line.text + mark, line.indent)


def _loss_equation(phi: FreeEntropy, printer: ReportPrinter) -> Equation:
    """Print the sample loss with attention weights S_ij(z) instead of their exponentials."""
    length = phi.structure.sequence_length
    weights = attention_matrix(phi.channel.proximal_point)
    target = sp.Matrix(length, length, phi.channel.target_symbols)
    pairs = [(i, j) for i in range(length) for j in range(length)]
    shorthand = {(i, j): sp.Symbol(f"S_{i + 1}{j + 1}(z)") for i, j in pairs}
    squares = [(shorthand[pair] - target[pair]) ** 2 for pair in pairs]
    written_out = {symbol: weights[pair] for pair, symbol in shorthand.items()}
    # The prefactor is read off the expression itself, not typed.
    prefactor = sp.simplify(phi.channel.loss / sp.Add(*(square.xreplace(written_out) for square in squares)))
    own = printer.with_names({x: f"S_{{{i + 1}{j + 1}}}(z)" for (i, j), x in shorthand.items()})
    if not prefactor.free_symbols <= {x.symbol for x in phi.parameters}:
        return own.equation("loss", r"\ell(z, h^{\star})", phi.channel.loss)
    inside = "+".join(_flipped(own, shorthand[pair], target[pair]) for pair in pairs)
    printed = rf"{own.doprint(prefactor)} \left[{inside}\right]"
    shown = own.equation("loss", r"\ell(z, h^{\star})", printed)
    return Equation(shown.label, shown.left, shown.lines, frozenset(prefactor.free_symbols | set(target)))


def _flipped(printer: ReportPrinter, weight: sp.Symbol, target: sp.Symbol) -> str:
    return rf"\left({printer.doprint(weight)} - {printer.doprint(target)}\right)^{{2}}"


def field_passages(phi: FreeEntropy, printer: ReportPrinter) -> list[Passage]:
    """Return means and covariances of the Gaussian fields, for a general token if they are alike."""
    law, length = phi.law, phi.structure.sequence_length
    encoding = symbols.positional_encoding(length)
    general = {c: sp.Symbol("c_l") for c in encoding}
    own = printer.with_names({sp.Symbol("c_l"): "c_{l}"})

    def of_token(token: int) -> tuple[sp.Expr, ...]:
        other = length + token
        return (law.mean[token].xreplace({encoding[token]: general[encoding[token]]}), law.mean[other],
                law.covariance[token, token], law.covariance[token, other], law.covariance[other, other])  # fmt: skip

    alike = len({of_token(token) for token in range(length)}) == 1
    tokens: Sequence[int] = (0,) if alike else range(length)
    found: list[Passage] = []
    for token in tokens:
        index = "l" if alike else str(token + 1)
        mean, teacher_mean, own_variance, cross, teacher_variance = map(own.doprint, of_token(token))
        w, h = f"w_{{{index}}}", rf"h^{{\star}}_{{{index}}}"
        text = (
            rf"{mean}, \quad \mathbb{{E}}[{h}] = {teacher_mean}, \quad \mathrm{{Cov}}[{w}, {w}] = {own_variance}, "
            rf"\quad "
            rf"\mathrm{{Cov}}[{w}, {h}] = {cross}, \quad \mathrm{{Cov}}[{h}, {h}] = {teacher_variance}."
        )
        label = "law" if alike else f"law-{token + 1}"
        equation = own.equation(label, rf"\mathbb{{E}}[{w}]", text)
        shown = frozenset(x for value in of_token(token) for x in value.free_symbols)
        found.append(Equation(equation.label, equation.left, equation.lines, shown))
    return [Paragraph(r"The fields are Gaussian and independent between tokens, with"), *found]
