"""Models: numbers and functions, checked; their loss as the derivation reads it."""
