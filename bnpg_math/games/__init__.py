"""Games: their dynamics, their files, and those that are built in (`registry` finds them by name)."""
