"""Gaussian averages over the channel: rules, nodes, and the functions on them."""
