"""Environments of others: found, adapted to the seam of worlds, checked, watched.

A room of its own beside `worlds`, which is pure: what others wrote may do anything, take forever, and needs
packages that come as extras.
"""
