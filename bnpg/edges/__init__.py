"""What the edges of a trained policy are worth, and policies on other graphs that start from it."""

EPISODES = 4096
"""Episodes by which edges are valued and visits counted, unless another number is asked for."""
