"""Folds, branch points, pitchforks and zeros on a curve, and lines of them."""
