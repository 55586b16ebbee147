"""Deterministic simulation under faults: thousands of runs in virtual time, each against its fault-free twin."""
