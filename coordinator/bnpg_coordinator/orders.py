"""What the rounds of the coordinator decide, each with its recipients."""

from typing import Any, NamedTuple

from bnpg_protocol.wire.messages import Message


class ToAll(NamedTuple):
    """A message for every agent."""

    message: Message


class To(NamedTuple):
    """A message for one agent."""

    agent: int
    message: Message


class Line(NamedTuple):
    """A line for the run record, durable before anything behind it is sent."""

    fields: dict[str, Any]


Order = ToAll | To | Line
Orders = list[Order]
