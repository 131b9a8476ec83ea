"""How a report is written: LaTeX, Markdown, HTML, PDF."""
