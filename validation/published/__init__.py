"""Published numbers, and theory beside them."""
