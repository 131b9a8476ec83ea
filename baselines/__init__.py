"""What the attention layer is compared with: closed forms and small integrals, no solver."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import MappingProxyType

# Before anything is imported from replica, of which it cannot be asked: a script of that name would hide it.
_found = find_spec("replica")
if _found is not None and _found.submodule_search_locations is None:
    raise ImportError(
        f"{_found.origin!r} has the name of attention-phase's package 'replica' and hides it: rename it, or run Python "
        "elsewhere"
    )

from baselines.baseline import Baseline, ConstantBaseline
from baselines.bayes_optimal import BayesCurve, BayesOptimal, bayes_optimal
from baselines.linear_positional import LinearPositional, linear_positional
from baselines.population_optimum import (
    PopulationOptimum,
    best_attention,
    best_positional_attention,
    best_semantic_attention,
)
from baselines.uniform_attention import UniformAttention, uniform_attention
from replica import AttentionModel
from replica.common.version import library_version

__all__ = [
    "BASELINES",
    "Baseline",
    "BayesCurve",
    "BayesOptimal",
    "ConstantBaseline",
    "LinearPositional",
    "PopulationOptimum",
    "UniformAttention",
    "bayes_optimal",
    "best_attention",
    "best_positional_attention",
    "best_semantic_attention",
    "linear_positional",
    "uniform_attention",
]

BASELINES: Mapping[str, Callable[[AttentionModel], Baseline]] = MappingProxyType(
    {
        "linear positional": linear_positional,
        "uniform attention": uniform_attention,
        "best positional attention": best_positional_attention,
        "best semantic attention": best_semantic_attention,
        "Bayes-optimal": bayes_optimal,
    }
)
"""Every baseline's function, by the name that its result has."""

__version__ = library_version()
