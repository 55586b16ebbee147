"""What one agent still gains on its own, by training it alone: where no model says it, and beside it."""

ROUNDS, LANES, EPISODES = 200, 256, 4096
"""For how long a response is trained, and over how many episodes it is measured, unless asked otherwise."""
