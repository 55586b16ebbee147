"""Injected faults: a seeded plan that wraps every link and process of a run, in memory and for real."""
