"""Moves of single samples between the wells of their Moreau objectives: to lower minima."""
