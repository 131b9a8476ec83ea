"""The steps of the derivation, as text and equations; ``replica.derivation`` puts them in order."""
