"""Readers of the game files of other programs."""
