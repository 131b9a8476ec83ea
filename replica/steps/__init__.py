"""The steps of the derivation, as text and equations; ``replica.theory`` puts them in order."""
