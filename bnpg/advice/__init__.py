"""Which graph a team should use: what a DAG is good for, what it costs, and which others to consider."""
