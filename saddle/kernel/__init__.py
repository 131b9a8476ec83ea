"""Kernels: compiled functions of one model structure, found in a cache or made."""
