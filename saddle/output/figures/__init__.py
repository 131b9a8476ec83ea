"""Figures of diagrams and of lines, in a notebook, a paper or a report."""
