"""What is compared: the graphs of each study, and what its teams are trained with."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Team:
    """Teams that differ in their seeds only.

    Parameters
    ----------
    name : str
    dag : str
        As ``--dag`` takes it.
    fields : dict
        Options of `bnpg.train` that the study's other teams do not share.
    budget : int, optional
        How many edges are kept: those that are worth most when the team is trained on `dag`. It is then
        trained on for as many rounds.
    """

    name: str
    dag: str
    fields: dict[str, Any] = field(default_factory=dict)
    budget: int | None = None


@dataclass(frozen=True)
class Study:
    """Some teams in one world.

    Parameters
    ----------
    world : str
        A game or a simulator.
    teams : tuple of Team
    seeds : int
        Each team is trained so often, from seed 0 on.
    fields : dict
        Options of `bnpg.train`, of all teams.
    best : float or None
        The return of the best policy that is known.
    lines : dict
        Other returns to draw, by name.
    """

    world: str
    teams: tuple[Team, ...]
    seeds: int
    fields: dict[str, Any]
    best: float | None = None
    lines: dict[str, float] = field(default_factory=dict)

    def options(self, team: Team, quick: bool) -> dict[str, Any]:
        """Return what a team is trained with; quick is two rounds of few lanes, to see that it runs."""
        few = {"lanes": 64, "rounds": 2} if quick else {}
        return {**ALL, **self.fields, **team.fields, **few, "dag": team.dag}


ALL: dict[str, Any] = {
    "policy": "mlp:64,64",
    "update": "ppo",
    "learning_rate": 0.003,
    "lanes": 64,
    "evaluate_every": 0,
    "fsync": False,  # no run here needs to survive a crash of the machine
}
"""What all studies have in common."""

GRAPHS = (Team("empty", "empty"), Team("line", "line"), Team("complete", "complete"))
"""Without edges it is MAPPO with a critic that sees everything, and a network for every agent."""

BARRIER = {"regularization": 0.02}
"""The paper's log barrier, over the contexts visited."""

BARRIERS = (
    Team("empty", "empty"),
    Team("line", "line"),
    Team("empty, barrier", "empty", BARRIER),
    Team("line, barrier", "line", BARRIER),
)

ALOHA_LINKS = "0-1,0-5,1-2,1-6,2-3,2-7,3-4,3-8,4-5,4-9,5-6,6-7,7-8,8-9"
"""Whoever acts later hears those of its neighbours that acted before."""

STUDIES = {
    "climbing": Study(
        "climbing", BARRIERS, 50, {"rounds": 300}, best=11.0, lines={"safe": 7.0}
    ),  # 19,200 steps
    "penalty": Study("penalty(k=-100)", BARRIERS[2:], 50, {"rounds": 300}, best=10.0, lines={"safe": 2.0}),
    "coordination": Study(
        "coordination(agents=3, T=25)",
        GRAPHS,
        16,
        {"steps": 25, "rounds": 125},  # 200,000 steps
        best=55.40,
        lines={"trap": 42.60},
    ),
    "relay": Study(
        "relay",
        (
            GRAPHS[0],
            GRAPHS[2],
            Team("3 edges, learned", "complete", budget=3),
        ),
        8,
        {
            "policy": "mlp:32,32",
            "learning_rate": 0.01,
            "regularization": 0.002,
            "steps": 4,
            "rounds": 200,
        },  # 51,200 steps
        best=1.0,
    ),
    "assign": Study(
        "assign",
        GRAPHS,
        16,
        {"steps": 25, "rounds": 64},  # 102,400 steps
        lines={"fixed": 0.5, "in turn": 163 / 240},
    ),
    "aloha": Study(
        "aloha",
        (*GRAPHS, Team("links", ALOHA_LINKS)),
        8,
        {
            "policy": "mlp:32,32",
            "learning_rate": 0.005,
            "schedule": "linear",
            # Without it the team falls silent before anybody has learnt to wait for its neighbours.
            "regularization": 0.01,
            "steps": 20,
            "rounds": 500,
        },  # 640,000 steps
        lines={"best without edges": 6.20, "in turn": 9.23},
    ),
    "spread": Study(
        "spread",
        (GRAPHS[0], GRAPHS[2]),
        8,
        {"steps": 25, "lanes": 128, "rounds": 1200, "schedule": "linear"},  # 3,840,000 steps
    ),
}
"""Every study, by name."""
