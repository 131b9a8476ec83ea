"""One curve of solutions, traced with step control."""
