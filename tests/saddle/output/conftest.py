"""Diagrams that were stored, for figures that need no solve."""

from __future__ import annotations

from pathlib import Path

import pytest

from saddle import PhaseDiagram

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="session")
def stored() -> PhaseDiagram:
    """A diagram of three points on a grid, with its curves."""
    return PhaseDiagram.load(DATA / "phase_diagram_5.nc")


@pytest.fixture(scope="session")
def without_curves() -> PhaseDiagram:
    """A diagram as version 0.1.0 stored it: the grid alone."""
    return PhaseDiagram.load(DATA / "phase_diagram_4.nc")
