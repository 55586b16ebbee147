"""Grids of experiments: every combination a run, in parallel, resumable, and put into one table."""
