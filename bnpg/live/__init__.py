"""Seeing a run while it goes on."""
