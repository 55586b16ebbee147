"""Reading traces: proving that a run was in order, and drawing what happened."""
