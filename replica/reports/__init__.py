"""Reports of models and their equations: what they say (content), and how it is written (LaTeX, Markdown, HTML, PDF)."""
