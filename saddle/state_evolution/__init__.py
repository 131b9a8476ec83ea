"""The saddle-point equations as a residual."""
