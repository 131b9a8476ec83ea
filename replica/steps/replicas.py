r"""Steps with replicas: replicated action, overlaps, replica-symmetric ansatz (theory notes, section 3).

What concerns one token, eigenvector or sample is written for one of each, in the symbols of a single token's layout;
sums over tokens and averages over eigenvectors and samples stand in the text.
"""

from __future__ import annotations

import sympy as sp

from replica.equations.free_entropy import token_trace_action
from replica.equations.replica_trick import REPLICAS, replica_symmetric_conjugate, replica_symmetric_overlap
from replica.model.loss_model import LossModel
from replica.quantities.layout import Layout
from replica.steps.step import DerivationStep, DisplayedEquation, matrix_symbol

__all__ = ["indexed", "overlaps", "replica_symmetric_ansatz", "replicated_action", "replicated_trace"]

FIRST, SECOND = sp.symbols("a b", integer=True, positive=True)


def indexed(letter: str, i: int, j: int, shape: tuple[int, int]) -> sp.IndexedBase:
    """Return the indexed symbol of an entry of a matrix of overlaps."""
    written = [str(i + 1)] * (shape[0] > 1) + [str(j + 1)] * (shape[1] > 1)
    return sp.IndexedBase(letter + (f"_{{{''.join(written)}}}" if written else ""), real=True)


def replicated_trace(layout: Layout) -> sp.Expr:
    r"""Return one token's trace term for any overlaps, as sums over replicas a and b of indexed symbols."""
    r, t, k = layout.rank, layout.teacher_rank, layout.directions
    pairs = sp.Add(
        *(
            indexed("Q", min(i, j), max(i, j), (r, r))[FIRST, SECOND]
            * indexed(r"\hat{Q}", min(i, j), max(i, j), (r, r))[FIRST, SECOND]
            for i in range(r)
            for j in range(r)
        )
    )
    single = sp.Add(
        *(
            indexed(letter, i, j, (r, columns))[FIRST] * indexed(rf"\hat{{{letter}}}", i, j, (r, columns))[FIRST]
            for letter, columns in (("m", k), (r"\theta", t))
            for i in range(r)
            for j in range(columns)
        )
    )
    total = sp.Sum(pairs, (FIRST, 1, REPLICAS), (SECOND, 1, REPLICAS)) / 2
    return total - sp.Sum(single, (FIRST, 1, REPLICAS)) if single != 0 else total


def replicated_action(model: LossModel) -> DerivationStep:
    """Go from the training loss to the exponent of the replicated, averaged partition function."""
    noise = r" and noise $\xi$" if model.noise_fields else ""
    return DerivationStep(
        "replicated action",
        "Replicated partition function",
        r"The minimum of the training loss is the zero-temperature limit of $-\frac{1}{\beta d}\log Z$ with "
        r"$Z = \int dQ\, e^{-\beta[\sum_\mu \ell(z^\mu, (h^{\star})^{\mu}) + \frac{\lambda}{2}|Q|^2]}$, where the "
        r"loss of a sample depends on the pre-activations $z = (x+p)Q/\sqrt{d}$ and, through its outputs, on "
        r"$h^{\star} = xQ_{\star}/\sqrt{d}$" + noise + r" alone. Its logarithm is averaged over the data by "
        r"$\mathbb{E}\log Z = \partial_s \mathbb{E}Z^s|_{s=0}$. The pre-activations of $s$ replicas $Q_a$ are jointly "
        r"Gaussian given the weights, so that $\mathbb{E}Z^s$ is an integral over overlaps, of an exponent "
        r"$d\,\mathcal{A}_s$:",
        (
            DisplayedEquation(
                "partition-function",
                r"\mathbb{E} Z^s",
                r"\int dQ^{ab}\, d\hat{Q}^{ab}\, "
                + (r"dm^a\, d\hat{m}^a\, " if model.layout.directions else "")
                + r"d\theta^a\, d\hat{\theta}^a\; e^{d\, \mathcal{A}_s}",
            ),
            DisplayedEquation(
                "action",
                r"\mathcal{A}_s",
                r"\sum_l \mathcal{A}_s^{\mathrm{trace}, l} + \mathbb{E}_\nu \mathcal{A}_s^{\mathrm{weights}} "
                r"+ \alpha \mathcal{A}_s^{\mathrm{channel}}",
            ),
        ),
    )


def overlaps(model: LossModel) -> DerivationStep:
    """Introduce the overlaps of replicas, and write the terms of the exponent."""
    layout = model.layout
    token = layout.single_token
    definitions = [DisplayedEquation("overlap-replicas", "Q_l^{ab}", r"Q_a^\top \Sigma_l Q_b / d")]
    if layout.directions:
        definitions.append(DisplayedEquation("overlap-encodings", "m_l^a", r"Q_a^\top p_l / \sqrt{d}"))
    definitions.append(DisplayedEquation("overlap-teacher", r"\theta_l^a", r"Q_a^\top \Sigma_l Q_{\star} / d"))
    return DerivationStep(
        "overlaps",
        "Overlaps and their conjugates",
        r"The overlaps are fixed by delta functions with conjugate variables "
        + (r"$\hat{Q}, \hat{m}, \hat{\theta}$" if layout.directions else r"$\hat{Q}, \hat{\theta}$")
        + r". The "
        r"exponent has a trace term for every token $l$, a term of the weights, an integral over the $s$ rows $v_a$ of "
        r"the weights along an eigenvector of the covariances (eigenvalues $\gamma_l$, encodings' projections "
        r"$\tau_l$, teacher's row $\pi$), averaged over eigenvectors by $\mathbb{E}_\nu$, and a term of the channel, "
        r"an average over the Gaussian pre-activations. For one token, one eigenvector and one sample:",
        (
            *definitions,
            DisplayedEquation("trace-replicas", r"\mathcal{A}_s^{\mathrm{trace}}", replicated_trace(token)),
            DisplayedEquation(
                "weights-replicas",
                r"\mathcal{A}_s^{\mathrm{weights}}",
                r"\log \int \prod_a dv_a\, e^{-\frac{1}{2} \sum_{ab} v_a \cdot \mathcal{B}^{ab} v_b + "
                r"\sum_a v_a \cdot \eta^a}",
            ),
            DisplayedEquation(
                "precision-replicas",
                r"\mathcal{B}^{ab}",
                r"\beta\lambda\delta_{ab} + \sum_l \gamma_l \hat{Q}_l^{ab}",
            ),
            DisplayedEquation(
                "tilt-replicas",
                r"\eta^a",
                r"\sum_l \tau_l \hat{m}_l^a + \sum_l \gamma_l \hat{\theta}_l^a \pi"
                if layout.directions
                else r"\sum_l \gamma_l \hat{\theta}_l^a \pi",
            ),
            DisplayedEquation(
                "channel-replicas",
                r"\mathcal{A}_s^{\mathrm{channel}}",
                r"\log \mathbb{E}_{z_1, \ldots, z_s, h^{\star}} \prod_a e^{-\beta\, \ell(z_a, h^{\star})}",
            ),
        ),
    )


def replica_symmetric_ansatz(model: LossModel) -> DerivationStep:
    """Assume replica symmetry, with the scaling in beta that a zero-temperature limit needs."""
    token = model.layout.single_token
    # The same functions that the trace term is made with, of whole matrices.
    letters = ("q", "V", r"\hat{q}", r"\hat{V}")
    q, V, q_hat, V_hat = (matrix_symbol(x, token.rank) for x in letters)
    return DerivationStep(
        "replica symmetry",
        "Replica-symmetric ansatz",
        r"All replicas play the same part. At low temperature they differ by fluctuations of order $1/\beta$, whose "
        r"size is the susceptibility $V$, and conjugates grow with $\beta$; "
        + (
            r"$m^a$ and $\theta^a$ do not depend on the replica, with conjugates $\beta\hat{m}$ and "
            r"$\beta\hat{\theta}$"
            if model.layout.directions
            else r"$\theta^a$ does not depend on the replica, with conjugate $\beta\hat{\theta}$"
        )
        + ". The trace term becomes a polynomial in $s$:",
        (
            DisplayedEquation("ansatz-overlap", "Q^{ab}", replica_symmetric_overlap(q, V)),
            DisplayedEquation("ansatz-conjugate", r"\hat{Q}^{ab}", replica_symmetric_conjugate(q_hat, V_hat)),
            DisplayedEquation("trace-symmetric", r"\mathcal{A}_s^{\mathrm{trace}}", token_trace_action(token)),
        ),
    )
