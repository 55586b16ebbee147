"""The world that one agent of a team lives in while all others keep to their policies.

What it sees are its own observation and its parents' actions; the others are part of the world, and draw what
they do at addresses of their own. Whoever learns in it learns a best response.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bnpg_coordinator.worlds.interface import (
    Box,
    Discrete,
    EpisodicPlay,
    FollowedPlay,
    Play,
    Seen,
    Space,
    World,
)
from numpy.typing import NDArray

from bnpg.evaluation.episodes import Acts, stream
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.cells import cells
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.policies.encoding import Encoding

MOST_STRATA = 1 << 12
"""Above so many strata few lanes meet in one."""


class View(NamedTuple):
    """What the agent sees: a cell of its table, or the numbers that go into its network."""

    table: tuple[int, ...] = ()
    """(S_i, *P); empty for a network."""
    network: Encoding | None = None

    @property
    def space(self) -> Space:
        """What may be seen."""
        if self.network is None:
            return Discrete(int(np.prod(self.table)))
        return Box(self.network.size)

    def of(self, seen: NDArray[Any], parents: Sequence[IntArray]) -> NDArray[Any]:
        """Return what is seen in some lanes."""
        if self.network is None:
            found = cells([seen, *parents], self.table)
        else:
            found = self.network.rows(seen, parents).astype(np.float32)
        found.flags.writeable = False
        return found


OTHERS = 5
"""Stream of evaluation of which the others draw: the learner, alone, draws what agent 0 of a team does."""


def stream_of_others(seed: int) -> int:
    """Return the seed from which all others draw their actions in rounds of a seed."""
    return stream(seed, OTHERS)


class OneAgentWorld:
    """A world in which one agent chooses, and the rest of its team does as it always does.

    Parameters
    ----------
    world : World
        That of the team.
    dag : Dag
    policies : sequence of N policies
        That of the agent itself is never asked.
    agent : int
    view : View
        How its observation and its parents' actions are put together.
    """

    guarded = True  # as the world of the team is

    def __init__(self, world: World, dag: Dag, policies: Sequence[Acts], agent: int, view: View) -> None:
        self.world, self.dag, self.policies, self.agent, self.view = world, dag, policies, agent, view
        place = dag.order.index(agent)
        self.before, self.after = dag.order[:place], dag.order[place + 1 :]
        self.actions = (world.actions[agent],)
        self.spaces: tuple[Space, ...] = (view.space,)
        self.gamma = world.gamma
        self.model = None
        # What pays depends on what the parents do: an action is judged among those that answer the same.
        cells_seen = int(np.prod(view.table)) if view.network is None else 1
        apart = 1 if world.model is not None else world.strata  # a cell of a game's table has its state
        self.by_cell = view.network is None and cells_seen * apart <= MOST_STRATA
        self.strata = cells_seen * apart if self.by_cell else world.strata

    def begin(self, seed: int, round_: int, lanes: int) -> "OneAgentPlay":
        """Return a round of the team's world."""
        play = self.world.begin(seed, round_, lanes)
        kind = OneAgentEpisodicPlay if isinstance(play, EpisodicPlay) else OneAgentPlay
        return kind(self, play, seed, round_)


class _Turn(NamedTuple):
    """A turn that is begun: what the team sees, and what was chosen before it is the agent's turn."""

    seen: Seen
    actions: list[IntArray]


class OneAgentPlay:
    """One round of it."""

    def __init__(self, world: OneAgentWorld, play: Play, seed: int, round_: int) -> None:
        self._world, self._play = world, play
        self._address = (stream_of_others(seed), round_)
        self._begun: dict[int, _Turn] = {}
        """The turns under way, by their first lane; those of the first states are cut out of all lanes."""
        self._places: list[tuple[int, int]] = []
        """Time and first lane of the turns taken."""
        self._cells: list[IntArray] = []
        """What the agent saw in them, where strata are parted by it."""
        self._whole = self._turn(play.first, 0, 0)
        self.first = self._view(self._whole)

    def step(self, time: int, lane: int, seen: Seen, actions: Sequence[IntArray], alive: int) -> Seen | None:
        """Let the others act after the agent, and take the actions of all."""
        lanes = len(seen)
        turn = self._begun.pop(lane, None)
        if turn is None:
            turn = self._part(self._whole, lane, lane + lanes)
        turn = self._part(turn, 0, lanes)
        turn.actions[self._world.agent] = actions[0]
        self._draw(self._world.after, turn, time, lane)
        self._places.append((time, lane))
        if self._world.by_cell:
            self._cells.append(seen.by(0))
        following = self._play.step(time, lane, turn.seen, turn.actions, alive)
        if following is None:
            return None
        self._begun[lane] = begun = self._turn(following, time + 1, lane)
        return self._view(begun)

    def rewards(self) -> list[FloatArray]:
        """Return the team rewards, turn by turn."""
        return self._play.rewards()

    def strata(self) -> list[IntArray]:
        """Return the strata of the baseline, turn by turn."""
        if not self._world.by_cell:
            return self._play.strata()
        if self._world.world.model is not None:
            return self._cells
        many = self._world.world.strata
        return [cell * many + own for cell, own in zip(self._cells, self._play.strata(), strict=True)]

    def following(self) -> list[Seen | None]:
        """Return what would have been seen after the last steps of lanes and episodes."""
        if not isinstance(self._play, FollowedPlay):
            return [None] * len(self._places)
        return [
            None if seen is None else self._view(self._turn(seen, time + 1, lane))
            for seen, (time, lane) in zip(self._play.following(), self._places, strict=True)
        ]

    def prepare(self) -> None:
        """Do ahead what depends on no action."""
        self._play.prepare()

    def _turn(self, seen: Seen, time: int, lane: int) -> _Turn:
        turn = _Turn(seen, [np.zeros(0, dtype=np.int64)] * self._world.dag.agents)
        self._draw(self._world.before, turn, time, lane)
        return turn

    def _draw(self, agents: Sequence[int], turn: _Turn, time: int, lane: int) -> None:
        """Let some agents choose, in topological order."""
        seed, round_ = self._address
        seen, world = turn.seen, self._world
        for agent in agents:
            drawn = uniforms(seed, Purpose.ACTIONS, agent, round_, time, len(seen), lane)
            parents = [turn.actions[parent] for parent in world.dag.parents[agent]]
            legal = _legal(seen, agent)
            turn.actions[agent] = world.policies[agent].draw(seen.by(agent), parents, drawn, legal)

    def _part(self, turn: _Turn, start: int, stop: int) -> _Turn:
        if start == 0 and stop >= len(turn.seen):
            return turn
        return _Turn(turn.seen.part(start, stop), [actions[start:stop] for actions in turn.actions])

    def _view(self, turn: _Turn) -> Seen:
        agent, seen = self._world.agent, turn.seen
        parents = [turn.actions[parent] for parent in self._world.dag.parents[agent]]
        of = self._world.view.of(seen.by(agent), parents)
        legal, alive = (arrays[agent : agent + 1] for arrays in (seen.legal, seen.alive))
        return Seen((of,), legal, alive, seen.state)


class OneAgentEpisodicPlay(OneAgentPlay):
    """One round of a world whose episodes end by themselves."""

    def ends(self) -> list[NDArray[np.uint8]]:
        """Return what every step did to the episodes, turn by turn."""
        assert isinstance(self._play, EpisodicPlay)
        return self._play.ends()


def _legal(seen: Seen, agent: int) -> NDArray[np.uint8] | None:
    """Return what an agent may do; who takes no part may have nothing to choose, and chooses anything."""
    if not seen.legal:
        return None
    nothing = seen.legal[agent].max(axis=1, keepdims=True) == 0
    return np.where(nothing, np.uint8(1), seen.legal[agent])
