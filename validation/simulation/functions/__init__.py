"""Attention, outputs and losses of models as NumPy functions of many samples."""
