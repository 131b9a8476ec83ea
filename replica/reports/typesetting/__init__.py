"""Mathematics of a report: letters, widths, lines."""
