"""Solutions at one alpha: sectors, starts, and which solutions are one."""
