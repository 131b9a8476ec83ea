"""Solutions of k steps of replica-symmetry breaking: found from a replica-symmetric one, at given y and at the best."""
