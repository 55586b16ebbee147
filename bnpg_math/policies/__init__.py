"""Local policies: tables of logits, and the files they are kept in."""
