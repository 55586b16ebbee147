"""The world of a game that factors: small kernels for parts of the state, rewards that sum small tables.

Nothing in it is as large as the joint actions, or has an axis for each agent: there may be hundreds of
agents. A number is drawn at its address: lane, round, time, and the component it is for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bnpg_coordinator.worlds.interface import Discrete, Seen, Space
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.arrays.npz import real
from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.sampling import InverseCdf, cumulative, invert
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.errors import GameError
from bnpg_math.games.discount import discount
from bnpg_math.games.game import LARGEST_GRADIENT, MOST_AGENTS, Game
from bnpg_math.games.probabilities import check_finite, distributions, frozen
from bnpg_math.games.product_game import product_game
from bnpg_math.games.transitions.product import Component

LARGEST_VIEW = 1 << 24
"""Most states that an agent may see: a table has a row for each."""
_MOST_STRATA = 1 << 12
LARGEST_GAME = 1 << 24
"""Most numbers of the reward tensor of :meth:`FactoredWorld.game`."""


@dataclass(frozen=True, eq=False)
class RewardTerm:
    """A part of the team's reward that depends on some components of the state and on some agents.

    Parameters
    ----------
    table : (*C, *A) float
        An axis for each of the current components, then for each of the agents.
    components : tuple of int
        Which current components matter, ascending.
    agents : tuple of int
        Whose actions matter, ascending.
    """

    table: ArrayLike
    components: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()


class FactoredWorld:
    """A game of many agents, to be sampled: no exact mode, and no exact measurement.

    The state is a tuple of components; given the state and the actions, the next components are independent.

    Parameters
    ----------
    sizes : sequence of K int
        Number of values of each component.
    actions : sequence of N int
        (A_1, .., A_N).
    components : sequence of K Component
        How each component moves, as in `product_game`: ``Component(kernel, components, agents)``.
    rewards : sequence of RewardTerm
        The team reward is their sum.
    initial : sequence of K (int or distribution)
        Where each component begins: a value, or (size,) probabilities.
    gamma : float
        Discount, in [0, 1).
    sees : sequence of N tuples of int, optional
        Which components each agent sees, ascending; all of them if missing.

    Raises
    ------
    GameError
        If a part does not fit the others.

    Examples
    --------
    A hundred lamps in a row, each switched by an agent; neighbours who choose alike pay:

    >>> press = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> lamps = [Component(press, agents=(agent,)) for agent in range(100)]
    >>> alike = [RewardTerm(np.eye(2), agents=(agent, agent + 1)) for agent in range(99)]
    >>> world = FactoredWorld(
    ...     (2,) * 100, (2,) * 100, lamps, alike, (0,) * 100, 0.9, sees=[(agent,) for agent in range(100)]
    ... )
    >>> len(world.actions)
    100
    """

    guarded = True  # numbers that were checked: nothing in it raises

    def __init__(
        self,
        sizes: Sequence[int],
        actions: Sequence[int],
        components: Sequence[Component],
        rewards: Sequence[RewardTerm],
        initial: Sequence[Any],
        gamma: float,
        sees: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.sizes, self.actions = tuple(map(int, sizes)), tuple(map(int, actions))
        if not self.sizes or not self.actions or min(*self.sizes, *self.actions) < 1:
            raise GameError("sizes and actions must be at least 1, and not empty")
        for what, given in (("components", components), ("initial", initial)):
            if len(given) != len(self.sizes):
                raise GameError(f"{what} must be {len(self.sizes)}, one for each size, got {len(given)}")
        self.gamma = discount(gamma)
        self.components = tuple(self._kernel(*item) for item in enumerate(components))
        self.rewards = tuple(self._term(*item) for item in enumerate(rewards))
        most = sum(float(np.abs(term.table).max()) for term in self.rewards)
        if most > LARGEST_GRADIENT * (1.0 - self.gamma) ** 2:
            raise GameError(f"rewards of up to {most:g} overflow with gamma = {self.gamma:g}; scale them")
        self.initial = tuple(self._beginning(*item) for item in enumerate(initial))
        self.sees = self._views(sees)
        self.spaces: tuple[Space, ...] = tuple(
            Discrete(math.prod(self.sizes[component] for component in view)) for view in self.sees
        )
        self.shared = len(set(self.sees)) == 1
        """Whether all agents see the same."""
        whole = math.prod(self.sizes)
        self.strata = whole if whole <= _MOST_STRATA else 1
        self.model = None
        self.kernels = _groups(
            [(component.kernel, component.components, component.agents) for component in self.components], 1
        )
        self.tables = _groups([(term.table, term.components, term.agents) for term in self.rewards], 0)
        self.draws = [InverseCdf(cumulative(group.rows)) for group in self.kernels]
        self.narrow = np.min_scalar_type(max(self.sizes) - 1)

    def begin(self, seed: int, round_: int, lanes: int) -> "FactoredPlay":
        """Return a round, at its initial states."""
        return FactoredPlay(self, seed, round_, lanes)

    def game(self, name: str = "factored") -> Game:
        """Return the same game with its tables, for a team that is small enough; everybody sees all of it.

        Raises
        ------
        GameError
            If it is too large, or agents do not see everything.
        """
        size = math.prod(self.sizes) * math.prod(self.actions)
        if len(self.actions) > MOST_AGENTS or size > LARGEST_GAME:
            raise GameError(
                f"{len(self.actions)} agents have {size:.3g} states and joint actions: expected at most "
                f"{MOST_AGENTS} agents and {LARGEST_GAME}"
            )
        if any(view != tuple(range(len(self.sizes))) for view in self.sees):
            raise GameError("every agent must see all components: in a game, everybody sees the state")
        shape = (*self.sizes, *self.actions)
        reward = np.zeros(shape)
        for term in self.rewards:
            axes = [*term.components, *(len(self.sizes) + agent for agent in term.agents)]
            reward += np.reshape(
                term.table, [shape[axis] if axis in axes else 1 for axis in range(len(shape))]
            )
        initial = np.ones(1)
        for row in self.initial:
            initial = (initial[:, None] * row).reshape(-1)
        earned = reward.reshape(-1, *self.actions)
        return product_game(name, self.sizes, self.actions, self.components, earned, initial, self.gamma)

    def _kernel(self, number: int, component: Component) -> Component:
        name = f"kernel of component {number}"
        kernel = real(component.kernel, name, GameError)
        shape = (*self._shape(name, component.components, component.agents), self.sizes[number])
        if kernel.shape != shape:
            raise GameError(f"{name} must have shape {shape}, got {kernel.shape}")
        rows, _ = distributions(kernel, name, GameError)
        return Component(frozen(rows), tuple(component.components), tuple(component.agents))

    def _term(self, number: int, term: RewardTerm) -> RewardTerm:
        name = f"table of reward {number}"
        table, shape = real(term.table, name, GameError), self._shape(name, term.components, term.agents)
        if table.shape != shape:
            raise GameError(f"{name} must have shape {shape}, got {table.shape}")
        check_finite(table, name, GameError)
        return RewardTerm(frozen(table).reshape(shape), tuple(term.components), tuple(term.agents))

    def _shape(self, name: str, components: Sequence[int], agents: Sequence[int]) -> tuple[int, ...]:
        shape: list[int] = []
        for what, members, lengths in (
            ("components", components, self.sizes),
            ("agents", agents, self.actions),
        ):
            _check_ascending(name, what, members, len(lengths))
            shape += [lengths[member] for member in members]
        return tuple(shape)

    def _beginning(self, number: int, given: Any) -> FloatArray:
        name, size = f"initial {number}", self.sizes[number]
        row = real(given, name, GameError)
        if row.shape == ():
            if row not in range(size):
                raise GameError(f"{name} must be a value in 0..{size - 1}, got {float(row):g}")
            return frozen(np.eye(1, size, int(row))[0])
        if row.shape != (size,):
            raise GameError(f"{name} must be a value or have shape {(size,)}, got {row.shape}")
        return frozen(distributions(row, name, GameError)[0])

    def _views(self, sees: Sequence[Sequence[int]] | None) -> tuple[tuple[int, ...], ...]:
        everything = tuple(range(len(self.sizes)))
        views = [everything] * len(self.actions) if sees is None else [tuple(view) for view in sees]
        if len(views) != len(self.actions):
            raise GameError(f"sees must be {len(self.actions)}, one for each agent, got {len(views)}")
        for agent, view in enumerate(views):
            _check_ascending(f"what agent {agent} sees", "components", view, len(self.sizes))
            if math.prod(self.sizes[component] for component in view) > LARGEST_VIEW:
                raise GameError(
                    f"agent {agent} sees {len(view)} components, which have more than {LARGEST_VIEW} values: "
                    "say in sees which of them it sees"
                )
        return tuple(views)


class _Group(NamedTuple):
    """Tables of one shape, looked up together: ``rows`` are their rows, one table after the other.

    ``numbers`` (G,) are their places among all; ``components`` (G, c) and ``agents`` (G, a) are whose values
    make up a row, and ``lengths`` those of their axes.
    """

    numbers: IntArray
    components: IntArray
    agents: IntArray
    lengths: tuple[int, ...]
    rows: FloatArray

    def places(self, state: NDArray[Any], actions: NDArray[Any]) -> IntArray:
        """Return which row each table is at in n lanes, (G, n); `state` is (K, n), `actions` (N, n)."""
        place = np.arange(len(self.numbers))[:, None]
        digits = [state[column] for column in self.components.T] + [
            actions[column] for column in self.agents.T
        ]
        for values, length in zip(digits, self.lengths, strict=True):
            place = place * length + values
        return np.broadcast_to(place, (len(self.numbers), state.shape[1]))


def _groups(tables: Sequence[tuple[Any, tuple[int, ...], tuple[int, ...]]], outcomes: int) -> list[_Group]:
    """Group tables by their shape; `outcomes` is how many of their last axes are no address."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for number, (table, components, _) in enumerate(tables):
        found.setdefault((table.shape, len(components)), []).append(number)
    groups = []
    for (shape, _), numbers in found.items():
        lengths = shape[: len(shape) - outcomes]
        rows = np.stack([tables[number][0] for number in numbers])
        groups.append(
            _Group(
                np.array(numbers),
                np.array([tables[number][1] for number in numbers], dtype=np.intp),
                np.array([tables[number][2] for number in numbers], dtype=np.intp),
                lengths,
                rows.reshape(len(numbers) * math.prod(lengths), *shape[len(lengths) :]),
            )
        )
    return groups


class FactoredPlay:
    """One round of it."""

    def __init__(self, world: FactoredWorld, seed: int, round_: int, lanes: int) -> None:
        self._world = world
        self._round = round_
        self._uniforms = PrefetchedUniforms(seed, Purpose.TRANSITIONS, range(len(world.sizes)))
        nobody = np.zeros(lanes, dtype=np.int64)
        drawn = [
            invert(
                cumulative(row)[None, :],
                nobody,
                uniforms(seed, Purpose.INITIAL_STATE, number, round_, 0, lanes),
            )
            for number, row in enumerate(world.initial)
        ]
        self._whole = np.array(drawn, dtype=world.narrow)
        """First states of all lanes, (K, lanes)."""
        self._states: dict[int, NDArray[Any]] = {}
        """States of the turns under way, by their first lane."""
        self._rewards: list[FloatArray] = []
        self._strata: list[IntArray] = []
        self.first = self._seen(self._whole)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Take the actions of a turn; return what is seen of the states that follow."""
        world, lanes = self._world, len(seen)
        state = self._states.pop(lane, None)
        if state is None:
            state = self._whole[:, lane : lane + lanes]
        taken = np.stack(actions)
        self._rewards.append(self._reward(state, taken))
        self._strata.append(self._stratum(state))
        if not alive:
            return None
        drawn = self._uniforms.take(self._round, time, lane, alive)
        now, taken = state[:, :alive], taken[:, :alive]
        following = np.empty((len(world.sizes), alive), dtype=world.narrow)
        for group, inverse in zip(world.kernels, world.draws, strict=True):
            rows, chance = group.places(now, taken), drawn[group.numbers]
            following[group.numbers] = inverse.draw(rows.reshape(-1), chance.reshape(-1)).reshape(rows.shape)
        self._states[lane] = following
        return self._seen(following)

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._rewards

    def strata(self) -> list[IntArray]:
        """Return the states, where they can be counted; else all lanes are in one stratum."""
        return self._strata

    def prepare(self) -> None:
        """Draw the random numbers of the next transitions, which depend on nothing that is awaited."""
        self._uniforms.draw()

    def _reward(self, state: NDArray[Any], actions: NDArray[Any]) -> FloatArray:
        total = np.zeros(state.shape[1])
        for group in self._world.tables:
            paid = group.rows.take(group.places(state, actions))
            # Term after term. Of several lanes numpy does so; of a single one it would add in pairs.
            total += paid.sum(axis=0) if paid.shape[1] > 1 else paid.cumsum(axis=0)[-1]
        return total

    def _stratum(self, state: NDArray[Any]) -> IntArray:
        if self._world.strata == 1:
            return np.zeros(state.shape[1], dtype=np.intp)
        return cells(list(state), self._world.sizes)

    def _seen(self, state: NDArray[Any]) -> Seen:
        world = self._world
        if world.shared:
            return Seen(self._view(state, world.sees[0]))
        return Seen(tuple(self._view(state, view) for view in world.sees))

    def _view(self, state: NDArray[Any], view: tuple[int, ...]) -> NDArray[Any]:
        sizes = [self._world.sizes[component] for component in view]
        narrow = np.min_scalar_type(max(math.prod(sizes) - 1, 1))
        numbers = cells([state[component] for component in view], sizes) if view else np.zeros(state.shape[1])
        seen = np.ascontiguousarray(numbers, dtype=narrow)
        seen.flags.writeable = False
        return seen


def _check_ascending(name: str, what: str, members: Sequence[int], count: int) -> None:
    if list(members) != sorted(set(members)) or not all(0 <= member < count for member in members):
        raise GameError(f"{name} must name ascending {what} in 0..{count - 1}, got {tuple(members)}")
