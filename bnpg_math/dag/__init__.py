"""The DAG of a Bayesian-network joint policy; `text` reads it from words and files."""

from bnpg_math.dag.graph import (
    FAMILIES,
    MOST_AGENTS,
    Dag,
    Edge,
    complete,
    edges_from,
    empty,
    line,
    random_dag,
    star,
)

__all__ = [
    "FAMILIES",
    "MOST_AGENTS",
    "Dag",
    "Edge",
    "complete",
    "edges_from",
    "empty",
    "line",
    "random_dag",
    "star",
]
