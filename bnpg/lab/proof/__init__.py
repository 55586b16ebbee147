"""Proofs from a trace alone: order, exactly-once, conduct, arithmetic."""
