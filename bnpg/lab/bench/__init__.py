"""Benchmarks: each measures this package and its floor or rival in one run, side by side.

`bnpg bench` runs those that a person wants on the machine at hand; `python -m benchmarks`, in the source
tree, runs these and the rest, and writes the page of the documents.
"""
