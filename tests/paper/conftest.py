"""Small random games with every family of DAGs: the places where the paper's statements are tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import FAMILIES, Dag
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game, dense_game
from bnpg_math.learning.gradient import update
from bnpg_math.learning.objective import objective
from bnpg_math.policies.softmax import log_policy, policy, theta_shape
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.stationarity import gradients


@dataclass(frozen=True, eq=False)
class Place:
    """A game, a DAG, thetas and lambda, with the paper's quantities at that point."""

    game: Game
    dag: Dag
    thetas: list[np.ndarray]
    lam: float

    @cached_property
    def tables(self) -> list[np.ndarray]:
        return [policy(theta) for theta in self.thetas]

    @cached_property
    def values(self) -> Values:
        return evaluate(self.game, joint_policy(self.tables, self.dag))

    @cached_property
    def gradients(self) -> list[np.ndarray]:
        return gradients(self.game, self.dag, self.tables, self.lam, self.values)

    @cached_property
    def objective(self) -> float:
        return objective(self.values.value, [log_policy(theta) for theta in self.thetas], self.lam)

    @cached_property
    def mismatch(self) -> float:
        return mismatch(self.game).M

    @property
    def size(self):
        return sizes(self.game, self.dag)

    @property
    def beta(self) -> float:
        return smoothness(self.size, self.lam)

    def at(self, thetas: Sequence[np.ndarray]) -> "Place":
        return Place(self.game, self.dag, list(thetas), self.lam)

    def zeros(self) -> "Place":
        return self.at([np.zeros_like(theta) for theta in self.thetas])

    def step(self, eta: float) -> "Place":
        """Update (3) of every agent."""
        pairs = zip(self.thetas, self.gradients, strict=True)
        return self.at([update(theta, gradient, eta) for theta, gradient in pairs])

    def until(self, met, eta: float, most: int = 60_000) -> "Place":
        """Update (3) until `met(place)`."""
        place = self
        for _ in range(most):
            if met(place):
                return place
            place = place.step(eta)
        raise AssertionError(f"not there after {most} updates")

    def marginal(self, members: Sequence[int]) -> np.ndarray:
        """pi(a^members | s), axes in the order of the members, by definition."""
        axes = [0, *(1 + member for member in members)]
        return np.einsum(self.values.pi, range(self.game.agents + 1), axes)

    def conditional_value(self, members: Sequence[int]) -> np.ndarray:
        """Q(s, a^members): the expectation over all others, conditioned on the members' actions."""
        axes = [0, *(1 + member for member in members)]
        weighted = np.einsum(self.values.pi * self.values.Q, range(self.game.agents + 1), axes)
        return weighted / self.marginal(members)

    def advantage(self, agent: int) -> np.ndarray:
        """A^i(s, aP, ai) = Q(s, aP, ai) - Q(s, aP)."""
        parents = self.dag.parents[agent]
        return self.conditional_value((*parents, agent)) - self.conditional_value(parents)[..., None]


def make_place(
    seed: int, dag: Dag | str = "complete", *, agents: int = 3, states: int = 2, actions: int = 2,
    gamma: float = 0.6, lam: float = 0.3,
) -> Place:  # fmt: skip
    rng = np.random.default_rng(seed)
    dag = dag if isinstance(dag, Dag) else FAMILIES[dag](agents)
    counts = tuple(int(n) for n in rng.integers(2, actions + 1, size=dag.agents))
    transition = rng.dirichlet(np.ones(states), size=(states, *counts))
    game = dense_game(
        f"place {seed}", transition, rng.normal(size=(states, *counts)), rng.dirichlet(np.ones(states)), gamma
    )
    shapes = [theta_shape(states, counts, dag.parents[agent], agent) for agent in range(dag.agents)]
    return Place(game, dag, [rng.normal(size=shape) for shape in shapes], lam)


@pytest.fixture(scope="session")
def place():
    return make_place
