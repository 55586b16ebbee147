"""Random small problems, and slow obvious twins by explicit enumeration."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import Dag, random_dag
from bnpg_math.games.game import Game, dense_game
from bnpg_math.policies.softmax import log_policy, policy, theta_shape


@dataclass(frozen=True)
class Problem:
    game: Game
    dag: Dag
    thetas: list[np.ndarray]

    @property
    def tables(self):
        return [policy(theta) for theta in self.thetas]

    @property
    def log_tables(self):
        return [log_policy(theta) for theta in self.thetas]

    @property
    def joint(self):
        return joint_policy(self.tables, self.dag)


def random_problem(seed: int, dag: Dag | None = None, states: int | None = None, gamma: float | None = None):
    rng = np.random.default_rng(seed)
    agents = dag.agents if dag is not None else int(rng.integers(1, 4))
    states = states or int(rng.integers(1, 4))
    actions = tuple(int(n) for n in rng.integers(1, 4, size=agents))
    gamma = float(rng.choice([0.0, 0.5, 0.8])) if gamma is None else gamma
    transition = rng.dirichlet(np.ones(states), size=(states, *actions))
    transition /= transition.sum(axis=-1, keepdims=True)
    game = dense_game(
        f"random-{seed}",
        transition,
        rng.normal(size=(states, *actions)),
        rng.dirichlet(np.ones(states)),
        gamma,
    )
    dag = dag if dag is not None else random_dag(agents, 0.6, rng)
    thetas = [
        rng.normal(size=theta_shape(states, actions, dag.parents[agent], agent)) for agent in range(agents)
    ]
    return Problem(game, dag, thetas)


@pytest.fixture(scope="session")
def problem() -> Callable[..., Problem]:
    return random_problem


@pytest.fixture(scope="session")
def enumerated_joint():
    """The joint policy by the definition: a loop over states and joint actions."""

    def enumerate_joint(game, dag, tables):
        pi = np.zeros((game.states, *game.actions))
        for s in range(game.states):
            for a in np.ndindex(*game.actions):
                factors = [tables[i][(s, *(a[p] for p in dag.parents[i]), a[i])] for i in range(game.agents)]
                pi[(s, *a)] = np.prod(factors)
        return pi

    return enumerate_joint
