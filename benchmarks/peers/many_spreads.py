"""Our `spread` as a vectorised environment of the kind that on-policy's runners step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_coordinator.worlds.bundled.spread import Spread
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """Numbers; the peer goes by the name of the class."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Discrete:
    """Actions 0..n-1; the peer goes by the name of the class."""

    n: int


class ManySpreads:
    """Episodes side by side. One that is over begins anew, and what is seen is then of the new one.

    Parameters
    ----------
    lanes : int
    seed : int
    """

    def __init__(self, lanes: int, seed: int) -> None:
        self._spread = Spread()
        self._lanes = lanes
        self._rng = np.random.default_rng(seed)
        self._time = 0
        self._earned = np.zeros(lanes)
        self.returns: list[float] = []
        """Mean return of the episodes that were over at the same time, in their order."""
        agents, width = self._spread.agents, self._spread.spaces[0].width
        self.observation_space = [Box((width,))] * agents
        self.share_observation_space = [Box((width * agents,))] * agents
        self.action_space = [Discrete(5)] * agents

    def reset(self) -> NDArray[np.float32]:
        """Begin all episodes, and return what every agent sees, (lanes, N, D)."""
        self._time = 0
        self._earned = np.zeros(self._lanes)
        self._state = self._spread.begin(self._rng.random((self._spread.draws[0], self._lanes)))
        return self._seen()

    def step(
        self, chosen: Sequence[Sequence[NDArray[Any]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], list[Any]]:
        """Return what is seen next, everybody's reward (lanes, N, 1), who is done, and nothing more.

        Parameters
        ----------
        chosen : (lanes, N) one-hot arrays
        """
        actions = np.argmax(np.array(chosen), axis=-1).T.astype(np.uint8)
        self._state, rewards = self._spread.step(self._state, list(actions), np.empty(0))
        self._earned += rewards
        self._time += 1
        over = self._time == self._spread.length
        if over:
            self.returns.append(float(self._earned.mean()))
        agents = self._spread.agents
        told = np.repeat(rewards[:, None], agents, axis=1)[..., None]
        done = np.full((self._lanes, agents), over)
        return (self.reset() if over else self._seen()), told, done, [[{}] * agents] * self._lanes

    def _seen(self) -> NDArray[np.float32]:
        return np.stack(self._spread.see(self._state), axis=1)
