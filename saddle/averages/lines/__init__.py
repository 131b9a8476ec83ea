"""The envelope along lines of local fields, between its jumps, and what one step of replica-symmetry breaking adds."""
