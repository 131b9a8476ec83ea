"""What the attention layer is compared with: closed forms and small integrals, no solver."""

from baselines.linear_positional import LinearPositional, linear_positional

__all__ = ["LinearPositional", "linear_positional"]
