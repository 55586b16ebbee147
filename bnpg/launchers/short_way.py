"""The short way from rounds to rounds, where all of them are in one process and nothing can be lost.

A turn is announced, acted in and taken by the rounds of coordinator and agents themselves: what they say to
each other is what they would say over the network, in an order that the network could have kept, so results
are the same to the bit. What is left out is what a network needs: envelopes, numbers, acknowledgements,
windows. Joining, tables, signals and the end go over the network as ever; so does everything where faults are
injected or a trace is written.
"""

from collections import deque
from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

from bnpg_agents.machine import AgentMachine
from bnpg_coordinator.orders import Orders, To, ToAll
from bnpg_coordinator.rounds import CoordinatorRounds
from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.errors import OrderViolation, ProtocolError
from bnpg_protocol.wire.messages import ObservationsAnnounced, StatesAnnounced

from bnpg_math.arrays import IntArray
from bnpg_math.chance.prefetch import BATCH
from bnpg_math.dag.interface import Graph
from bnpg_math.errors import InputError


class ShortWay:
    """Plays turns on the spot.

    Parameters
    ----------
    agents : sequence of AgentMachine
        As they live at the moment, in agent order; it may grow.
    dag : Graph
        Who hears whom.
    pause : callable
        Whether somebody wants the process for something else: then the rest goes over the network.
    """

    def __init__(
        self,
        agents: Sequence[AgentMachine],
        dag: Graph,
        pause: Callable[[], bool],
    ) -> None:
        self._agents = agents
        self._parents = dag.parents
        self._order = tuple(TopologicalSorter(dict(enumerate(dag.parents))).static_order())
        self._pause = pause

    def __call__(self, rounds: CoordinatorRounds, orders: Orders) -> Orders:
        """Play the turns that are announced and those that follow; return what is to be sent after all.

        Raises
        ------
        ProtocolError
            If one of them breaks the rules, or an agent cannot act.
        WorldFailed
            If the world does.
        """
        pending = deque(_turns(orders))
        if not pending or len(pending) != rounds.outstanding or not self._ready(rounds.round):
            return orders
        while pending and not self._pause():
            following = self._play(rounds, pending.popleft())
            turns = _turns(following)
            if following and not turns:
                assert not pending, "the signal is there, and a turn is not taken"
                return following
            pending += turns
        return [order for turn in pending for order in turn]

    def _ready(self, round_: int) -> bool:
        """Whether every agent is in that round, and nothing of its turns is under way to it."""
        return len(self._agents) == len(self._parents) and all(
            agent.phase == "running" and agent.rounds is not None and agent.rounds.where[0] == round_
            for agent in self._agents
        )

    def _play(self, rounds: CoordinatorRounds, turn: Orders) -> Orders:
        """Let everybody act in a turn after its parents, and the coordinator take what they chose."""
        announced: dict[int, StatesAnnounced | ObservationsAnnounced] = {}
        for order in turn:
            assert isinstance(order, To | ToAll)
            assert isinstance(order.message, StatesAnnounced | ObservationsAnnounced)
            for agent in self._order if isinstance(order, ToAll) else (order.agent,):
                announced[agent] = order.message
        chosen: dict[int, IntArray] = {}
        for agent in self._order:
            machine = self._agents[agent]
            assert machine.rounds is not None
            try:
                actions = machine.rounds.play(
                    announced[agent], [chosen[parent] for parent in self._parents[agent]]
                )
            except (ProtocolError, FloatingPointError, InputError) as error:
                raise OrderViolation(f"{name(agent)} failed: {error}") from error
            chosen[agent] = actions
            if len(actions) <= BATCH:  # several turns are drawn at once, which costs less
                machine.prepare()
        return rounds.play([chosen[agent] for agent in range(len(chosen))])


def _turns(orders: Orders) -> list[Orders]:
    """Return the announcements of each turn, in their order; nothing if these are no announcements."""
    turns: dict[int, Orders] = {}
    for order in orders:
        message = getattr(order, "message", None)
        if not isinstance(message, StatesAnnounced | ObservationsAnnounced):
            return []
        turns.setdefault(message.turn, []).append(order)
    return list(turns.values())
