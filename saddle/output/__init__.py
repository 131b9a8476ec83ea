"""Figures, tables and reports of diagrams and lines."""
