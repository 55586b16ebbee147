"""The games, DAGs and starting points on which claims are checked."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag, complete, empty, line, random_dag, star
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import initial_normal, theta_shape


@dataclass(frozen=True)
class Case:
    """One place to check claims in.

    Parameters
    ----------
    where : str
        Says which, for people.
    game : Game
    dag : Dag
    seed : int
        Of the random starting point.
    """

    where: str
    game: Game
    dag: Dag
    seed: int

    def normal(self) -> list[FloatArray]:
        """Return logits drawn from N(0, 1)."""
        return [initial_normal(self.seed, agent, shape) for agent, shape in enumerate(self._shapes())]

    def zeros(self) -> list[FloatArray]:
        """Return the starting point of the theorems."""
        return [np.zeros(shape) for shape in self._shapes()]

    def _shapes(self) -> list[tuple[int, ...]]:
        game, dag = self.game, self.dag
        return [
            theta_shape(game.states, game.actions, dag.parents[agent], agent) for agent in range(game.agents)
        ]


def cases(seeds: int, quick: bool) -> Iterator[Case]:
    """Yield every game with every DAG family and seed."""
    for seed in range(seeds):
        specs = [
            f"random(states=2, agents=2, actions=2, branching=2, gamma=0.5, seed={seed})",
            f"random(states=3, agents=3, actions=2, branching=3, gamma=0.8, seed={seed})",
        ]
        if not quick:
            specs += [
                f"random(states=1, agents=2, actions=3, branching=1, gamma=0.0, seed={seed})",
                f"random(states=2, agents=3, actions=2, branching=2, gamma=0.9, seed={seed})",
            ]
        if seed == 0:
            specs += (
                ["climbing", "penalty"]
                if quick
                else ["climbing", "penalty", "stag_hunt", "coordination(agents=2)"]
            )
        for spec in specs:
            game = find_game(spec)
            for name, dag in _dags(game.agents, seed):
                yield Case(f"{spec}, {name}, seed {seed}", game, dag, seed)


def _dags(agents: int, seed: int) -> list[tuple[str, Dag]]:
    families = {
        "empty": empty(agents),
        "line": line(agents),
        "star": star(agents),
        "complete": complete(agents),
    }
    backwards = Dag(agents, tuple((agents - 1 - i, agents - 1 - j) for i, j in line(agents).edges))
    families["line backwards"] = backwards
    families["random"] = random_dag(agents, 0.5, np.random.default_rng(seed))
    distinct: dict[tuple[tuple[int, int], ...], tuple[str, Dag]] = {}
    for name, dag in families.items():
        distinct.setdefault(dag.edges, (name, dag))
    return list(distinct.values())
