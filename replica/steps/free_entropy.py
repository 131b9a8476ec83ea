r"""Steps to the free entropy: Moreau envelope, Phi per token, shared order parameters (theory notes, section 3)."""

from __future__ import annotations

import sympy as sp

from replica.algebra.spectrum_average import spectrum_average
from replica.equations.free_entropy import FreeEntropy, trace_term
from replica.equations.prior_term import prior_term
from replica.model.loss_model import LossModel
from replica.model.token_law import atom_law, encoding_symbols
from replica.quantities.matrices import OrderParameterMatrices
from replica.steps.step import DerivationStep, DisplayedEquation

__all__ = ["moreau_envelope", "per_token_free_entropy", "shared_order_parameters"]


def moreau_envelope(phi: FreeEntropy) -> DerivationStep:
    """Apply Laplace's method to the channel."""
    minimised = phi.channel.objective - phi.channel.loss + sp.Function("loss")(*phi.channel.proximal_point)
    definitions = {x: y for inverse in phi.channel.inverse_susceptibilities for x, y in inverse.definitions.items()}
    return DerivationStep(
        "Moreau envelope",
        "Laplace's method and the Moreau envelope",
        r"The integral in $\zeta$ is dominated by the minimum of its exponent, the Moreau envelope of the loss, "
        r"attained at the proximal point $z^{\star}$ (the global minimiser)"
        + (r", where $J$ are the entries of $V^{-1}$:" if definitions else ":"),
        (
            DisplayedEquation(
                "laplace", r"\lim_{\beta\to\infty} \tfrac{1}{\beta} \log\zeta(w, h^{\star})", -phi.envelope
            ),
            DisplayedEquation("moreau", phi.envelope, sp.Function("minimum")(minimised)),
            *(DisplayedEquation(f"definition-{x}", x, value) for x, value in definitions.items()),
        ),
    )


def per_token_free_entropy(model: LossModel) -> DerivationStep:
    """Write Phi with one set of order parameters per token."""
    layout = model.layout.per_token
    law = atom_law(layout, encoding_symbols(layout))
    prior = prior_term(law, model.ridge)
    definitions = prior.definitions
    # Written out, they fill a page for long sequences; the step that follows needs only what they are.
    short = layout.sequence_length * layout.rank <= 2
    return DerivationStep(
        "free entropy",
        "Free entropy with one set of order parameters per token",
        r"Together, $\Phi = \mathrm{extr}\{\Phi_{\mathrm{trace}} + \Psi_w - \alpha\,\mathbb{E}[\mathcal{M}]\}$, and "
        r"the training loss per dimension tends to $-\Phi$. Moments of $(\tau, \pi)$ at given eigenvalues are "
        r"$P_{ij} = \mathbb{E}\tau_i\tau_j$, $F_{ij} = \mathbb{E}\tau_i\pi_j$, $G_{ij} = \mathbb{E}\pi_i\pi_j$"
        + ("" if not definitions else r"; $K$ are the entries of $B^{-1}$ and $U$ those of $N + M$")
        + ":",
        (
            DisplayedEquation("trace-tokens", r"\Phi_{\mathrm{trace}}", trace_term(layout)),
            DisplayedEquation("prior-tokens", r"\Psi_w", spectrum_average(prior.integrand, law.atom_symbols)),
            *(DisplayedEquation(f"tokens-{x}", x, value) for x, value in definitions.items() if short),
        ),
    )


def shared_order_parameters(phi: FreeEntropy) -> DerivationStep:
    """Share order parameters between equal covariances; encodings along few directions need few m."""
    layout, law = phi.layout, phi.model.token_law
    matrices = OrderParameterMatrices(layout)
    groups = [", ".join(str(token + 1) for token in layout.members(g)) for g in range(layout.group_count)]
    shared = "; ".join(
        f"tokens {members} share $q$, $V$ and $\\theta$" if "," in members else f"token {members} has its own"
        for members in groups
    )
    means = sp.Matrix(law.encoding) * matrices.of("positional_overlap").T if layout.directions else sp.Matrix([])
    equations = [
        DisplayedEquation(f"mean-{token + 1}{a + 1}", _mean(token, a, layout.rank), means[token, a])
        for token in range(layout.sequence_length)
        for a in range(layout.rank)
        if layout.directions
    ]
    equations += [
        DisplayedEquation("trace", r"\Phi_{\mathrm{trace}}", phi.trace_term),
        DisplayedEquation(
            "prior",
            r"\Psi_w",
            spectrum_average(phi.prior.integrand, law.atom_symbols),
        ),
    ]
    equations += [DisplayedEquation(f"definition-{x}", x, value) for x, value in phi.prior.definitions.items()]
    equations.append(
        DisplayedEquation("phi", r"\Phi", r"\Phi_{\mathrm{trace}} + \Psi_w - \alpha\, \mathbb{E}[\mathcal{M}]")
    )
    return DerivationStep(
        "shared order parameters",
        "Tokens of equal covariance share order parameters",
        rf"Overlaps of tokens with equal covariances are equal by definition: {shared}. Only sums of their "
        r"conjugates enter, which are the conjugates from here on. " + _directions(layout.directions),
        tuple(equations),
    )


def _directions(count: int) -> str:
    """Say in words how many overlaps with encodings there are."""
    if count == 0:
        return "There are no encodings. The terms of the free entropy are"
    if count == 1:
        return r"The encodings lie along one direction, with one overlap $m$:"
    return rf"The encodings span {count} directions, with a column of $m$ for each:"


def _mean(token: int, column: int, rank: int) -> str:
    """Return LaTeX of a token's overlap with its encoding."""
    return f"m_{{l={token + 1}}}" if rank == 1 else f"(m_{{l={token + 1}}})_{{{column + 1}}}"
