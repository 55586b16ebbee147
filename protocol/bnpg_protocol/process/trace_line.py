"""The lines of a trace, each declared once: what the recorder writes, readers read and the page shows.

A line that lacks a field, has another one, or says something impossible in one is refused. The chain that
ends every line belongs to the file and is none of these fields: see :mod:`bnpg_protocol.process.recorder`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

Count = Annotated[int, Meta(ge=0)]
Nth = Annotated[int, Meta(ge=1)]
Process = Annotated[str, Meta(pattern=r"^(coordinator|agent-\d+)$")]
Anybody = Annotated[str, Meta(pattern=r"^(coordinator|agent(-\d+)?)$")]
Payload = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$")]
Theta = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


class TraceLine(Struct, tag_field="k", forbid_unknown_fields=True, frozen=True, gc=False):
    """What every line says."""

    number: Count = field(name="n")
    """Number of the line, from 0."""
    time: Annotated[float, Meta(ge=0)] = field(name="t")
    """Unix seconds; never goes back within a file."""
    lamport: Count
    """Lamport time of the process after the event."""


class StartLine(TraceLine, tag="start", frozen=True):
    """The first line: whose trace this is, and what it begins with."""

    version: Literal[1]
    """Of this format."""
    process: Process
    life: Nth
    """Generation or incarnation."""
    run: str
    """Which run this is."""
    experiment: str
    """Digest of the experiment."""
    agent: Count | UnsetType = UNSET
    """Of an agent: which."""
    held: dict[Count, Theta] | UnsetType = UNSET
    """Of an agent: digest of theta by round, as restored or as begun with."""
    agents: Nth | UnsetType = UNSET
    """Of the coordinator, as all that follows: how many agents there are."""
    edges: list[tuple[Count, Count]] | UnsetType = UNSET
    """Parent and child."""
    mode: Literal["sampled", "exact"] | UnsetType = UNSET
    rounds: Count | UnsetType = UNSET
    evaluate_every: Count | UnsetType = UNSET
    save_policy: bool | UnsetType = UNSET
    stops_early: bool | UnsetType = UNSET
    """Whether it may be done before all rounds are."""
    critic: bool | UnsetType = UNSET
    relay: bool | UnsetType = UNSET
    """Whether actions are handed on in this life."""
    parts: int | UnsetType = UNSET
    """In how many parts the lanes of a round are stepped."""


class JoinLine(TraceLine, tag="join", frozen=True):
    """The coordinator takes an agent in."""

    agent: Count
    life: Nth
    held: tuple[Count, ...]
    """Rounds of which it holds theta."""


class LineInEpoch(TraceLine, frozen=True):
    """What every line of an event within an epoch says."""

    generation: Count = field(name="g")
    epoch: Count = field(name="e")


class EpochLine(LineInEpoch, tag="epoch", frozen=True):
    """The process enters an epoch."""

    neighbours: dict[Process, Nth]
    """With whom, and in which lives."""


class BeginLine(LineInEpoch, tag="begin", frozen=True):
    """The rounds go on with this one; who was ahead by more than one update goes back to it."""

    round: Count = field(name="r")


class MessageLine(LineInEpoch, frozen=True):
    """What every line of a message says."""

    peer: Anybody
    seq: Count
    """Its number on the link in this epoch, from 1; 0 outside the order."""
    kind: str
    """Of the message."""
    round: Count | None = field(name="r")
    """Of the message; null where it has none."""
    turn: Count | None = field(name="s")
    """Of the message; null where it has none."""
    payload: Payload = field(name="p")


class SendLine(MessageLine, tag="send", frozen=True):
    """A message is first sent."""

    after: Theta | UnsetType = UNSET
    """Of a `SignalApplied` that shows a table: theta of the next round, as it reports it."""


class ReceiveLine(MessageLine, tag="receive", frozen=True):
    """A message is delivered, in order."""

    sent: Count
    """Lamport time of its sender."""


class UnsendLine(MessageLine, tag="unsend", frozen=True):
    """A message is taken back before it left, because what should come before could not be stored."""

    sent: Count
    """Lamport time when it was to be sent."""


class BareLine(MessageLine, tag="bare", frozen=True):
    """A message outside the order is sent: a greeting, a beacon, a failure."""

    sent: Count
    """Lamport time of its sender."""


class ActLine(LineInEpoch, tag="act", frozen=True):
    """An agent draws its actions."""

    round: Count = field(name="r")
    turn: Count = field(name="s")
    payload: Payload = field(name="p")
    """Of the `ActionsChosen`, or of the `ActionsAttested` where there is a relay."""
    rows: dict[Count, Payload] | UnsetType = UNSET
    """With a relay: of its own actions and of those it acted on, by agent."""


class ApplyLine(LineInEpoch, tag="apply", frozen=True):
    """An agent applies update (3)."""

    round: Count = field(name="r")
    turn: None = field(name="s")
    payload: Payload = field(name="p")
    """Of the signal."""
    before: Theta
    """Theta of the round."""
    after: Theta
    """Theta of the next round."""


class KeptLine(LineInEpoch, tag="kept", frozen=True):
    """In a replay: an agent had applied this update before and does not do so again."""

    round: Count = field(name="r")
    after: Theta
    """Theta of the next round."""


class ConcludeLine(TraceLine, tag="conclude", frozen=True):
    """The coordinator ends the run."""

    state: Literal["done", "interrupted", "failed"]
    rounds: Count
    """How many are done."""
    absent: tuple[Count, ...]
    """Agents that said no farewell."""


class EndLine(TraceLine, tag="end", frozen=True):
    """The last line of a process that ends by itself."""

    code: Annotated[int, Meta(ge=0, le=255)]
    """Its exit code."""
    why: str


Line = (
    StartLine
    | JoinLine
    | EpochLine
    | BeginLine
    | SendLine
    | ReceiveLine
    | UnsendLine
    | BareLine
    | ActLine
    | ApplyLine
    | KeptLine
    | ConcludeLine
    | EndLine
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def encode_line(line: TraceLine) -> bytes:
    """Return the text of a line up to its chain: a JSON object without its closing brace."""
    return _encoder.encode(line)[:-1]


def decode_line(text: bytes) -> Line:
    """Return a line from its text up to its chain.

    Raises
    ------
    ValueError
        If it is none; the text says which field is wrong, and what it must be.
    """
    return _decoder.decode(text + b"}")
