"""Equations that follow from the functional of k steps: stationarity, without conjugates, and gaps that split off."""
