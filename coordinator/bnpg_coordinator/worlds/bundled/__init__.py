"""Simulators that come along: each with facts that can be computed, so that a run of it can be judged."""
