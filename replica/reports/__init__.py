"""Reports of models and their equations: what they say, and how it is written (LaTeX, Markdown, HTML, PDF)."""
