"""What the attention layer is compared with: closed forms and small integrals, no solver."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from baselines.baseline import Baseline, ConstantBaseline
from baselines.linear_positional import LinearPositional, linear_positional
from baselines.uniform_attention import UniformAttention, uniform_attention
from replica import AttentionModel

__all__ = [
    "BASELINES",
    "Baseline",
    "ConstantBaseline",
    "LinearPositional",
    "UniformAttention",
    "linear_positional",
    "uniform_attention",
]

BASELINES: Mapping[str, Callable[[AttentionModel], Baseline]] = MappingProxyType(
    {
        "linear positional": linear_positional,
        "uniform attention": uniform_attention,
    }
)
"""Every baseline's function, by the name that its result has."""
