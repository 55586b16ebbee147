"""Transports: how envelopes get from one process to another."""
