"""The rounds of one agent, as pure logic: act when everything is there, apply every update once.

What comes out are messages and thetas to store, in the order in which they are to be sent and stored.
`ActionsChosen` is for the children and the coordinator, a `ToChild` for one child, everything else for the
coordinator.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bnpg_protocol.wire.addresses import COORDINATOR, name, names
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.events import Acted, Applied, Begun, Kept, Observer
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    ActionsRelayed,
    FlowBroadcast,
    Message,
    ObservationsAnnounced,
    SignalApplied,
    SignalBroadcast,
    StatesAnnounced,
    TableShown,
    UpdateReported,
)

from bnpg_agents.actor_update import SIGNS, ActorUpdate
from bnpg_agents.effects import Store
from bnpg_agents.learner import Learner
from bnpg_agents.limits import Limits, joined, limits_of
from bnpg_agents.round_buffer import RoundBuffer
from bnpg_agents.snapshot import Snapshot
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.policies.interface import Seen

TurnMessage = StatesAnnounced | ObservationsAnnounced | ActionsChosen


class ToChild(NamedTuple):
    """A message for one child."""

    child: int
    message: ActionsRelayed


Answers = list[Message | Store | ToChild]
"""In the order in which they are to be sent and stored."""


class AgentRounds:
    """All rounds of one agent, in one epoch.

    Parameters
    ----------
    agent : int
    learner : Learner
        The agent's thetas.
    parents : tuple of int
        Whose actions it awaits, ascending.
    exact : bool
        Whether the run is exact, and the table of every round is shown without being asked for.
    actions : int
        How many actions the agent has.
    observer
        Called with every event of the trace.
    """

    def __init__(
        self,
        agent: int,
        learner: Learner,
        parents: tuple[int, ...],
        exact: bool,
        actions: int,
        observer: Observer | None = None,
    ) -> None:
        self._agent = agent
        self._learner = learner
        self._parents = parents
        self._exact = exact
        self._actions = actions
        self._observer = observer
        self._now = self._empty_buffer(0)
        self._previous: RoundBuffer | None = None
        self._update: tuple[SignalBroadcast, ActorUpdate] | None = None
        """The update under way, and the signal that it follows."""

    @property
    def where(self) -> tuple[int, int]:
        """Round and turn that are to be acted in next."""
        return self._now.round, self._now.turn

    @property
    def passes(self) -> int | None:
        """How many passes of an update are made that is under way; None if none is."""
        return None if self._update is None else self._update[1].done

    def missing(self) -> list[int]:
        """Return whom the next action waits for."""
        return self._now.missing()

    def told_by(self, parent: int) -> int:
        """Return in how many turns, up to the one that is to be acted in next, a parent has acted."""
        return min(len(self._now.heard.get(parent, ())), self._now.turn + 1)

    def awaited(self) -> str:
        """Say whom and what the agent waits for."""
        where = f"round {self._now.round}, turn {self._now.turn}"
        if self._update is not None:
            return f"its own update of round {self._now.round}"
        parents = [peer for peer in self.missing() if peer != COORDINATOR]
        if parents:
            return f"the actions of {names(parents)} of {where}"
        return f"the coordinator to announce states or a signal of {where}"

    def validate(self) -> None:
        """Assert what must hold between any two events."""
        buffer, learner = self._now, self._learner
        assert buffer.round in learner.held, f"theta of round {buffer.round} is played and not held"
        assert learner.latest - buffer.round in (0, 1), "only this round's update may be ahead"
        assert len(buffer.places) == len(buffer.seen) == len(buffer.limits)
        assert len(buffer.chosen) <= len(buffer.seen), "acted before the states"
        for parent, heard in buffer.heard.items():
            assert len(buffer.chosen) <= len(heard), f"acted before {name(parent)}"
        assert not buffer.ready, "everything is there, and nothing is done"

    def start(self, round_: int) -> Answers:
        """Go on with a round, at the beginning of an epoch.

        Raises
        ------
        OrderViolation
            If the agent does not hold the theta of that round.
        """
        learner = self._learner
        if round_ and round_ not in learner.held:
            held = ", ".join(map(str, learner.held))
            raise OrderViolation(
                f"the run goes on at round {round_}, but {name(self._agent)} holds theta of {held}"
            )
        learner.rewind(round_)
        if self._observer is not None:
            self._observer(Begun(round_))
        self._now = self._empty_buffer(round_)
        shown = [self.table(round_)] if self._exact else []
        return [*self._reported(round_ - 1), *shown]

    def table(self, round_: int) -> TableShown:
        """Return the table of a round."""
        return TableShown(round_, self._learner.table(round_))

    def hear(self, sender: int, message: TurnMessage) -> Answers:
        """Take in what is seen, or a parent's actions, and act as far as everything is there.

        Raises
        ------
        OrderViolation
            If the sender skips something.
        Equivocation
            If it said something else before.
        """
        buffer = self._buffer(sender, message.round, type(message).__name__)
        if buffer is None:
            return []
        if isinstance(message, ActionsChosen):
            buffer.take_actions(sender, message.turn, message.actions)
        elif isinstance(message, StatesAnnounced):
            buffer.take_states(message.turn, (message.time, message.lane), message.states)
        else:
            limits = limits_of(message, self._actions)
            buffer.take_states(message.turn, (message.time, message.lane), message.observations, limits)
        return self._act() if buffer is self._now else []

    def play(
        self, message: StatesAnnounced | ObservationsAnnounced, parent_actions: Sequence[IntArray]
    ) -> IntArray:
        """Act in the next turn, of which everything is there at once; do what `hear` does with each of it.

        Parameters
        ----------
        message : StatesAnnounced or ObservationsAnnounced
            Of this round's next turn.
        parent_actions : sequence of arrays (n,) int
            What the parents chose in it, ascending by parent.

        Raises
        ------
        OrderViolation
            If a parent's actions are not as many as the lanes.
        """
        buffer = self._now
        assert message.round == buffer.round, "a turn is played in another round"
        place = (message.time, message.lane)
        limits = None
        if isinstance(message, StatesAnnounced):
            seen: Seen = message.states
        else:
            seen, limits = message.observations, limits_of(message, self._actions)
        buffer.take(message.turn, place, seen, parent_actions, limits)
        return self._act_once().actions

    def apply(self, message: SignalBroadcast | FlowBroadcast) -> Answers:
        """Apply update (3) of a round, unless that was done before, and go on to the next one.

        Raises
        ------
        OrderViolation
            If the signal is not that of this round, or does not fit what was seen.
        FloatingPointError
            If theta overflows.
        """
        learner, round_ = self._learner, message.round
        if round_ < self._now.round:
            return [self._applied(round_)]
        if round_ > self._now.round:
            raise OrderViolation(
                f"the signal of round {round_} came, {name(self._agent)} is in round {self._now.round}"
            )
        if self._update is not None:
            raise OrderViolation(f"the signal of round {round_} came again before it was followed")
        if round_ == learner.latest:
            if isinstance(message, FlowBroadcast):
                return self._taken(message, learner.apply_flow(message))
            whole = self._whole_round(message.weights)
            if learner.has_critic:
                self._update = message, learner.begin_update(round_, *whole)
                return []
            return self._taken(message, learner.apply_weights(round_, *whole))
        if self._observer is not None:
            self._observer(Kept(round_, learner.snapshot(round_ + 1).digest))
        return self._next()

    def work(self) -> Answers:
        """Make one more pass of the update that is under way, and go on when it was the last.

        Raises
        ------
        FloatingPointError
            If theta overflows.
        """
        assert self._update is not None
        message, update = self._update
        if not update.advance():
            return []
        self._update = None
        return self._taken(message, self._learner.end_update(update))

    def _taken(self, message: SignalBroadcast | FlowBroadcast, snapshot: Snapshot) -> Answers:
        """Store what an update came to, and go on to the next round."""
        round_ = message.round
        if self._observer is not None:
            before, after = (self._learner.snapshot(at).digest for at in (round_, round_ + 1))
            self._observer(Applied(round_, before, after, message))
        return [Store(round_ + 1, snapshot), *self._next()]

    def _next(self) -> Answers:
        round_ = self._now.round
        self._previous, self._now = self._now, self._empty_buffer(round_ + 1)
        return [*self._reported(round_), self._applied(round_)]

    def _reported(self, round_: int) -> Answers:
        """Return how the update of a round went, where that is reported."""
        if not self._learner.has_critic or round_ < 0:
            return []
        kl, clipped, entropy = self._learner.snapshot(round_ + 1).state[SIGNS].tolist()
        return [UpdateReported(round_, kl, clipped, entropy)]

    def _act(self) -> Answers:
        answers: Answers = []
        buffer = self._now
        while buffer.ready:
            answers.append(self._act_once())
        return answers

    def _act_once(self) -> ActionsChosen:
        """Act in the next turn, which waits for nobody."""
        buffer = self._now
        turn = len(buffer.chosen)
        seen, parent_actions = buffer.inputs()
        actions = self._learner.act(
            buffer.round, *buffer.places[turn], seen, parent_actions, buffer.limits[turn]
        )
        buffer.chosen.append(actions)
        chosen = ActionsChosen(buffer.round, turn, actions)
        if self._observer is not None:
            self._observer(Acted(buffer.round, turn, chosen))
        return chosen

    def _empty_buffer(self, round_: int) -> RoundBuffer:
        return RoundBuffer(round_, self._parents)

    def _buffer(self, sender: int, round_: int, kind: str) -> RoundBuffer | None:
        """Return the buffer a message of a round belongs to; None if it is too old to matter."""
        if round_ == self._now.round:
            return self._now
        if round_ > self._now.round:
            where = f"round {self._now.round}"
            raise OrderViolation(
                f"{name(sender)} sends {kind} of round {round_}, {name(self._agent)} is in {where}"
            )
        return self._previous if self._previous is not None and round_ == self._previous.round else None

    def _whole_round(
        self, weights: FloatArray
    ) -> tuple[Seen, list[IntArray], IntArray, FloatArray, Limits | None]:
        """Return all that the signal of this round is applied to, with the signal."""
        buffer = self._now
        if buffer.turn != len(buffer.seen) or not buffer.seen:
            raise OrderViolation(
                f"the signal of round {buffer.round} came before turn {buffer.turn} was acted in"
            )
        seen, parent_actions, actions = buffer.all_turns()
        if len(weights) != len(seen):
            raise OrderViolation(
                f"the signal of round {buffer.round} has {len(weights)} weights for {len(seen)} lane steps"
            )
        limits = joined(buffer.limits, [len(states) for states in buffer.seen], self._actions)
        return seen, parent_actions, actions, weights, limits

    def _applied(self, round_: int) -> SignalApplied:
        digest = self._learner.snapshot(round_ + 1).digest
        if not self._exact:
            return SignalApplied(round_, digest)
        return SignalApplied(round_, digest, self._learner.table(round_ + 1))
