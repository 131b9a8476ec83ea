"""Curves cut into pieces on which alpha is monotone, mended and named."""
