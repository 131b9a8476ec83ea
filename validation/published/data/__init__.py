"""Numbers typed in from the authors' public repository, in published units; read them with ``validation.published.numbers``."""
