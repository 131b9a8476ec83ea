"""Diagrams beyond replica symmetry: points by name, transitions, whole diagrams, and the number of minima."""
