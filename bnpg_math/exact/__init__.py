"""Exact evaluation: values, best responses, optima, occupancies."""
