"""Minima of one data set: where descent stops, and lower ones."""
