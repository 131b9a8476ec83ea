"""k steps of replica-symmetry breaking at zero temperature: hierarchical matrices, the functional, its stationarity."""
