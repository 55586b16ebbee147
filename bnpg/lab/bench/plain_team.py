"""What anybody would write first: the coordination game and its team in plain numpy, in one process.

No messages, no addressed randomness, nothing that could be replayed or resumed. It is the yardstick for
transitions a second; with `learn` also the update is computed, as plainly. The next states are drawn from the
game's table, as for any game; or by flipping bits, which is quicker and serves this game alone.
"""

import numpy as np
from numpy.typing import NDArray

from bnpg.lab.bench.document import Sample
from bnpg.lab.bench.plain_numpy import measured, softmax
from bnpg_math.dag import Dag
from bnpg_math.games.builtin.coordination import coordination, rewards

EPSILON, GAMMA = 0.1, 0.95


class PlainTeam:
    """All agents and lanes of `coordination(agents=N)`.

    Parameters
    ----------
    dag : Dag
    lanes, horizon : int
    bits : bool
        Whether the next states are made by flipping bits, instead of drawn from the table.
    learning_rate : float
    """

    def __init__(
        self, dag: Dag, lanes: int, horizon: int, bits: bool = False, learning_rate: float = 0.1
    ) -> None:
        self._dag = dag
        self._lanes = lanes
        self._horizon = horizon
        self._learning_rate = learning_rate
        self._states = 2**dag.agents
        self._rewards = rewards(dag.agents)
        self._thetas = [np.zeros((self._states * 2 ** len(above), 2)) for above in dag.parents]
        self._rng = np.random.default_rng(0)
        self._bits = bits
        if not bits:
            dense = coordination(dag.agents, EPSILON, GAMMA).transition.to_dense()
            self._cumulative = dense.reshape(-1, self._states).cumsum(axis=1)
            self._cumulative[:, -1] = 1.0

    def successors(self, states: NDArray[np.intp], actions: list[NDArray[np.intp]]) -> NDArray[np.intp]:
        """The next state of every lane."""
        joint = np.zeros(self._lanes, dtype=np.intp)
        if self._bits:
            for taken in actions:
                joint = joint * 2 + (taken ^ (self._rng.random(self._lanes) < EPSILON))
            return joint
        for taken in actions:
            joint = joint * 2 + taken
        drawn = self._rng.random(self._lanes)[:, None]
        passed: NDArray[np.intp] = (self._cumulative[states * self._states + joint] <= drawn).sum(axis=1)
        return passed

    def act(self, agent: int, states: NDArray[np.intp], parents: list[NDArray[np.intp]]) -> NDArray[np.intp]:
        """One agent's actions in every lane."""
        rows = states
        for actions in parents:
            rows = rows * 2 + actions
        taken: NDArray[np.intp] = (self._rng.random(len(states)) >= self._zero[agent][rows]).astype(np.intp)
        return taken

    def play(self, learn: bool) -> float:
        """One round: `horizon` steps of all lanes, and the update if wished; return the mean return."""
        policies = [softmax(theta) for theta in self._thetas]
        self._zero = [policy[:, 0] for policy in policies]
        states = self._rng.integers(self._states, size=self._lanes)
        kept = []
        returns = np.zeros(self._lanes)
        for time_ in range(self._horizon):
            actions: list[NDArray[np.intp]] = []
            for agent, above in enumerate(self._dag.parents):
                actions.append(self.act(agent, states, [actions[parent] for parent in above]))
            reward = self._rewards[states]
            returns += GAMMA**time_ * reward
            if learn:
                kept.append((states, actions, reward))
            states = self.successors(states, actions)
        if learn:
            self._update(policies, kept)
        return float(returns.mean())

    def _update(self, policies: list[NDArray[np.float64]], kept: list[tuple]) -> None:  # type: ignore[type-arg]
        """REINFORCE with the mean of each state as baseline."""
        gradients = [np.zeros_like(theta) for theta in self._thetas]
        togo = np.zeros(self._lanes)
        for time_ in reversed(range(self._horizon)):
            states, actions, reward = kept[time_]
            togo = reward + GAMMA * togo
            visits = np.bincount(states, minlength=self._states)
            baseline = np.bincount(states, togo, self._states) / np.maximum(visits, 1)
            weights = GAMMA**time_ * (togo - baseline[states]) / self._lanes
            for agent, above in enumerate(self._dag.parents):
                cells = states
                for parent in above:
                    cells = cells * 2 + actions[parent]
                cells = cells * 2 + actions[agent]
                gradient = gradients[agent]
                gradient += np.bincount(cells, weights, gradient.size).reshape(gradient.shape)
        for agent, (policy, gradient) in enumerate(zip(policies, gradients, strict=True)):
            local = gradient - policy * gradient.sum(axis=1, keepdims=True)
            self._thetas[agent] += self._learning_rate * local

    def measure(self, seconds: float, learn: bool = False) -> Sample:
        """Play rounds for about so long, and return the time of a step."""
        return measured(lambda: self.play(learn), self._horizon, seconds)
