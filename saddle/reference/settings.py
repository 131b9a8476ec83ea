"""How accurately a system is solved, and how long it is tried."""

from __future__ import annotations

from dataclasses import dataclass

from replica.common.checked_arguments import checked_integer, positive_number
from replica.common.errors import InvalidArgument

__all__ = ["ReferenceSettings"]


@dataclass(frozen=True)
class ReferenceSettings:
    """How accurately a saddle-point system is solved, and how long it is tried.

    Parameters
    ----------
    accuracy
        Greatest stated error, of order parameters in their natural units and of observables relative: rules along the
        normals that make most of it are refined until it is reached. By default 1e-5 where no rule is given; a rule
        that is given is kept as it is, unless an accuracy is given, too.
    max_nodes
        Most nodes of a rule that is refined. If they do not suffice, the outcome is ``INACCURATE``.
    tolerance
        Greatest residual of a solution, in units of the order parameters.
    max_steps
        Most steps of the iteration.
    damping
        Step of the plain iteration, in (0, 1].

    Raises
    ------
    ValueError
        If one is out of range or none of its kind; the message names it and quotes the value.
    """

    accuracy: float | None = None
    max_nodes: int = 100_000
    tolerance: float = 1e-12
    max_steps: int = 500
    damping: float = 0.5

    def __post_init__(self) -> None:
        """Convert to plain numbers and validate."""
        for name in ("tolerance", "damping") if self.accuracy is None else ("accuracy", "tolerance", "damping"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        for name in ("max_nodes", "max_steps"):
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), 1))
        if self.damping > 1.0:
            raise InvalidArgument(f"damping must lie in (0, 1], got {self.damping!r}")
