"""What every kind of line in a trace must say; a line that says more, less or something else is refused."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Count = Annotated[int, Meta(ge=0)]
Life = Annotated[int, Meta(ge=1)]
Process = Annotated[str, Meta(pattern=r"^(coordinator|agent-\d+)$")]
Anybody = Annotated[str, Meta(pattern=r"^(coordinator|agent(-\d+)?)$")]
Payload = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$")]
Theta = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Chain = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]


class Line(Struct, tag_field="k", forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What every line says."""

    n: Count
    t: Annotated[float, Meta(ge=0)]
    lamport: Count
    h: Chain


class Started(Line, tag="start", frozen=True):
    """The first line: whose trace this is."""

    version: Literal[1]
    process: Process
    life: Life
    run: str
    experiment: str
    agent: Count | UnsetType = UNSET
    held: dict[Annotated[str, Meta(pattern=r"^\d+$")], Theta] | UnsetType = UNSET
    agents: Life | UnsetType = UNSET
    edges: list[tuple[Count, Count]] | UnsetType = UNSET
    mode: Literal["sampled", "exact"] | UnsetType = UNSET
    rounds: Count | UnsetType = UNSET
    evaluate_every: Count | UnsetType = UNSET
    save_policy: bool | UnsetType = UNSET
    stops_early: bool | UnsetType = UNSET
    parts: int | UnsetType = UNSET


class InEpoch(Line, frozen=True):
    """What happens within an epoch."""

    g: Count
    e: Count


class Entered(InEpoch, tag="epoch", frozen=True):
    """The process enters an epoch."""

    neighbours: dict[Process, Life]


class Begun(InEpoch, tag="begin", frozen=True):
    """The rounds go on with `r`."""

    r: Count


class Sent(InEpoch, tag="send", frozen=True):
    """A message is first sent."""

    peer: Process
    seq: Life
    kind: str
    r: Count | None
    s: Count | None
    p: Payload


class Received(Sent, tag="receive", frozen=True):
    """A message is delivered in order."""

    sent: Count


class Unsent(Received, tag="unsend", frozen=True):
    """A message is taken back before it left."""


class Bare(InEpoch, tag="bare", frozen=True):
    """A message outside the order is sent."""

    peer: Anybody
    seq: Literal[0]
    sent: Count
    kind: str
    r: Count | None
    s: Count | None
    p: Payload


class Acted(InEpoch, tag="act", frozen=True):
    """An agent draws its actions."""

    r: Count
    s: Count
    p: Payload


class Applied(InEpoch, tag="apply", frozen=True):
    """An agent applies update (3)."""

    r: Count
    s: None
    p: Payload
    before: Theta
    after: Theta


class Kept(InEpoch, tag="kept", frozen=True):
    """An agent does not apply an update again."""

    r: Count
    after: Theta


class Joined(Line, tag="join", frozen=True):
    """The coordinator takes an agent in."""

    agent: Count
    life: Life
    held: list[Count]


class Concluded(Line, tag="conclude", frozen=True):
    """The coordinator ends the run."""

    state: Literal["done", "interrupted", "failed"]
    rounds: Count
    absent: list[Count]


class Ended(Line, tag="end", frozen=True):
    """The process ends by itself."""

    code: Annotated[int, Meta(ge=0, le=255)]
    why: str


AnyLine = (
    Started
    | Entered
    | Begun
    | Sent
    | Received
    | Unsent
    | Bare
    | Acted
    | Applied
    | Kept
    | Joined
    | Concluded
    | Ended
)
_DECODER = msgspec.json.Decoder(AnyLine)


def objection(line: bytes) -> str | None:
    """Return what is wrong with a line, None if nothing is."""
    try:
        _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    return None
