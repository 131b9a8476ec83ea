"""A slow, readable solver of any saddle-point system: the second route to what the fast solver computes."""

from saddle.reference.channel_averages import ReferenceRule
from saddle.reference.normal_rules import GaussHermite, LegendrePanels, PlanarRule
from saddle.reference.settings import ReferenceSettings
from saddle.reference.solver import ReferenceOutcome, SaddlePoint, solve_model, solve_reference
from saddle.reference.system import ReferenceSystem

__all__ = [
    "GaussHermite",
    "LegendrePanels",
    "PlanarRule",
    "ReferenceOutcome",
    "ReferenceRule",
    "ReferenceSettings",
    "ReferenceSystem",
    "SaddlePoint",
    "solve_model",
    "solve_reference",
]
