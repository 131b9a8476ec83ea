"""Continuation and bifurcation analysis of F(x; p) = 0: a general engine that knows no attention."""
