"""Runs held against theory."""
