"""The line rule's numerics: text that becomes part of every kernel."""
