"""Averages over the Gaussian fields of a target, for the baselines."""
