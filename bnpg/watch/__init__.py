"""Watching a run in a browser while it goes on: a small server that only reads."""
