"""From a loss model to its free entropy and saddle system."""
