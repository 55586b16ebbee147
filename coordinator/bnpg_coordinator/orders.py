"""What the rounds of the coordinator decide, each with its recipients."""

from typing import NamedTuple

from bnpg_protocol.wire.messages import Message

from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.line import Line


class ToAll(NamedTuple):
    """A message for every agent."""

    message: Message


class To(NamedTuple):
    """A message for one agent."""

    agent: int
    message: Message


class ToRecord(NamedTuple):
    """A line for the run record, written before anything behind it is sent."""

    line: Line


class ToSync(NamedTuple):
    """The run record is to be durable, now that what rests on its last line has been sent."""


class ToKeep(NamedTuple):
    """The critic of a round, durable before anything behind it is sent."""

    round: int
    state: CriticState


Order = ToAll | To | ToRecord | ToSync | ToKeep
Orders = list[Order]
