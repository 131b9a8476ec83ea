"""Families of solutions, followed as curves, cut into pieces and read off as branches."""
