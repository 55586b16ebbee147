"""Seeing a run that is over, or under way: pages of HTML that need nothing but a browser."""
