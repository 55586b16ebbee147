"""Counted randomness: keyed streams, and what is drawn from them."""
