"""Symbolic algebra that knows no attention: averages, matrices, derivatives, what users may write."""
