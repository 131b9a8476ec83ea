"""Minima of the training loss below those where descent stops: single samples moved between wells."""
