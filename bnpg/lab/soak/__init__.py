"""Deterministic simulation under faults: many runs in virtual time, each against its fault-free twin."""
