"""Judging a policy exactly, and saying so to people and programs."""
