"""Equation reports: the model, Phi and the saddle-point equations as LaTeX and Markdown.

Every equation is printed from the SymPy object that the kernel is generated from; nothing is typed twice. A
report is a list of blocks (headings, text, equations, tables), rendered by one function per format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from replica import symbols
from replica.attention import attention_matrix, with_exponentials
from replica.free_energy import FreeEntropy
from replica.gaussian_average import GaussianAverage
from replica.saddle_equations import SaddleSystem

__all__ = ["Equation", "Heading", "Paragraph", "Table", "equation_blocks", "render_latex", "render_markdown"]


@dataclass(frozen=True)
class Heading:
    """A section's title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Text with inline mathematics between dollar signs."""

    text: str


@dataclass(frozen=True)
class Equation:
    """A displayed equation: left side and the right side's lines, each within a line's width."""

    label: str
    left: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table with a header row; cells are text with inline mathematics."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Equation | Table


class _ReportPrinter(LatexPrinter):
    """LaTeX with the table's symbols; the envelope as a calligraphic M of its arguments."""

    def __init__(self, names: Mapping[sp.Symbol, str]) -> None:
        super().__init__({"symbol_names": dict(names), "order": "rev-lex", "long_frac_ratio": 3})

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        if expr.func.__name__ == "M":
            return r"\mathcal{M}(w, V, h^{\star})"
        return super()._print_Function(expr, exp)


def _sum_lines(printer: LatexPrinter, expression: sp.Expr, per_line: int) -> list[str]:
    """Print a sum over several lines, a few terms on each; later lines begin with their sign."""
    terms = sp.Add.make_args(expression)
    ordered = sorted(terms, key=sp.default_sort_key)
    lines: list[str] = []
    for first in range(0, len(ordered), per_line):
        text = ""
        for term in ordered[first : first + per_line]:
            printed = printer.doprint(term)
            separator = "" if printed.startswith("-") or (first == 0 and not text) else "+"
            text += f" {separator} {printed}" if text or separator else printed
        lines.append(text.strip())
    return lines


def _average_lines(printer: LatexPrinter, expression: sp.Expr) -> tuple[str, ...]:
    """Print factor times E[sum of terms], one term per line."""
    (average,) = expression.atoms(GaussianAverage)
    factor = sp.simplify(expression / average)
    lines = _sum_lines(printer, average.integrand, 1)
    lines[0] = rf"{printer.doprint(factor)}\, \mathbb{{E}}\Big[ {lines[0]}"
    lines[-1] += r" \Big]"
    return tuple(lines)


def _parameter_rows(quantities: Sequence[symbols.Quantity], values: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    return tuple((x.meaning, f"${x.latex}$", f"{values[x.name]:g}") for x in quantities)


def equation_blocks(system: SaddleSystem, parameter_values: Mapping[str, float]) -> list[Block]:
    """Return the report of a saddle-point system.

    Parameters
    ----------
    system
        The equations; the same object that generates the kernel.
    parameter_values
        Values of the model's parameters by name.
    """
    phi = system.free_entropy
    names = symbols.latex_names(phi.structure)
    length = phi.structure.sequence_length
    printer = _ReportPrinter(names)
    running = _ReportPrinter({**names, **{z: f"z_{{{i}}}" for i, z in enumerate(phi.points, 1)}})
    target_symbols = sp.Matrix(length, length, phi.target_symbols)
    blocks: list[Block] = [
        Heading("Model"),
        Paragraph(
            rf"Sequences of $L = {length}$ tokens "
            r"$x \in \mathbb{R}^{L \times d}$ with independent entries of variance "
            r"$\sigma^2$ and encodings $p_l = c_l 1_d/\sqrt{d}$. The student "
            r"$f_Q(x) = S[(x+p)Q/\sqrt{d}]\,(x+p)$, with $S(h)$ the row softmax of $h h^\top$, learns "
            r"$y(x) = T[x Q_\star/\sqrt{d}]\,x$ from $n = \alpha d$ samples by minimising "
            r"$\sum_\mu |y^\mu - f_Q(x^\mu)|^2/(2d) + \frac{\lambda}{2}|Q|^2$ (section 2 of arXiv:2402.03902). "
            r"Entries of the target in terms of $h^\star = x Q_\star/\sqrt{d}$:"
        ),
    ]
    for i in range(target_symbols.rows):
        for j in range(target_symbols.cols):
            printed = _sum_lines(printer, with_exponentials(phi.target[i, j]), 2)
            blocks.append(Equation(f"target-{i + 1}{j + 1}", printer.doprint(target_symbols[i, j]), tuple(printed)))
    blocks += [
        Paragraph("One sample's loss depends on the pre-activations alone:"),
        Equation("loss", r"\ell(z, h^{\star})", tuple(_loss_lines(running, phi, target_symbols))),
        Heading("Order parameters"),
        Table(
            ("order parameter", "meaning", "conjugate"),
            tuple(
                (f"${order.latex}$", order.meaning, f"${conjugate.latex}$")
                for order, conjugate in zip(symbols.ORDER_PARAMETERS, symbols.CONJUGATES, strict=True)
            ),
        ),
        Paragraph(
            r"They are shared by the tokens, whose covariances are equal; conjugates are summed over tokens "
            r"(for $m$, with weights $c_l$)."
        ),
        Heading("Free entropy"),
        Paragraph(r"Replica-symmetric, at zero temperature, to be made stationary in all its arguments:"),
        Equation(
            "free-entropy",
            r"\Phi",
            (
                *_sum_lines(printer, phi.trace_term, 4),
                "+ " + printer.doprint(phi.prior_term),
                printer.doprint(-symbols.ALPHA.symbol * phi.average_envelope),
            ),
        ),
        Paragraph(
            r"The training loss per dimension tends to $-\Phi$. $\mathcal{M}$ is the Moreau envelope of the "
            r"sample loss, attained at the proximal point $z^\star$ (the global minimiser),"
        ),
        Equation(
            "moreau",
            r"\mathcal{M}(w, V, h^{\star})",
            (r"\min_{z} \Big\{ " + running.doprint(phi.objective - phi.loss) + r" + \ell(z, h^{\star}) \Big\}",),
        ),
        Paragraph(r"averaged over Gaussian fields, independent between tokens, with means and covariance"),
        *_law_equations(printer, system),
        Heading("Saddle-point equations"),
        Paragraph("Stationarity in the conjugates gives the order parameters in closed form,"),
    ]
    for overlap, value in system.overlap_equations.items():
        blocks.append(Equation(f"saddle-{overlap}", printer.doprint(overlap), (printer.doprint(value),)))
    blocks.append(
        Paragraph(
            "and stationarity in the order parameters (Price's theorem, integration by parts, envelope theorem) "
            "gives the conjugates,"
        )
    )
    for conjugate, value in system.conjugate_equations.items():
        lines = _average_lines(printer, value)
        blocks.append(Equation(f"saddle-{str(conjugate).replace('_', '-')}", printer.doprint(conjugate), lines))
    ridge_term = sp.simplify(system.training_loss - symbols.ALPHA.symbol * _loss_average(system))
    blocks += [
        Heading("Observables"),
        Paragraph(r"Training loss per dimension by an independent route, equal to $-\Phi$ at every solution:"),
        Equation(
            "training-loss",
            r"\epsilon_t",
            (r"\alpha\, \mathbb{E}[\ell(z^{\star}, h^{\star})] + " + printer.doprint(ridge_term),),
        ),
        Paragraph("Test error per token:"),
        Equation("test-error", r"\epsilon_g", (_test_error(printer, system),)),
        Heading("Parameters"),
        Table(("parameter", "symbol", "value"), _parameter_rows(phi.parameters, parameter_values)),
    ]
    return blocks


def _loss_average(system: SaddleSystem) -> GaussianAverage:
    (average,) = system.training_loss.atoms(GaussianAverage)
    return average


def _test_error(printer: LatexPrinter, system: SaddleSystem) -> str:
    (average,) = system.test_error.atoms(GaussianAverage)
    factor = system.test_error / average
    shown = "" if factor == 1 else printer.doprint(factor) + r"\, "
    return shown + r"\mathbb{E}[\ell(w, h^{\star})]"


def _loss_lines(printer: LatexPrinter, phi: FreeEntropy, target: sp.Matrix) -> list[str]:
    """Print the sample loss with attention weights S_ij(z) instead of their exponentials."""
    weights = attention_matrix(phi.points)
    length = weights.rows
    pairs = [(i, j) for i in range(length) for j in range(length)]
    squares = sp.Add(*((sp.Symbol(f"S_{{{i + 1}{j + 1}}}(z)") - target[i, j]) ** 2 for i, j in pairs))
    # The prefactor is read off the expression itself, not typed.
    prefactor = sp.simplify(phi.loss / sp.Add(*((weights[i, j] - target[i, j]) ** 2 for i, j in pairs)))
    lines = _sum_lines(printer, squares, length)
    lines[0] = rf"{printer.doprint(prefactor)} \Big[ {lines[0]}"
    lines[-1] += r" \Big]"
    return lines


def _law_equations(printer: LatexPrinter, system: SaddleSystem) -> list[Block]:
    law = system.free_entropy.law
    blocks: list[Block] = []
    length = system.free_entropy.structure.sequence_length
    for token in range(length):
        w, h = law.variables[token], law.variables[length + token]
        pairs = [(token, token), (token, length + token), (length + token, length + token)]
        names = [(w, w), (w, h), (h, h)]
        parts = [rf"\mathbb{{E}}[{printer.doprint(w)}] = {printer.doprint(law.mean[token])}"]
        for (i, j), (a, b) in zip(pairs, names, strict=True):
            inside = f"{printer.doprint(a)}, {printer.doprint(b)}"
            parts.append(rf"\mathrm{{Cov}}[{inside}] = {printer.doprint(law.covariance[i, j])}")
        left, _, right = parts[0].partition(" = ")
        lines = (f"{right}, \\quad {parts[1]},", rf"\qquad {parts[2]}, \quad {parts[3]}")
        blocks.append(Equation(f"law-{token + 1}", left, lines))
    return blocks


_LATEX_HEAD = r"""\documentclass[11pt]{article}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb}
\title{%s}
\date{}
\begin{document}
\maketitle
"""


def _escape_text(text: str) -> str:
    """Escape LaTeX's special characters outside of inline mathematics."""
    parts = re.split(r"(\$[^$]*\$)", text)
    special = {"%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "<": "$<$", ">": "$>$"}
    return "".join(part if part.startswith("$") else "".join(special.get(c, c) for c in part) for part in parts)


def render_latex(title: str, blocks: Sequence[Block], prefix: str = "attention") -> str:
    """Render blocks as a standalone LaTeX document (amsmath only); equation labels carry a prefix."""
    parts = [_LATEX_HEAD % _escape_text(title)]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(rf"\section{{{_escape_text(text)}}}")
            case Paragraph(text):
                parts.append(_escape_text(text))
            case Equation(label, left, lines):
                body = " \\\\\n  &\\quad ".join(lines)
                parts.append(
                    "\\begin{equation}\n\\label{eq:" + prefix + "-" + label + "}\n"
                    "\\begin{split}\n  " + left + " ={}& " + body + "\n\\end{split}\n\\end{equation}"
                )
            case Table(header, rows):
                columns = "l" * len(header)
                table = [r"\begin{center}", rf"\begin{{tabular}}{{{columns}}}", r"\hline"]
                table.append(" & ".join(map(_escape_text, header)) + r" \\ \hline")
                table += [" & ".join(map(_escape_text, row)) + r" \\" for row in rows]
                parts.append("\n".join([*table, r"\hline", r"\end{tabular}", r"\end{center}"]))
    return "\n\n".join([*parts, r"\end{document}"]) + "\n"


def render_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Render blocks as Markdown with mathematics between dollar signs."""
    parts = [f"# {title}"]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(f"## {text}")
            case Paragraph(text):
                parts.append(text)
            case Equation(_, left, lines):
                body = " \\\\\n&\\quad ".join(lines)
                parts.append("$$\n\\begin{split}\n" + left + " ={}& " + body + "\n\\end{split}\n$$")
            case Table(header, rows):
                table = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
                # A bar inside a cell would end it; in mathematics \vert means the same.
                table += ["| " + " | ".join(cell.replace("|", r"\vert ") for cell in row) + " |" for row in rows]
                parts.append("\n".join(table))
    return "\n\n".join(parts) + "\n"
