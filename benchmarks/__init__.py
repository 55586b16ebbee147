"""All benchmarks of bnpg: those of `bnpg bench`, rivals, exact rounds and growth. `python -m benchmarks`."""
