"""What one agent still gains on its own, by training it alone: where no model says it, and beside it."""
