"""The solution Q = 0 in closed form, and where others leave it."""
