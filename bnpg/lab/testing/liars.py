"""Agents that say something false where there is a relay: what they send children is not what was chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest import mock

import msgspec
import numpy as np
from bnpg_agents.relayed_buffer import RelayedBuffer
from bnpg_agents.relayed_rounds import RelayedRounds
from bnpg_agents.rounds import Answers, ToChild
from bnpg_protocol.wire.messages import ActionsChosen, ActionsRelayed


class Lie(NamedTuple):
    """Who lies to whom, about whose actions, and when."""

    agent: int
    to: int
    of: int
    round: int = 1
    turn: int = 0


def falsified(message: ActionsRelayed, row: int) -> ActionsRelayed:
    """Return a message with other actions in one of its rows."""
    rows = np.array(message.actions)
    rows[row] = 1 - np.minimum(rows[row], 1)
    rows.setflags(write=False)
    return msgspec.structs.replace(message, actions=rows)


@contextmanager
def lying(lie: Lie) -> Iterator[None]:
    """Let an agent of all machines of this process tell this lie."""
    honest = RelayedRounds._handed_on

    def handed_on(rounds: RelayedRounds, buffer: RelayedBuffer, chosen: ActionsChosen) -> Answers:
        answers = honest(rounds, buffer, chosen)
        if (rounds._agent, chosen.round, chosen.turn) != (lie.agent, lie.round, lie.turn):
            return answers
        carried = sorted((*buffer.acted_on(chosen.turn), lie.agent))
        return [
            ToChild(one.child, falsified(one.message, carried.index(lie.of)))
            if isinstance(one, ToChild) and one.child == lie.to
            else one
            for one in answers
        ]

    with mock.patch.object(RelayedRounds, "_handed_on", handed_on):
        yield
