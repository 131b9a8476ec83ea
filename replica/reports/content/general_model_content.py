"""Passages on models that differ from the paper's by more than numbers: any attention, rank, spectrum or loss."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.common.errors import DerivationError
from replica.equations.free_entropy import FreeEntropy
from replica.model.attention import attention_matrix, sample_loss
from replica.model.functions.user_functions import matrix_from_text
from replica.model.loss_model import LossModel
from replica.quantities.structure import ModelStructure
from replica.quantities.symbols import teacher_fields
from replica.reports.passages import Equation, Heading, Paragraph, Passage, Table
from replica.reports.typesetting.printing import ReportPrinter

__all__ = ["atom_passages", "general_field_passages", "general_model_passages"]

MOST_ATOMS = 12


def general_model_passages(phi: FreeEntropy, printer: ReportPrinter) -> list[Passage]:
    """Return the model, its assumptions, what is learned and the loss of one sample."""
    model = phi.model
    passages: list[Passage] = [Heading("Model and assumptions")]
    passages += (
        _multi_index_passages(model, printer)
        if model.structure is None
        else _attention_passages(model, model.structure, printer)
    )
    return [*passages, Paragraph(_assumptions(model))]


def _assumptions(model: LossModel) -> str:
    text = r"Assumptions: samples are independent; tokens are independent Gaussian vectors"
    if model.token_law.atom_symbols:
        text += (
            r", whose covariances $\Sigma_l$ share their eigenvectors, over which $\mathbb{E}_{\nu}$ averages "
            r"(eigenvalues $\gamma_l$)"
        )
    else:
        text += r" of covariance $\Sigma = \sigma^2 1$"
    return text + (
        r"; $n, d \to \infty$ at fixed $\alpha = n/d$; replica symmetry. Where the proximal point jumps, replica "
        "symmetry is broken at zero temperature, and what follows from it is a replica-symmetric prediction."
    )


def _attention_passages(model: LossModel, structure: ModelStructure, printer: ReportPrinter) -> list[Passage]:
    length, rank, teacher_rank = structure.sequence_length, structure.rank, structure.teacher_rank
    running = _running(printer, model)
    attention = _attention(model, structure)
    passages: list[Passage] = [
        Paragraph(
            rf"A sequence $x \in \mathbb{{R}}^{{L \times d}}$ has $L = {length}$ Gaussian tokens. A student with tied "
            rf"attention of rank {rank} learns the target of a teacher of rank {teacher_rank}, which does not see the "
            r"positional encodings $p$ {cite:cui2024phase}:"
        ),
        printer.equation("target", "y(x)", r"T\Bigl(\frac{x Q_{\star}}{\sqrt{d}}\Bigr)\, x ,"),
        printer.equation("student", "f_{Q}(x)", r"S\Bigl(\frac{(x+p) Q}{\sqrt{d}}\Bigr)\,(x+p) ."),
        Paragraph(
            r"In terms of the pre-activations $z = (x+p)Q/\sqrt{d}$ of the student and $h^{\star} = x "
            r"Q_{\star}/\sqrt{d}$ of the teacher, entries of attention and target are"
        ),
    ]
    shorthand = [sp.Symbol(f"S_{i + 1}{j + 1}(z)") for i in range(length) for j in range(length)]
    own = running.with_names({x: f"S_{{{x.name[2:4]}}}(z)" for x in shorthand})
    for k, (symbol, value) in enumerate(zip(shorthand, attention, strict=True)):
        shown = own.equation(f"attention-{k // length + 1}{k % length + 1}", symbol, value)
        passages.append(_without(shown, {*shorthand, *model.proximal_point}))
    for k, (symbol, value) in enumerate(zip(model.target_symbols, model.target, strict=True)):
        passages.append(printer.equation(f"target-{k // length + 1}{k % length + 1}", symbol, value))
    traces = [model.token_law.traces[group] for group in structure.layout.groups]
    written = sample_loss(sp.Matrix(length, length, shorthand), sp.Matrix(length, length, model.target_symbols), traces)
    # What is printed is the loss that the equations were derived from, with its weights abbreviated.
    if sp.expand(written.xreplace(dict(zip(shorthand, attention, strict=True))) - model.loss) != 0:
        raise DerivationError(f"the loss of a sample as printed, {written}, is not the one derived from")
    loss = own.equation("loss", r"\ell(z, h^{\star})", written)
    minimised = (
        r"\; \sum_{\mu=1}^{n} \frac{1}{2d}\, \lvert y(x^{\mu}) - f_{Q}(x^{\mu}) \rvert^{2} "
        r"+ \frac{\lambda}{2}\, \lvert Q \rvert^{2} ."
    )
    training = printer.equation("training", r"\min_{Q}", minimised, relation="")
    shown = frozenset({model.ridge}) if isinstance(model.ridge, sp.Symbol) else frozenset()
    return [
        *passages,
        Paragraph(r"The student minimises, over $n = \alpha d$ samples,"),
        Equation(training.label, training.left, training.lines, shown),
        Paragraph("and the loss of one sample depends on the pre-activations alone:"),
        _without(loss, {*shorthand, *model.proximal_point}),
    ]


def _attention(model: LossModel, structure: ModelStructure) -> list[sp.Expr]:
    """Return the entries of S(z), row by row."""
    length, rank = structure.sequence_length, structure.rank
    if not structure.attention:
        return list(attention_matrix(sp.Matrix(length, rank, model.proximal_point)))
    renaming = dict(zip(teacher_fields(length, rank), model.proximal_point, strict=True))
    return list(matrix_from_text(structure.attention).xreplace(renaming))


def _multi_index_passages(model: LossModel, printer: ReportPrinter) -> list[Passage]:
    layout = model.layout
    running = _running(printer, model)
    count = layout.sequence_length
    tokens = "one Gaussian vector" if count == 1 else rf"$L = {count}$ Gaussian vectors"
    loss = running.equation("loss", r"\ell(z, h^{\star})", model.loss)
    return [
        Paragraph(
            rf"A sample $x$ is {tokens} in dimension $d$. Weights $Q$ of rank {layout.rank} minimise, over "
            r"$n = \alpha d$ samples, the sum of a loss of the pre-activations $z = (x+p)Q/\sqrt{d}$ and of outputs "
            r"$y$, plus $\frac{\lambda}{2} \lvert Q \rvert^2$. The outputs depend on the pre-activations $h^{\star} = "
            r"x Q_{\star}/\sqrt{d}$ of a teacher" + (r" and on noise $\xi$:" if model.noise_fields else ":")
        ),
        *(
            printer.equation(f"output-{k + 1}", symbol, value)
            for k, (symbol, value) in enumerate(zip(model.target_symbols, model.target, strict=True))
        ),
        _without(loss, set(model.proximal_point)),
    ]


def _running(printer: ReportPrinter, model: LossModel) -> ReportPrinter:
    """Return a printer for which z is an argument, without its star."""
    return printer.with_names({z: f"z_{{{z.name.removeprefix('z_')}}}" for z in model.proximal_point})


def _without(equation: Equation, symbols: set[sp.Symbol]) -> Equation:
    """Return an equation that does not ask for definitions of some symbols."""
    return Equation(equation.label, equation.left, equation.lines, equation.symbols - symbols)


def general_field_passages(phi: FreeEntropy, printer: ReportPrinter) -> list[Passage]:
    """Return means and covariances of the Gaussian fields of one token of every group."""
    model, law, layout = phi.model, phi.law, phi.layout
    rank, t = layout.rank, layout.teacher_rank
    passages: list[Passage] = []
    for token in range(layout.sequence_length):
        for k in range(token * rank, (token + 1) * rank):
            if law.mean[k] != 0:
                left = rf"\mathbb{{E}}[{printer.doprint(law.variables[k])}]"
                passages.append(printer.equation(f"mean-{law.variables[k]}".replace("_", "-"), left, law.mean[k]))
    for group in range(layout.group_count):
        token = layout.members(group)[0]
        start = len(model.fields) + token * t
        places = [*range(token * rank, (token + 1) * rank), *range(start, start + t)]
        for a, i in enumerate(places):
            for j in places[a:]:
                first, second = law.variables[i], law.variables[j]
                left = rf"\mathrm{{Cov}}[{printer.doprint(first)}, {printer.doprint(second)}]"
                label = f"covariance-{first}-{second}".replace("_", "-")
                passages.append(printer.equation(label, left, law.covariance[i, j]))
    text = r"The fields are Gaussian and independent between tokens, with means (0 where none is given)"
    if layout.group_count < layout.sequence_length:
        text += " and, for one token of each group of equal covariances,"
    return [Paragraph(f"{text} and covariances" if text.endswith(")") else f"{text} covariances"), *passages]


def atom_passages(atoms: Sequence[tuple[float, dict[str, float]]], printer: ReportPrinter) -> list[Passage]:
    """Return the table of a spectrum's atoms, the first ones if there are many."""
    if not atoms or not atoms[0][1]:
        return []
    names = [x for x in atoms[0][1] if any(values[x] for _, values in atoms)]
    shown = [printer.doprint(sp.Symbol(x, real=True)) for x in names]
    rows = tuple((f"{weight:.6g}", *(f"{values[x]:.6g}" for x in names)) for weight, values in atoms[:MOST_ATOMS])
    more = f" (the first {MOST_ATOMS} of {len(atoms)})" if len(atoms) > MOST_ATOMS else ""
    text = f"Atoms of the joint law of covariances, encodings and teacher{more}:"
    return [Paragraph(text), Table(("weight", *(f"${x}$" for x in shown)), rows)]
