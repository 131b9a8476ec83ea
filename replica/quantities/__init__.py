"""Names, symbols and layout of the order parameters and all other quantities."""
