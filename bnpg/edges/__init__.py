"""What the edges of a trained policy are worth, and policies on other graphs that start from it."""
