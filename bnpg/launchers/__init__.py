"""Launchers place and restart the processes of a run: in memory, or as local processes."""
