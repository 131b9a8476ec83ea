"""Lines of transitions in a second parameter of the model, and the phase diagram that they make."""
