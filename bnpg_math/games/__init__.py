"""Example games, one a file; `registry` finds them by name."""
