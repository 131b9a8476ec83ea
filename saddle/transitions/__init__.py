"""Transitions: what they are, where they lie, and how well that is known."""
