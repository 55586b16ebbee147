"""Proofs from a trace alone: order, exactly-once, precedence, arithmetic."""
