"""How lines of local fields between jumps are laid and divided."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from replica.common.checked_arguments import checked_integer, checked_number
from replica.common.errors import InvalidArgument

__all__ = ["JumpLineRule"]

# Roughness of lines on which solutions are looked for.
ROUGH = 30.0


@dataclass(frozen=True)
class JumpLineRule:
    r"""Lines of local fields that are broken where the proximal point jumps, for one step and any gap.

    Parameters
    ----------
    roughness
        The lines are those of the replica-symmetric rule coarsened until its errors grow by this factor: what a step
        adds is small, and wanted to fewer digits.
    modes
        Gauss-Hermite nodes of the step in every common mode of the tokens, which lie across the jumps.
    nodes
        Gauss-Hermite nodes of the step along a line far from jumps; Gauss-Legendre nodes of a stretch between jumps
        are 1.2 times, of a panel of outer fields 0.4 times as many.
    spacing
        Of the points at which the envelope is tabulated, in standard deviations of the outer fields.

    Raises
    ------
    ValueError
        If a number is none, not positive, or there are fewer than three nodes.
    """

    roughness: float = 3.0
    modes: int = 5
    nodes: int = 10
    spacing: float = 0.12

    def __post_init__(self) -> None:
        """Refuse what makes no lines."""
        for name in ("modes", "nodes"):
            checked_integer(name, getattr(self, name), 3)
        for name in ("roughness", "spacing"):
            value = checked_number(name, getattr(self, name))
            if not (np.isfinite(value) and value > 0.0):
                raise InvalidArgument(f"{name} must be positive and finite, got {value!r}")

    @property
    def piece_nodes(self) -> int:
        """Nodes of a stretch between jumps."""
        return (6 * self.nodes + 4) // 5

    @property
    def panel_nodes(self) -> int:
        """Nodes of a panel of outer fields."""
        return max(2, (2 * self.nodes + 2) // 5)

    @property
    def coarsened(self) -> JumpLineRule:
        """The rule on few lines: for finding what the rule itself only has to sharpen."""
        return replace(self, roughness=max(ROUGH, self.roughness))

    def with_finer_orders(self) -> JumpLineRule:
        """Return the rule with half again as many nodes and points on the same lines."""
        return replace(self, modes=self.modes + 2, nodes=(3 * self.nodes) // 2, spacing=self.spacing / 1.5)
