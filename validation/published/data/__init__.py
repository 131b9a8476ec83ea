"""Numbers typed in from the authors' repository, in published units; see ``validation.published.numbers``."""
