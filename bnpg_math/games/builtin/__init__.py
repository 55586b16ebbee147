"""The built-in games, one a file."""
