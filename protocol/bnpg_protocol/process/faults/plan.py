"""The fault plan: what goes wrong, where, when and how often. One TOML file for every launcher.

::

    seed = 7

    [[delay]]                       # every message of these links, a random time
    from = "agent-*"
    to = "coordinator"
    distribution = "exponential"
    seconds = 0.02

    [[drop]]                        # one message in ten, wherever it goes
    probability = 0.1

    [[partition]]                   # two groups that do not hear each other for two seconds
    groups = [["agent-0", "agent-1"], ["coordinator", "agent-2"]]
    round = 5
    seconds = 2.0

    [[kill]]                        # SIGKILL after the action went to the first child only
    process = "agent-1"
    phase = "sending"
    round = 3
    turn = 2

    [[exhaust]]                     # the disk is full from the fourth checkpoint on
    process = "agent-2"
    phase = "storing"
    round = 3
    of = "disk"
"""

import fnmatch
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bnpg_files.reading import read_toml
from bnpg_protocol.process.faults.shortage import Resource
from bnpg_protocol.wire.messages import KINDS

Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=1)]
Index = Annotated[int, Meta(ge=0)]

Phase = Literal[
    "greeting",
    "welcomed",
    "adopting",
    "joining",
    "states",
    "sending",
    "signal",
    "storing",
    "stored",
    "greeted",
    "rewinding",
    "announcing",
    "recorded",
    "signalling",
    "gathering",
    "concluding",
    "concluded",
    "leaving",
]
"""Moments in the life of a process; see `bnpg_protocol.process.faults.moments`."""


ALSO = {"ActionsRelayed": "ActionsChosen", "ActionsAttested": "ActionsChosen"}
"""As what some kinds of message count beside: a plan is the same with a relay and without."""


class PlanError(ValueError):
    """A fault plan that cannot be read; the text names the file and the field."""


class LinkFault(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"sender": "from"}):
    """A fault of messages on links: which links, which messages, how often."""

    sender: str = "*"
    """Who sends: `coordinator`, `agent-3`, or a pattern such as `agent-*`."""
    to: str = "*"
    """Who receives, likewise."""
    messages: tuple[str, ...] = ()
    """Kinds of message, such as `ActionsChosen`, which stands for `ActionsRelayed` and `ActionsAttested` too;
    empty for all."""
    probability: Probability = 1.0
    positions: tuple[Index, ...] = ()
    """Only the messages at these places of each link, from 0, retransmissions counted; empty for all."""
    rounds: tuple[Index, Index] | None = None
    """Only messages of the rounds first..last."""

    def touches(self, sender: str, to: str, kind: str, position: int, round_: int | None) -> bool:
        """Whether this fault may strike a message, its probability aside."""
        if self.messages and kind not in self.messages and ALSO.get(kind) not in self.messages:
            return False
        if self.positions and position not in self.positions:
            return False
        if self.rounds is not None and (round_ is None or not self.rounds[0] <= round_ <= self.rounds[1]):
            return False
        return self.joins(sender, to)

    def joins(self, sender: str, to: str) -> bool:
        """Whether this fault is about what one process sends another."""
        return fnmatch.fnmatchcase(sender, self.sender) and fnmatch.fnmatchcase(to, self.to)


class Delay(LinkFault, frozen=True, kw_only=True):
    """Messages take longer; those with different delays overtake each other."""

    distribution: Literal["constant", "uniform", "exponential", "lognormal"] = "exponential"
    seconds: Seconds
    """Mean delay; the very delay if constant, half the largest if uniform, the median if lognormal."""


class Drop(LinkFault, frozen=True, kw_only=True):
    """Messages get lost."""


class Duplicate(LinkFault, frozen=True, kw_only=True):
    """Messages arrive more than once."""

    copies: Count = 1
    """How many times more."""


class Reorder(LinkFault, frozen=True, kw_only=True):
    """Messages are overtaken by later ones of the same link."""

    depth: Count = 3
    """By how many; at the latest after `seconds` they go on all the same."""
    seconds: Seconds = 0.2


class Corrupt(LinkFault, frozen=True, kw_only=True):
    """Bits are flipped on the way; the checksum in frame 0 shows it, and the message counts as lost."""

    bits: Count = 1


class Partition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Groups of processes that do not hear each other for a time."""

    groups: tuple[tuple[str, ...], ...]
    """Names or patterns; a process in no group hears everybody."""
    start: Seconds | None = None
    """Seconds after the start of the run."""
    round: Index | None = None
    """Or: from each process's first message of this round on."""
    seconds: Seconds
    one_way: bool = False
    """Whether only later groups do not hear earlier ones: those are heard, but hear nothing in turn."""

    def separates(self, sender: str, to: str) -> bool:
        """Whether what one process sends does not reach the other."""
        first, other = self._group(sender), self._group(to)
        if first is None or other is None:
            return False
        return first < other if self.one_way else first != other

    def _group(self, name: str) -> int | None:
        for index, group in enumerate(self.groups):
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in group):
                return index
        return None


class ProcessFault(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault of one process at one moment of its life."""

    process: str
    """`coordinator`, `agent-3`, or a pattern."""
    phase: Phase
    round: Index | None = None
    """Of which round; any if left out."""
    turn: Index | None = None
    """At which turn of the round; any if left out."""
    step: Index | None = None
    """The same, as plans called it before."""
    after: Count = 1
    """At which occurrence of the moment, from 1."""
    incarnation: Count = 1
    """In which life of the process: its first start is 1, and each return counts one more."""

    def __post_init__(self) -> None:
        if self.turn is not None and self.step is not None:
            raise ValueError("`step` is what `turn` was called before: give one of them")

    def strikes(
        self, process: str, incarnation: int, phase: str, round_: int | None, turn: int | None
    ) -> bool:
        """Whether this is the moment, its count of occurrences aside."""
        return (
            phase == self.phase
            and incarnation == self.incarnation
            and self.round in (None, round_)
            and (self.step if self.turn is None else self.turn) in (None, turn)
            and fnmatch.fnmatchcase(process, self.process)
        )


class Kill(ProcessFault, frozen=True, kw_only=True):
    """SIGKILL. The launcher starts the process again."""


class Pause(ProcessFault, frozen=True, kw_only=True):
    """The process hangs for a time."""

    seconds: Seconds


class Exhaust(ProcessFault, frozen=True, kw_only=True):
    """The process finds no room on the disk, no descriptor or no memory, from a moment on.

    What it could not write it does not claim to have written. The run ends with exit code 7 and can be
    resumed.
    """

    of: Resource
    seconds: Seconds | None = None
    """For how long; to the end of this life if left out; of memory always at once and once."""


class FaultPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All faults of a run."""

    seed: Index = 0
    delay: tuple[Delay, ...] = ()
    drop: tuple[Drop, ...] = ()
    duplicate: tuple[Duplicate, ...] = ()
    reorder: tuple[Reorder, ...] = ()
    corrupt: tuple[Corrupt, ...] = ()
    partition: tuple[Partition, ...] = ()
    pause: tuple[Pause, ...] = ()
    kill: tuple[Kill, ...] = ()
    exhaust: tuple[Exhaust, ...] = ()

    def __post_init__(self) -> None:
        links: tuple[LinkFault, ...] = (
            *self.delay,
            *self.drop,
            *self.duplicate,
            *self.reorder,
            *self.corrupt,
        )
        for fault in links:
            for kind in fault.messages:
                if kind not in KINDS:
                    raise ValueError(
                        f"no kind of message is called {kind!r}; there are {', '.join(sorted(KINDS))}"
                    )
        for cut in self.partition:
            if (cut.start is None) == (cut.round is None):
                raise ValueError("a partition needs either `start` or `round`")
            if len(cut.groups) < 2:
                raise ValueError(f"a partition needs two groups or more, got {len(cut.groups)}")


def read_plan(path: Path) -> FaultPlan:
    """Read a fault plan.

    Raises
    ------
    PlanError
        If the file cannot be read or is no plan; the text names the field.
    """
    try:
        return read_toml(path, FaultPlan, PlanError)
    except FileNotFoundError as error:
        raise PlanError(f"{path}: {error.strerror}") from None


def plan_document(plan: FaultPlan) -> dict[str, object]:
    """Return a plan as plain values, ready for a TOML writer; what has its default value is left out."""
    document: dict[str, object] = {"seed": plan.seed}
    for section in FaultPlan.__struct_fields__[1:]:
        faults = getattr(plan, section)
        if faults:
            document[section] = [_changed(fault) for fault in faults]
    return document


def _changed(fault: Struct) -> dict[str, object]:
    names = dict(zip(fault.__struct_fields__, fault.__struct_encode_fields__, strict=True))
    defaults = {
        info.name: info.default
        for info in msgspec.structs.fields(fault)
        if info.default is not msgspec.NODEFAULT
    }
    values = {field: getattr(fault, field) for field in names}
    kept = {
        field: value for field, value in values.items() if field not in defaults or value != defaults[field]
    }
    return {names[field]: msgspec.to_builtins(value) for field, value in kept.items()}
