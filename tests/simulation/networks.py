"""A small network behind the policy seam, and a world without a model: what a user might bring."""

from collections.abc import Sequence

import numpy as np
from bnpg_coordinator.worlds.interface import Discrete, Seen
from bnpg_protocol.wire.messages import Welcome

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays, frozen
from bnpg_math.chance.streams import Purpose, generator, uniforms

HIDDEN = 5


class Network:
    """Two layers of tanh over the state and the parents' actions, one-hot; it can show a table.

    Sums run row by row in a fixed order, and not by BLAS: a lane's logits must not depend on the batch.
    """

    def __init__(self, theta: Arrays, sizes: tuple[int, ...], regularization: float) -> None:
        self.theta = frozen(theta)
        self._sizes = sizes
        """(S, A_p1, .., A_pk): what the inputs range over."""
        self._regularization = regularization

    def at(self, theta: Arrays) -> "Network":
        return Network(theta, self._sizes, self._regularization)

    def _hidden(self, inputs: Sequence[IntArray]) -> tuple[FloatArray, list[IntArray]]:
        starts = np.cumsum([0, *self._sizes[:-1]])
        rows = [start + column.astype(np.int64) for start, column in zip(starts, inputs, strict=True)]
        summed = sum(self.theta["first"][row] for row in rows) + self.theta["bias"]
        return np.tanh(summed), rows

    def _log_policy(self, hidden: FloatArray) -> FloatArray:
        logits = (hidden[:, :, None] * self.theta["second"]).sum(axis=1)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def draw(self, seen: IntArray, parents: Sequence[IntArray], uniforms: FloatArray) -> IntArray:
        pi = np.exp(self._log_policy(self._hidden([seen, *parents])[0]))
        return (np.cumsum(pi, axis=1)[:, :-1] <= uniforms[:, None]).sum(axis=1)

    def gradient(
        self, seen: IntArray, parents: Sequence[IntArray], actions: IntArray, weights: FloatArray
    ) -> Arrays:
        inputs = [seen, *parents]
        chosen = np.zeros((len(weights), self.theta["second"].shape[1]))
        chosen[np.arange(len(weights)), actions.astype(np.int64)] = weights
        return self._back(inputs, chosen)

    def ascent(self, flow: FloatArray, occupancy: FloatArray | None = None) -> Arrays:
        assert occupancy is None, "there is no natural gradient of a network here"
        return self._back(self._everything(), flow.reshape(-1, flow.shape[-1]))

    def _back(self, inputs: Sequence[IntArray], taken: FloatArray) -> Arrays:
        """Propagate weights of (input, action) pairs to the parameters, and the barrier's share."""
        gradient = self._through(inputs, taken)
        if self._regularization:
            everything = self._everything()
            rows, actions = len(everything[0]), self.theta["second"].shape[1]
            even = np.full((rows, actions), self._regularization / (rows * actions))
            barrier = self._through(everything, even)
            gradient = {name: array + barrier[name] for name, array in gradient.items()}
        return gradient

    def _through(self, inputs: Sequence[IntArray], taken: FloatArray) -> dict[str, FloatArray]:
        hidden, rows = self._hidden(inputs)
        pi = np.exp(self._log_policy(hidden))
        logits = taken - pi * taken.sum(axis=1, keepdims=True)
        second = (hidden[:, :, None] * logits[:, None, :]).sum(axis=0)
        back = (self.theta["second"][None] * logits[:, None, :]).sum(axis=2) * (1.0 - hidden**2)
        first = np.zeros_like(self.theta["first"])
        for row in rows:
            np.add.at(first, row, back)
        return {"first": first, "bias": back.sum(axis=0), "second": second}

    def _everything(self) -> list[IntArray]:
        return [axis.reshape(-1) for axis in np.indices(self._sizes)]

    @property
    def log_table(self) -> FloatArray:
        table = self._log_policy(self._hidden(self._everything())[0])
        table = table.reshape(*self._sizes, -1)
        table.flags.writeable = False
        return table


def network(welcome: Welcome) -> Network:
    """Return a network at its theta_0, which depends on the seed and the agent alone."""
    sizes = (welcome.states, *welcome.parent_actions)
    draw = generator(welcome.seed, Purpose.INITIAL_THETA, welcome.agent).standard_normal
    theta = {
        "first": draw((sum(sizes), HIDDEN)),
        "bias": draw(HIDDEN),
        "second": draw((HIDDEN, welcome.actions)),
    }
    return Network(theta, sizes, welcome.regularization)


class Counter:
    """A world by rule, of which there is no model: a counter that everybody must push, and that may slip."""

    actions = (2, 2)
    spaces = (Discrete(7), Discrete(7))
    gamma = 0.9
    strata = 7
    model = None

    def begin(self, seed: int, round_: int, lanes: int) -> "CounterPlay":
        return CounterPlay(seed, round_, lanes)


class CounterPlay:
    def __init__(self, seed: int, round_: int, lanes: int) -> None:
        self._address = (seed, round_)
        self._taken: list[tuple[IntArray, FloatArray]] = []
        self.first = self._seen(np.floor(7 * self._uniforms(0, 0, lanes, Purpose.INITIAL_STATE)))

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        pushed = np.logical_and(*[one.astype(bool) for one in actions])
        self._taken.append((seen.of, pushed * 1.0 - 0.1 * (actions[0] != actions[1])))
        if not alive:
            return None
        slips = self._uniforms(time, lane, alive, Purpose.TRANSITIONS) < 0.3
        return self._seen((seen.of[:alive] + pushed[:alive] + 5 * slips) % 7)

    def rewards(self) -> list[FloatArray]:
        return [reward * (states + 1) for states, reward in self._taken]

    def strata(self) -> list[IntArray]:
        return [states for states, _ in self._taken]

    def prepare(self) -> None:
        """Nothing is done ahead."""

    def _uniforms(self, time: int, lane: int, count: int, purpose: Purpose) -> FloatArray:
        seed, round_ = self._address
        return uniforms(seed, purpose, 0, round_, time, count, lane)

    @staticmethod
    def _seen(states: FloatArray) -> Seen:
        frozen_states = states.astype(np.uint8)
        frozen_states.flags.writeable = False
        return Seen(frozen_states)
