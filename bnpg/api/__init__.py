"""The Python interface; its names are those that `bnpg` itself offers."""
