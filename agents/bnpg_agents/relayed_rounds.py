"""The rounds of one agent where there is a relay: actions come in and go out in rows, and are attested.

A class of its own, chosen when the rounds begin, so that runs without a relay pay nothing for it.
"""

from bnpg_protocol.wire.events import Acted, Event, Observer
from bnpg_protocol.wire.messages import ActionsAttested, ActionsChosen, ActionsRelayed

from bnpg_agents.learner import Learner
from bnpg_agents.relayed_buffer import RelayedBuffer
from bnpg_agents.relaying import Relaying
from bnpg_agents.rounds import AgentRounds, Answers, ToChild


class RelayedRounds(AgentRounds):
    """`AgentRounds` that hand on what they hear, and say what they acted on.

    Parameters
    ----------
    agent, learner, parents, exact, actions
        As of `AgentRounds`.
    observer
        Called with every event of the trace.
    relaying : Relaying
        Whose rows come in over which link, and go out.
    """

    def __init__(
        self,
        agent: int,
        learner: Learner,
        parents: tuple[int, ...],
        exact: bool,
        actions: int,
        observer: Observer | None,
        relaying: Relaying,
    ) -> None:
        self._relaying = relaying
        self._told = observer
        super().__init__(agent, learner, parents, exact, actions, None if observer is None else self._tell)

    def hear_rows(self, sender: int, message: ActionsRelayed) -> Answers:
        """Take in the rows of a parent's link, and act as far as everything is there.

        Raises
        ------
        OrderViolation
            If the parent skips a turn.
        Equivocation
            If it said something else before.
        """
        buffer = self._buffer(sender, message.round, type(message).__name__)
        if buffer is None:
            return []
        buffer.take_actions(sender, message.turn, message.actions)
        return self._act() if buffer is self._now else []

    def _act(self) -> Answers:
        answers: Answers = []
        buffer = self._now
        assert isinstance(buffer, RelayedBuffer), "made here"
        while buffer.ready:
            answers += self._handed_on(buffer, self._act_once())
        return answers

    def _tell(self, event: Event) -> None:
        """Tell the observer, but for acts: of those it is told with what they rest on, in `_handed_on`."""
        if self._told is not None and type(event) is not Acted:
            self._told(event)

    def _handed_on(self, buffer: RelayedBuffer, chosen: ActionsChosen) -> Answers:
        """Return what is said of a turn: to the children first, who wait for it."""
        round_, turn, actions = chosen.round, chosen.turn, chosen.actions
        attested = ActionsAttested(round_, turn, actions, buffer.attested(turn))
        if self._told is not None:
            self._told(Acted(round_, turn, attested, buffer.acted_on(turn) | {self._agent: actions}))
        children = buffer.handed_on(turn, actions)
        return [*(ToChild(child, ActionsRelayed(round_, turn, rows)) for child, rows in children), attested]

    def _empty_buffer(self, round_: int) -> RelayedBuffer:
        return RelayedBuffer(round_, self._relaying)
