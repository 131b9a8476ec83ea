"""Independent checks of the derivation's steps; ``replica.checks.verification`` runs them."""
