"""Campaigns run by hand: many models asked in many ways, and trained. What judges their answers is tested here too."""
