"""The one table of names and LaTeX: order parameters, conjugates, model parameters.

Everything that names a quantity (equations, generated code, result variables, figures, reports) reads it here;
``replica.symbols`` gives its entries their SymPy symbols. It does not know SymPy, so that a solve with a cached
kernel need not import it.
"""

from __future__ import annotations

from dataclasses import dataclass

from replica.model import ModelStructure

__all__ = [
    "ALPHA",
    "AVERAGE_ENVELOPE",
    "CONJUGATES",
    "MODEL_PARAMETERS",
    "ORDER_PARAMETERS",
    "Quantity",
    "model_parameters",
]


@dataclass(frozen=True)
class Quantity:
    """A named quantity: its word in public names, its letter in equations, its LaTeX, its meaning, and its sign."""

    name: str
    letter: str
    latex: str
    meaning: str
    positive: bool = False


ORDER_PARAMETERS: tuple[Quantity, ...] = (
    Quantity("self_overlap", "q", "q", r"$Q^\top \Sigma Q/d$, variance of a pre-activation", positive=True),
    Quantity("positional_overlap", "m", "m", r"$Q^\top p_l/\sqrt d = c_l\, m$, overlap with the encodings"),
    Quantity(
        "susceptibility",
        "V",
        "V",
        r"$\lim \beta\,(q_{aa} - q_{ab})$, response of a pre-activation",
        positive=True,
    ),
    Quantity("semantic_overlap", "theta", r"\theta", r"$Q^\top \Sigma Q_*/d$, overlap with the teacher"),
)
"""Order parameters in the order of every state vector u = (q, m, V, theta)."""

CONJUGATES: tuple[Quantity, ...] = (
    Quantity("self_overlap_conjugate", "q_hat", r"\hat{q}", r"pairs with $V$ in $\Phi$"),
    Quantity("positional_overlap_conjugate", "m_hat", r"\hat{m}", r"pairs with $m$ in $\Phi$"),
    Quantity("susceptibility_conjugate", "V_hat", r"\hat{V}", r"pairs with $q$ in $\Phi$"),
    Quantity("semantic_overlap_conjugate", "theta_hat", r"\hat{\theta}", r"pairs with $\theta$ in $\Phi$"),
)
"""Conjugates, summed over tokens (for m: the sum weighted with c_l), in the same order."""

ALPHA = Quantity("alpha", "alpha", r"\alpha", "samples per dimension $n/d$", positive=True)
AVERAGE_ENVELOPE = Quantity("average_envelope", "average_envelope", r"\mathbb{E}[\mathcal{M}]", "its average")


def model_parameters(structure: ModelStructure) -> tuple[Quantity, ...]:
    """Return the numeric parameters of all models of one structure, in the order of the kernel's parameter vector."""
    tokens = range(1, structure.sequence_length + 1)
    return (
        Quantity("omega", "omega", r"\omega", "weight of the positional matrix in the target"),
        Quantity("sigma", "sigma", r"\sigma", "standard deviation of a token component", positive=True),
        Quantity("regularization", "regularization", r"\lambda", "ridge penalty", positive=True),
        *(
            Quantity(
                f"positional_matrix_{i}{j}",
                f"A_{i}{j}",
                f"A_{{{i}{j}}}",
                "entry of the target's positional matrix",
            )
            for i in tokens
            for j in tokens
        ),
        *(
            Quantity(f"positional_encoding_{i}", f"c_{i}", f"c_{{{i}}}", f"coefficient of token {i}'s encoding")
            for i in tokens
        ),
    )


MODEL_PARAMETERS = model_parameters(ModelStructure())
"""Numeric parameters of models of two tokens, the paper's."""
