"""From a model to what its phase diagram contains."""
