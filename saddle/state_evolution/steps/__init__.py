"""The equations of k steps of replica-symmetry breaking at zero temperature: nested averages and the functional."""
