"""Ways down the training loss to a minimum."""
