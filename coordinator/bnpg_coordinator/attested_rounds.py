"""The rounds of a run with a relay: agents attest what they acted on, and are compared before the signal.

A class of its own, chosen when the coordinator begins, so that runs without a relay pay nothing for it.
"""

from typing import Any

from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import ActionsAttested, ActionsChosen, Message

from bnpg_coordinator.attestations import Attestations
from bnpg_coordinator.orders import Orders
from bnpg_coordinator.rounds import CoordinatorRounds


class AttestedRounds(CoordinatorRounds):
    """`CoordinatorRounds` in which `ActionsAttested` takes the place of `ActionsChosen`.

    Parameters
    ----------
    attestations : Attestations
        Of what agents say they acted on.
    parts
        Of `CoordinatorRounds`, in their order.
    """

    def __init__(self, attestations: Attestations, *parts: Any) -> None:
        super().__init__(*parts)
        self._attestations = attestations

    def begin(self, round_: int) -> Orders:
        """Begin a round, of which nothing is attested yet."""
        self._attestations.begin()
        return super().begin(round_)

    def prepare(self) -> None:
        """Do ahead what depends on no answer: digests of what everybody chose as well."""
        super().prepare()
        if self.turn > self._attestations.turns:
            self._attestations.catch_up(list(self._said.values()), self.turn)

    def receive(self, agent: int, message: Message) -> Orders:
        """Receive an agent's answer; see `CoordinatorRounds.receive`."""
        if not isinstance(message, (ActionsAttested, ActionsChosen)):
            return super().receive(agent, message)
        where = f"round {message.round}, turn {message.turn}"
        if isinstance(message, ActionsChosen):
            raise OrderViolation(f"{name(agent)} sent ActionsChosen at {where}, in a run with a relay")
        if message.round < self.round:
            return []
        if message.round > self.round or self._part == "tables":
            awaited = f"awaited: {self.awaited()[1]} of round {self.round}"
            raise OrderViolation(f"{name(agent)} sent ActionsAttested of round {message.round}; {awaited}")
        self._attestations.note(agent, message, where)
        return self._actions(agent, message)

    def _signal(self, signal: Message) -> Orders:
        """Let the signal of a round go out of which everybody acted on what was chosen.

        Raises
        ------
        Equivocation
            If somebody did not: then no line of the round is recorded, and no signal of it goes out.
        """
        if self._sampled is not None:
            self._attestations.catch_up(list(self._said.values()), self.turn)
            self._attestations.check(self.round)
        return super()._signal(signal)
