"""Symmetries of a model, and the sectors that they fix."""
