"""Data sets, training and its runs."""
