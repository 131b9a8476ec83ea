"""Results files: sealed, checked when read, written whole or not at all."""
