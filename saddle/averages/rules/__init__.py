"""Quadrature rules: outer nodes of the Gaussian integral, and the orders of the line rule inside."""
