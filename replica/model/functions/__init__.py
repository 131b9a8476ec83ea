"""Functions that users give: read, checked, kept as text, written out."""
