"""The ways of climbing that are compared."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Way:
    """One way.

    Parameters
    ----------
    name : str
    fields : dict
        Options of `bnpg.train`.
    """

    name: str
    fields: dict[str, Any] = field(default_factory=dict)


WAYS = (
    Way("plain (3), η = 0.1", {"learning_rate": 0.1}),
    Way("plain (3), η = 1", {"learning_rate": 1.0}),
    Way("plain (3), certified η = 1/β", {"learning_rate": "certified"}),
    Way("certified η, momentum", {"learning_rate": "certified", "momentum": "nesterov"}),
    Way("backtracking", {"step_size": "backtracking"}),
    Way("Barzilai-Borwein", {"step_size": "barzilai-borwein"}),
    Way("backtracking, momentum", {"step_size": "backtracking", "momentum": "nesterov"}),
    Way("natural, η = 0.1", {"direction": "natural", "learning_rate": 0.1}),
    Way("natural, backtracking", {"direction": "natural", "step_size": "backtracking"}),
    Way("natural, Barzilai-Borwein", {"direction": "natural", "step_size": "barzilai-borwein"}),
    Way(
        "natural, backtracking, momentum",
        {"direction": "natural", "step_size": "backtracking", "momentum": "nesterov"},
    ),
)
"""In the order of the figure, from above."""
CERTIFIED = WAYS[2]
"""What the others are measured against."""
