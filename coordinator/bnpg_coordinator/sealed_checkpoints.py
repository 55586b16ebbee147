"""Sealed checkpoints that the coordinator keeps for the agents, as pure logic; it cannot read them."""

from collections.abc import Mapping

import numpy as np
from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.effects import Effect
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import CheckpointSealed, CheckpointsReturned
from bnpg_protocol.wire.sealed import round_of

from bnpg_coordinator.effects import DropSealed, KeepSealed

Kept = Mapping[int, Mapping[int, bytes]]
"""Sealed checkpoints by agent and round."""


class SealedCheckpoints:
    """The two newest of every agent.

    Parameters
    ----------
    largest : int
        Bytes that one may have; 0: none is kept.
    kept : mapping from agent to round to bytes
        Those of earlier lives of the coordinator.
    """

    def __init__(self, largest: int, kept: Kept) -> None:
        self._largest = largest
        self._kept: dict[int, dict[int, bytes]] = {agent: dict(rounds) for agent, rounds in kept.items()}
        self._returned: CheckpointsReturned | None = None
        """The last answer: who asks again and again, and does not listen, has one copy of it queued up."""
        self._latest: dict[int, int] = {}
        """Of every agent: the latest round of which one came since the run last began or went on."""
        self.awaited = 0
        """How many came that the rounds wait for: of what is played and what follows, each once."""

    def take(self, agent: int, message: CheckpointSealed, playing: int) -> list[Effect]:
        """Keep one, in place of that of two rounds before.

        Parameters
        ----------
        agent : int
            Who sent it.
        message : CheckpointSealed
        playing : int
            The round that is played; nobody is further than its end.

        Raises
        ------
        OrderViolation
            If none is kept here, if it is too large, or if its outside says another round or one to come.
        """
        sealed, round_ = message.sealed.tobytes(), message.round
        if not self._largest:
            raise OrderViolation(
                f"{name(agent)} seals its checkpoints, and none are kept here: expected --keep-sealed BYTES"
            )
        if len(sealed) > self._largest:
            raise OrderViolation(
                f"a sealed checkpoint of {name(agent)} has {len(sealed)} bytes, "
                f"expected {self._largest} at most"
            )
        if round_of(sealed) != round_ or round_ > playing + 1:
            raise OrderViolation(
                f"{name(agent)} sends a sealed checkpoint of round {round_of(sealed)} as that of round "
                f"{round_}, in round {playing}"
            )
        if round_ >= playing and round_ > self._latest.get(agent, -1):
            self._latest[agent] = round_
            self.awaited += 1
        mine = self._kept.setdefault(agent, {})
        if mine.get(round_) == sealed:
            return []
        self._returned = None
        for other in [stored for stored in mine if stored % 2 == round_ % 2]:
            del mine[other]  # its place is taken
        mine[round_] = sealed
        return [KeepSealed(agent, round_, sealed)]

    def rewind(self, round_: int) -> list[Effect]:
        """Keep nothing of rounds that nobody can go on with: the run goes on with `round_`."""
        self._latest = {}
        later = [
            (agent, stored) for agent, mine in self._kept.items() for stored in mine if stored > round_ + 1
        ]
        self._returned = None
        for agent, stored in later:
            del self._kept[agent][stored]
        return [DropSealed(agent, stored) for agent, stored in later]

    def returned(self, agent: int, life: int) -> CheckpointsReturned:
        """Return the answer to an agent that asks for what is kept of it.

        Parameters
        ----------
        agent : int
        life : int
            Its latest life that is known; 0 if none is.
        """
        last = self._returned
        if last is not None and (last.agent, last.incarnation) == (agent, life):
            return last
        mine = sorted(self._kept.get(agent, {}).items())
        sealed = np.frombuffer(b"".join(content for _, content in mine), dtype=np.uint8)
        rounds, sizes = tuple(stored for stored, _ in mine), tuple(len(content) for _, content in mine)
        self._returned = CheckpointsReturned(agent, life, rounds, sizes, sealed)
        return self._returned
