"""The laboratory: tools for tests, benchmarks, verification, soak, proofs from traces.

Nobody but the command line imports it.
"""
