"""What a benchmark found: the JSON on disk, from which tables and pages are made."""

from typing import Literal

import numpy as np
from bnpg_protocol.core import PYTHON
from msgspec import Struct

FORMAT = 1
"""Version of the JSON."""


class Sample(Struct, kw_only=True):
    """One repetition of one side."""

    seconds: float
    """What is measured: seconds a step, or until ready."""
    steps: int = 0
    """Steps that were measured."""
    cpu_seconds: float | None = None
    """CPU time of all processes of this side, for the same amount of work."""
    switches: float | None = None
    """Voluntary context switches of all processes of this side, for the same amount of work."""
    steal: float | None = None
    """Share of the machine's CPU time that its host gave to others meanwhile, 0 to 1."""
    agent_bytes: float | None = None
    """Memory of an agent process that it shares with nobody (USS), mean over the agents."""
    agent_resident_bytes: float | None = None
    """Resident memory of an agent process (RSS), mean over the agents."""
    coordinator_bytes: float | None = None
    """USS of the coordinator process."""
    ready_seconds: float | None = None
    """From the launch until the first step was made."""
    digest: str = ""
    """Of the policy that was learned; sides that run the same machines must agree."""


class Messages(Struct, kw_only=True):
    """What travels in one step, counted in a run in memory."""

    by_kind: dict[str, float]
    """Messages a step."""
    bytes_by_kind: dict[str, float]
    """Bytes a message, all frames."""

    @property
    def count(self) -> float:
        """Messages a step."""
        return sum(self.by_kind.values())

    @property
    def bytes(self) -> float:
        """Bytes a step."""
        return sum(count * self.bytes_by_kind[kind] for kind, count in self.by_kind.items())


class Target(Struct, kw_only=True, frozen=True):
    """What a ratio is meant to be."""

    sense: Literal["at most", "at least"]
    ratio: float

    def met(self, ratio: float) -> bool:
        """Whether a ratio is as meant."""
        return ratio <= self.ratio if self.sense == "at most" else ratio >= self.ratio


class Spread(Struct, kw_only=True, frozen=True):
    """Median and quartiles."""

    median: float
    low: float
    high: float


class Case(Struct, kw_only=True):
    """One size of a benchmark: several sides that took turns."""

    name: str
    parameters: dict[str, str | int | float]
    samples: dict[str, list[Sample]]
    """By side; `ours` is this package. Sample k of every side was taken in repetition k."""
    ours: str = "ours"
    """The side that the others are compared with."""
    targets: dict[str, Target] = {}
    """By side: ours over that one, in seconds."""
    limits: dict[str, float] = {}
    """Most that the median of a field of our samples is meant to be, by field."""
    lanes: int = 1
    """Transitions a step."""
    messages: Messages | None = None
    left_out: dict[str, str] = {}
    """Sides that could not be measured, and why."""

    def spread(self, side: str) -> Spread:
        """Seconds of one side."""
        return spread_of([sample.seconds for sample in self.samples[side]])

    def median(self, side: str, field: str) -> float | None:
        """Median of a field of a side's samples; None if it was not measured."""
        values = [getattr(sample, field) for sample in self.samples[side]]
        known = [value for value in values if value is not None]
        return float(np.median(known)) if known else None

    def pairs(self, side: str) -> list[float]:
        """Ours over another side, repetition by repetition."""
        pairs = zip(self.samples[self.ours], self.samples[side], strict=True)
        return [ours.seconds / other.seconds for ours, other in pairs]

    def ratio(self, side: str) -> Spread:
        """Ours over another side, pair by pair."""
        return spread_of(self.pairs(side))


class Benchmark(Struct, kw_only=True):
    """All cases of one benchmark."""

    letter: str
    title: str
    about: str
    """How it is measured, for the page."""
    unit: Literal["a step", "until ready", "a round"]
    cases: list[Case]
    seconds: float = 0.0
    """How long it took."""
    measured: str = ""
    """When, ISO 8601, UTC; empty: as the whole document."""
    load: float | None = None
    """Load average before it, over one minute; None: as the whole document."""
    others: float | None = None
    """Cores that others kept busy meanwhile, on average; None: not known."""


class Machine(Struct, kw_only=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    packages: dict[str, str]
    folder: str
    """File system of the run folders."""
    core: str = PYTHON
    """What did the steps of our own runs: compiled, or python."""
    load: float
    """Load average before, over one minute."""
    load_after: float = 0.0
    steal: float = 0.0
    """Share of the CPU time that the host gave to others, over all benchmarks."""


class Results(Struct, kw_only=True):
    """Everything one command measured."""

    format: int = FORMAT
    bnpg: str
    written: str
    """ISO 8601, UTC."""
    quick: bool
    machine: Machine
    benchmarks: list[Benchmark]
    not_measured: dict[str, str] = {}
    """Letters that failed, and why."""


def spread_of(values: list[float]) -> Spread:
    """Return median and quartiles."""
    low, median, high = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
    return Spread(median=median, low=low, high=high)
