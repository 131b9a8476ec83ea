"""Independent checks of the derivation's steps; ``replica.verification`` runs them."""
