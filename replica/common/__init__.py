"""What every room needs and none is about: errors, checks of arguments, files."""
