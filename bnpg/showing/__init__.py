"""Single episodes of a trained policy, turn by turn, for people to look at."""
