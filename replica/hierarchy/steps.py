"""The steps to k steps of replica-symmetry breaking, as text and equations."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.algebra.spectrum_average import spectrum_average
from replica.equations.replica_trick import BETA, REPLICAS
from replica.hierarchy.ansatz import hierarchical_trace_action, trace_limit
from replica.hierarchy.channel import hierarchical_channel_action
from replica.hierarchy.equations.eliminated import EliminatedTerms
from replica.hierarchy.equations.splitting import Splitting
from replica.hierarchy.equations.stationarity import HierarchicalSystem
from replica.hierarchy.functional import HierarchicalFreeEntropy
from replica.hierarchy.matrices import HierarchicalMatrix
from replica.hierarchy.quantities import HierarchyQuantities
from replica.steps.limits import single_partition_function
from replica.steps.step import DerivationStep, DisplayedEquation, matrix_symbol

__all__ = ["hierarchy_steps"]


def _ansatz(functional: HierarchicalFreeEntropy) -> DerivationStep:
    own = functional.quantities
    k, rank = own.steps, own.layout.rank
    token = HierarchyQuantities(own.layout.single_token, k)

    def of_level(level: int) -> tuple[sp.Basic, sp.Basic]:
        if rank == 1:
            return token.self_overlap(level)[0, 0], token.conjugate(level)[0, 0]
        return matrix_symbol(f"q_{{{level}}}", rank), matrix_symbol(rf"\hat{{q}}_{{{level}}}", rank)

    V, V_hat = matrix_symbol("V", rank), matrix_symbol(r"\hat{V}", rank)
    equations = []
    for level in own.levels:
        q, q_hat = of_level(level)
        place = rf"^{{ab}}_{{{level}}}"
        equations += [
            DisplayedEquation(f"overlap-{level}", f"Q{place}", q),
            DisplayedEquation(f"conjugate-{level}", rf"\hat{{Q}}{place}", -(BETA**2) * q_hat),
        ]
    innermost = of_level(k)
    equations += [
        DisplayedEquation("overlap-diagonal", "Q^{aa}", innermost[0] + V / BETA),
        DisplayedEquation("conjugate-diagonal", r"\hat{Q}^{aa}", BETA * V_hat - BETA**2 * innermost[1]),
        DisplayedEquation(
            "trace-replicas", r"\mathcal{A}_s^{\mathrm{trace}}", hierarchical_trace_action(own.layout.single_token, k)
        ),
    ]
    blocks = r"blocks of $s_{1}$ replicas" if k else "no blocks"
    nested = ", each of those into blocks of $s_{2}$, and so on" if k > 1 else ""
    return DerivationStep(
        "hierarchical ansatz",
        "Replicas in nested blocks",
        rf"The $s$ replicas are divided into {blocks}{nested}. The overlap of two replicas $a, b$ depends on the level "
        r"$j$ of the smallest block that holds both, level 0 if none does. Conjugates scale with $\beta$ as they do "
        r"without steps, and sizes of blocks as $s_{j} = y_{j}/\beta$. For one token:",
        tuple(equations),
    )


def _matrices(functional: HierarchicalFreeEntropy) -> DerivationStep:
    k = functional.steps
    names = sp.symbols(f"D0:{k + 2}")
    increments = (sp.Matrix([[x]]) for x in sp.symbols(f"C0:{k + 2}"))
    eigenvalues = HierarchicalMatrix(tuple(increments)).eigenvalues()
    logarithm = sp.Add(*(count * sp.log(x) for x, (_, count) in zip(names, eigenvalues, strict=True)))
    equations = [
        *(
            DisplayedEquation(f"eigenvalue-{j}", x, value[0, 0])
            for j, (x, (value, _)) in enumerate(zip(names, eigenvalues, strict=True))
        ),
        DisplayedEquation("determinant", r"\log\det", logarithm),
        DisplayedEquation("inverse", r"\sum_{ab} \left[\,\cdot\,^{-1}\right]_{ab}", REPLICAS / names[0]),
    ]
    return DerivationStep(
        "hierarchical matrices",
        "Determinant and inverse of hierarchical matrices",
        r"A matrix whose entries grow by $C_{j}$ from level $j - 1$ to level $j$, on the diagonal by "
        rf"$C_{{{k + 1}}}$, has these eigenvalues, logarithm of the determinant and sum of all entries of the "
        r"inverse. For a student of several columns all are matrices, with a determinant in the logarithm:",
        tuple(equations),
    )


def _limits(functional: HierarchicalFreeEntropy) -> DerivationStep:
    terms = functional.terms
    atom = terms.atom_symbols
    equations = [
        DisplayedEquation(
            "trace-token", r"\Phi_{\mathrm{trace}}", trace_limit(terms.quantities.layout.single_token, functional.steps)
        ),
        DisplayedEquation("prior", r"\Psi_{w}", spectrum_average(terms.prior.integrand, atom)),
        *(DisplayedEquation(f"definition-{x}", x, value) for x, value in terms.prior.precisions.items()),
    ]
    return DerivationStep(
        "limits",
        "No replicas, zero temperature",
        r"For $s \to 0$ at fixed $s_{j}$, and then $\beta \to \infty$ at fixed $y_{j}$, the trace term of one token "
        r"and the term of the weights become",
        tuple(equations),
    )


def _nested(functional: HierarchicalFreeEntropy) -> DerivationStep:
    phi, k = functional.symmetric, functional.steps
    action = hierarchical_channel_action(single_partition_function(phi.model), functional.law, k)
    equations = [DisplayedEquation("channel-replicas", r"\mathcal{A}_s^{\mathrm{channel}}", action)]
    equations += [
        DisplayedEquation(f"level-{k - n}", left, right)
        for n, (left, right) in enumerate(functional.definitions.items())
    ]
    text = (
        r"Fields of replicas in one block of level $j$ share $w + u_{1} + \dots + u_{j}$, with increments $u_{j}$ of "
        r"covariance $\Delta_{j} = q_{j} - q_{j-1}$ for every token, independent of each other; fields are taken at "
        r"the innermost level in $\zeta$. With Laplace's method for $\zeta$, and "
        rf"$\varphi_{{{k + 1}}} = -\mathcal{{M}}$:"
        if k
        else r"Replicas share the fields $w$, and Laplace's method gives the Moreau envelope:"
    )
    return DerivationStep("nested averages", "Nested averages of the Moreau envelope", text, tuple(equations))


def _functional(functional: HierarchicalFreeEntropy) -> DerivationStep:
    terms = functional.terms
    return DerivationStep(
        "functional",
        "The functional",
        r"It is made stationary in all order parameters and conjugates. The fields $w$ and $h^{\star}$ are Gaussian as "
        r"for replica symmetry, with $q_{0}$ for $q$. As a function of $y_{1}$ at one step it generates the numbers of "
        r"metastable minima; the ground state is where it is stationary in every $y_{j}$, and the training loss per "
        r"dimension tends to $-\Phi$ there:",
        (
            DisplayedEquation("trace", r"\Phi_{\mathrm{trace}}", terms.trace_term),
            DisplayedEquation("channel", r"\Phi_{\mathrm{channel}}", functional.channel_term),
            DisplayedEquation("phi", r"\Phi", r"\Phi_{\mathrm{trace}} + \Psi_{w} + \Phi_{\mathrm{channel}}"),
        ),
    )


def _stationarity(system: HierarchicalSystem) -> DerivationStep:
    equations = [DisplayedEquation(f"definition-{x}", x, value) for x, value in system.prior_definitions.items()
                 if x not in system.prior.precisions]  # fmt: skip
    equations += [DisplayedEquation(f"definition-{x}", x, value) for x, value in system.channel_definitions.items()]
    for left, value in system.overlap_equations.items():
        label = "-".join(sorted(map(str, left.free_symbols)))
        equations.append(DisplayedEquation(f"saddle-{label}", left, value))
    equations += [DisplayedEquation(f"saddle-{x}", x, value) for x, value in system.conjugate_equations.items()]
    return DerivationStep(
        "stationarity",
        "Stationarity in order parameters and conjugates",
        r"Tilted averages $\langle\cdot\rangle_{j}$ over the increments of levels 1 to $j$ have the weight "
        r"$e^{y_{i}(\varphi_{i+1} - \varphi_{i})}$ at level $i$. Slopes of $\varphi_{j}$ are tilted averages of slopes "
        r"of $\varphi_{j+1}$, the innermost of $-\mathcal{M}$; second derivatives cancel except at the innermost "
        r"level, where integration by parts lowers them:"
        if system.quantities.steps
        else r"Stationarity gives, with derivatives of $\mathcal{M}$ lowered by integration by parts:",
        tuple(equations),
    )


def _parameters(system: HierarchicalSystem) -> DerivationStep:
    return DerivationStep(
        "sizes of blocks",
        "Stationarity in the sizes of blocks",
        r"Where all the rest is stationary, Phi has these derivatives in $y_{j}$, which vanish at the ground state. At "
        r"one step the complexity of metastable minima is $-y_{1}^{2}$ times the first:".replace("Phi", r"$\Phi$"),
        tuple(
            DisplayedEquation(f"slope-{y}", rf"\frac{{\partial\Phi}}{{\partial y_{{{level}}}}}", value)
            for level, (y, value) in enumerate(system.parameter_equations.items(), start=1)
        ),
    )


def _eliminated(terms: EliminatedTerms) -> DerivationStep:
    return DerivationStep(
        "without conjugates",
        "Without conjugates",
        r"For one isotropic covariance stationarity in the conjugates is solved by $B_{j} = \sigma^{2}/\chi_{j}$ with "
        r"the susceptibilities $\chi_{j}$ of blocks, and $\Delta_{j} = q_{j} - q_{j-1}$:",
        (
            *(DisplayedEquation(f"susceptibility-{x}", x, y) for x, y in terms.susceptibilities.items()),
            DisplayedEquation("eliminated", r"\Phi_{\mathrm{trace}} + \Psi_{w}", terms.integrand),
        ),
    )


def _stability(splittings: Sequence[Splitting]) -> DerivationStep:
    equations = []
    for one in splittings:
        equations += [DisplayedEquation(f"answer-{x}", x, value) for x, value in one.conjugate_equations.items()]
        equations += [DisplayedEquation(f"split-{x}", x, value) for x, value in one.gap_equations.items()]
    k = len(splittings) - 1
    levels = f"one of the levels $j = 0$ to {k}" if k else "the one level $j = 0$ of replica symmetry"
    return DerivationStep(
        "stability",
        "Stability of every level against one more step",
        rf"Split off {levels} an infinitesimal gap $\delta_{{j}}$, with a parameter of its own. The channel answers "
        r"with a gap $\hat{\delta}_{j}$ of the conjugates, the weights answer that with one of the overlaps; the gap's "
        r"parameter drops out of both. The level is stable where the largest eigenvalue of the product of both maps "
        r"is below one, and its replicon eigenvalue is one minus that. At the innermost level curvatures are those of "
        r"$\mathcal{M}$, whose squares do not exist where the proximal point jumps: there the level is unstable at "
        r"zero temperature.",
        tuple(equations),
    )


def hierarchy_steps(
    system: HierarchicalSystem, eliminated: EliminatedTerms | None, splittings: Sequence[Splitting]
) -> tuple[DerivationStep, ...]:
    """Return the steps, in order; two of them only where there are any such equations."""
    functional = system.functional
    return (
        _ansatz(functional),
        _matrices(functional),
        _limits(functional),
        _nested(functional),
        _functional(functional),
        _stationarity(system),
        *([_parameters(system)] if functional.steps else []),
        *([_eliminated(eliminated)] if eliminated else []),
        _stability(splittings),
    )
