r"""Mean and variance of the target matrix :math:`T(h^\star)`, of any attention model.

Layers that do not read the tokens are compared with the target through these two alone.
"""

from __future__ import annotations

from baselines.averages.moments import TargetMoments
from baselines.averages.target_function import target_function
from baselines.averages.trapezoidal_average import MOST_VARIABLES, trapezoidal_moments
from replica import AttentionModel

__all__ = ["MOST_TOKENS", "target_moments"]

MOST_TOKENS = MOST_VARIABLES
"""Of models of the paper's kind, for what has no other rule than grids over their fields."""


def target_moments(model: AttentionModel, what: str) -> TargetMoments:
    r"""Return mean and variance of :math:`T(h^\star)`, :math:`h^\star_l \sim \mathcal{N}(0, \rho_l)` independent.

    Parameters
    ----------
    model
        The model; only its target with its parameters, and the tokens' traces and teacher variances matter. Every
        node is fixed in units of these, so that results are smooth in them.
    what
        What needs the moments, for error messages.

    Raises
    ------
    ValueError
        If it is no attention model, or the target holds a symbol without a value or is not finite at a node.

    Notes
    -----
    Up to four of the L t Gaussian variables, and five for the default target, are summed by the trapezoidal rule, more
    on scrambled Sobol points. Differences between densities tell little of a target with steps or without a variance:
    errors of the former are rough, those of the latter as large as the value.
    """
    AttentionModel.require_any(model, what)
    target = target_function(model)
    # A grid in five variables has 24 nodes in each at most, too few for many a target.
    if target.dimension < MOST_TOKENS or (target.dimension == MOST_TOKENS and target.bounded):
        return trapezoidal_moments(target)
    from baselines.averages.sobol_average import sobol_moments

    return sobol_moments(target)
