"""Many models: solved on any executor, kept as they finish, and put into one table."""
