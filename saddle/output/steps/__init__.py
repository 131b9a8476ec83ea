"""Results of steps of replica-symmetry breaking: as tables, as files, and in reports."""
