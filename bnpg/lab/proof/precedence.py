"""What must have come before what, in the trace of every process: the protocol's safety as a list of needs.

An event of a process needs earlier ones of the same process in the same epoch: an act its states and its
parents' actions, a signal everybody's actions, a round that everybody has applied the last. Nothing is said
of what must follow: that nobody stops short is proved by the ends of the links (`messages`), by the chain of
thetas (`content`) and by the run recomputed (`reference`). The needs are written from the protocol, not from
the machines: they know no arrays, and a machine that breaks one is found although all its numbers are right.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bnpg_protocol.process.trace_line import (
    ActLine,
    ApplyLine,
    BareLine,
    BeginLine,
    ConcludeLine,
    EndLine,
    EpochLine,
    JoinLine,
    KeptLine,
    ReceiveLine,
    SendLine,
    UnsendLine,
)
from bnpg_protocol.wire.addresses import COORDINATOR as COORDINATOR_ID
from bnpg_protocol.wire.addresses import process_name

from bnpg.lab.proof.content import payload_of
from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, TraceEvent, Violation

COORDINATOR = process_name(COORDINATOR_ID)


_SAME = {
    "ObservationsAnnounced": "StatesAnnounced",
    "ActionsAttested": "ActionsChosen",
    "ActionsRelayed": "ActionsChosen",
}
"""Kinds of message that are another way to say the same."""


class Fact(NamedTuple):
    """What an event amounts to within its epoch."""

    verb: str
    """`receive`, `send`, `act`, `update`, `begin`, .."""
    kind: str = ""
    """Of a message."""
    peer: str = ""
    round: int | None = None
    turn: int | None = None


class Need(NamedTuple):
    """An event that must have come before."""

    fact: Fact
    words: str
    other: str = ""
    """What is wrong if it has another payload; empty where it may have."""


def fact_of(event: TraceEvent) -> Fact:
    """Return what an event amounts to; to apply an update and to have applied it before are one.

    So are the two ways to say what is seen in a turn, and those to say what was chosen.
    """
    match event.line:
        case SendLine() | ReceiveLine() | UnsendLine() as line:
            return Fact(event.verb, _SAME.get(line.kind, line.kind), line.peer, line.round, line.turn)
        case ApplyLine() | KeptLine():
            return Fact("update", round=event.round)
        case JoinLine(agent=agent, life=life):
            return Fact("join", peer=str(agent), round=life)
        case _:
            return Fact(event.verb, round=event.round, turn=event.turn)


def in_words(event: TraceEvent) -> str:
    """Return what a process does."""
    at = "" if event.round is None else f" round {event.round}"
    at += "" if event.turn is None else f", turn {event.turn}"
    match event.line:
        case SendLine(kind=kind, peer=peer):
            return f"sends {kind}" + (f" of{at}" if at else f" to {peer}")
        case ActLine():
            return f"acts at{at}"
        case ApplyLine() | KeptLine():
            return f"applies update {event.round}"
        case BeginLine():
            return f"goes on at{at}"
        case EpochLine():
            return "enters an epoch"
        case _:
            return event.verb


class _Process:
    """One life, event by event. Subclasses say what each event needs, and keep count of what is no event."""

    def __init__(self, life: Life) -> None:
        self._me = life.process
        self._known: dict[Fact, TraceEvent] = {}
        self._turns: Counter[Fact] = Counter()
        """In how many turns a fact has come, by the fact without its turn."""
        self._last: TraceEvent | None = None

    def check(self, events: tuple[TraceEvent, ...]) -> None:
        """Prove that every event has what it needs, and that nothing is done twice in an epoch.

        Raises
        ------
        Violation
        """
        for event in events:
            if isinstance(event.line, EpochLine):
                self._known, self._turns = {}, Counter()
            fact = fact_of(event)
            if isinstance(event.line, UnsendLine):
                sent = fact._replace(verb="send")
                if self._known.pop(sent, None) is not None:
                    self._turns[sent._replace(turn=None)] -= 1
            elif not isinstance(event.line, BareLine | EndLine):
                for need in self.needs(event):
                    self._require(event, need)
                known = self._known.setdefault(fact, event)
                if known is not event:
                    why = f"{in_words(event)} twice".replace("acts at", "acts twice at")
                    raise self._wrong(event, why, known)
                self._turns[fact._replace(turn=None)] += 1
                self.note(event)
            self._last = event

    def needs(self, event: TraceEvent) -> Iterator[Need]:
        """Return what must have come before an event."""
        raise NotImplementedError

    def note(self, event: TraceEvent) -> None:
        """Keep count; raise `Violation` where the counts are wrong."""

    def has(self, fact: Fact) -> bool:
        """Whether something has come before."""
        return fact in self._known

    def turns(self, fact: Fact) -> int:
        """Return in how many turns something has come before."""
        return self._turns[fact]

    def _require(self, event: TraceEvent, need: Need) -> None:
        known = self._known.get(need.fact)
        if known is None:
            raise self._wrong(event, f"{in_words(event)} before it has {need.words}")
        if need.other and payload_of(known) != payload_of(event):
            raise self._wrong(event, f"{in_words(event)} {need.other}", known)

    def _wrong(self, event: TraceEvent, why: str, *before: TraceEvent) -> Violation:
        shown = before or ((self._last,) if self._last is not None else ())
        return Violation(f"{self._me} {why}", *shown, event)


class _Agent(_Process):
    """One life of an agent."""

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        assert life.agent is not None
        self._run, self._agent = run, life.agent
        self._exact = run.start.mode == "exact"
        self._parents = [process_name(parent) for parent in run.parents[life.agent]]
        self._children = [process_name(child) for child in run.children[life.agent]]
        self._latest = max(life.start.held or ())
        self.acts = self.updates = 0

    def needs(self, event: TraceEvent) -> Iterator[Need]:
        """Return what must have come before an event."""
        round_ = event.round

        def received(kind: str, peer: str = COORDINATOR, at: int | None = None) -> Fact:
            return Fact("receive", kind, peer, round_, at)

        match event.line:
            case BeginLine():
                yield Need(received("Start"), "its Start")
            case ActLine(turn=turn):
                yield Need(Fact("begun"), "begun the rounds of this epoch")
                yield Need(received("StatesAnnounced", at=turn), "the states")
                for parent in self._parents:
                    yield Need(received("ActionsChosen", parent, turn), f"the actions of {parent}")
                if turn:
                    yield Need(Fact("act", round=round_, turn=turn - 1), f"acted at turn {turn - 1}")
            case ApplyLine() | KeptLine():
                signal = "FlowBroadcast" if self._exact else "SignalBroadcast"
                yield Need(Fact("begun"), "begun the rounds of this epoch")
                applies = isinstance(event.line, ApplyLine)
                other = "from another signal than it received" if applies else ""
                yield Need(received(signal), "the signal", other)
                for turn in range(self.turns(received("StatesAnnounced"))):
                    yield Need(Fact("act", round=round_, turn=turn), f"acted at turn {turn}")
            case SendLine(kind="ActionsRelayed", turn=turn):
                yield Need(Fact("act", round=round_, turn=turn), "drawn its own")
            case SendLine(kind="ActionsChosen" | "ActionsAttested", turn=turn):
                yield Need(Fact("act", round=round_, turn=turn), "drawn them", "that it has not drawn")
            case SendLine(kind="SignalApplied"):
                yield Need(Fact("update", round=round_), "applied it")
                if self.has(Fact("sealing")) and round_ is not None:
                    sealed = Fact("send", "CheckpointSealed", COORDINATOR, round_ + 1)
                    yield Need(sealed, "given its sealed checkpoint away")
            case SendLine(kind="CheckpointSealed"):
                yield Need(Fact("begun"), "begun the rounds of this epoch")
            case SendLine(kind="UpdateReported", round=int(reported)):
                if not self.has(Fact("begin", round=reported + 1)):
                    yield Need(Fact("update", round=reported), "applied it")
            case SendLine(kind="TableShown", round=int(shown)) if self._exact:
                yield Need(Fact("begin", round=shown), "begun the epoch with that round")
            case SendLine(kind="TableShown"):
                yield Need(received("TableRequested"), "been asked for it")
            case SendLine(kind="ThetaShown"):
                yield Need(Fact("receive", "ThetaRequested", COORDINATOR), "been asked for it")
            case SendLine(kind="EdgeWelcome", peer=peer):
                yield Need(Fact("receive", "EdgeHello", peer), "been greeted")
            case SendLine(kind="EdgesConfirmed"):
                for parent in self._parents:
                    yield Need(Fact("receive", "EdgeHello", parent), f"been greeted by {parent}")
                for child in self._children:
                    yield Need(Fact("receive", "EdgeWelcome", child), f"an answer of {child}")
            case ReceiveLine(kind=kind) if kind not in ("Roster", "Finish"):
                yield Need(Fact("receive", "Roster", COORDINATOR), "the roster of the epoch")

    def note(self, event: TraceEvent) -> None:
        """Follow the thetas: every update is applied once, in order."""
        match event.line:
            case ActLine():
                self.acts += 1
            case SendLine(kind="CheckpointSealed"):
                self._known[Fact("sealing")] = event
            case EpochLine(generation=generation):
                parents, children = self._run.neighbours(self._agent, generation)
                self._parents = [process_name(parent) for parent in parents]
                self._children = [process_name(child) for child in children]
            case BeginLine(round=round_) if self._latest < round_:
                raise self._wrong(event, f"goes on at round {round_} with theta of round {self._latest}")
            case BeginLine(round=round_):
                self._known[Fact("begun")] = event
                if self._latest > round_ + 1:
                    self._latest = round_  # what others lost, it gives up too
            case ApplyLine(round=round_) if round_ == self._latest:
                self.updates += 1
                self._latest = round_ + 1
            case ApplyLine(round=round_):
                how = "twice" if round_ < self._latest else "out of order"
                raise self._wrong(event, f"applies update {round_} {how}")
            case KeptLine(round=round_) if round_ + 1 != self._latest:
                raise self._wrong(event, f"says that it has applied update {round_}, and has not")


class _Coordinator(_Process):
    """One life of the coordinator."""

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        start = life.start
        self._agents = run.agent_names
        assert isinstance(start.rounds, int)
        assert isinstance(start.parts, int)
        assert isinstance(start.evaluate_every, int)
        self._rounds, self._parts, self._evaluate_every = start.rounds, start.parts, start.evaluate_every
        self._stops_early = bool(start.stops_early)
        self._critic = bool(start.critic)
        self._lives: dict[str, int] = {}
        self._latest: dict[str, int] = {}
        self._base = 0
        self._reached = 0
        """The round it is in."""
        self._ending = False
        """Whether it has let go of somebody: what is answered after that changes nothing any more."""
        self._concluded = False
        self._met: set[Fact] = set()
        """What everybody has said in this epoch, as facts of nobody: it stays so, and is looked up once."""

    def needs(self, event: TraceEvent) -> Iterator[Need]:
        """Return what must have come before an event."""
        if self._concluded:
            raise self._wrong(event, "goes on after it concluded the run")
        match event.line:
            case EpochLine(neighbours=neighbours):
                if neighbours != self._lives or len(self._lives) < len(self._agents):
                    raise self._wrong(event, f"forms an epoch of {neighbours}, not of {self._lives}")
            case BeginLine():
                yield from self._everybody("EdgesConfirmed", None, "the edges")
            case SendLine(kind="Start"):
                yield Need(Fact("begin", round=event.round), "begun the round")
            case SendLine(kind="TableRequested", round=int(round_)):
                yield from self._finished(round_)
            case SendLine(
                kind="StatesAnnounced" | "ObservationsAnnounced", round=int(round_), turn=int(turn)
            ):
                yield from self._finished(round_)
                if self._measures(round_):
                    yield from self._everybody("TableShown", round_, "the table")
                # With parts, as many turns are under way as there were at first, and never more.
                if turn >= self._parts:
                    yield from self._answered(round_, turn - self._parts)
            case SendLine(kind="SignalBroadcast", round=int(round_)):
                announced = Fact("send", "StatesAnnounced", self._agents[0], round_)
                yield Need(announced._replace(turn=0), "announced states")
                for turn in range(self.turns(announced)):
                    yield from self._everybody("ActionsChosen", round_, "the actions", turn)
                if self._critic and round_:
                    yield from self._everybody("UpdateReported", round_ - 1, "the report")
            case SendLine(kind="FlowBroadcast", round=int(round_)):
                yield from self._finished(round_)
                if round_ == self._base:  # later tables come with the last application
                    yield from self._everybody("TableShown", round_, "the table")
            case SendLine(kind="ThetaRequested"):
                yield from self._all_rounds()

    def note(self, event: TraceEvent) -> None:
        """Follow who takes part, and how far everybody is."""
        match event.line:
            case JoinLine() as line:
                self._join(event, line)
            case EpochLine():
                self._base, self._met = -1, set()
            case BeginLine(round=round_):
                base = min(self._latest.values())
                if round_ != base:
                    raise self._wrong(event, f"goes on at round {round_}, but everybody holds {base}")
                self._base = self._reached = round_
            case ReceiveLine(kind="SignalApplied", peer=peer, round=int(round_)):
                self._latest[peer] = max(self._latest[peer], round_ + 1)
                if not self._ending and all(
                    self.has(Fact("receive", "SignalApplied", agent, round_)) for agent in self._agents
                ):
                    self._reached = round_ + 1
            case SendLine(kind="Finish"):
                self._ending = True
            case ConcludeLine() as line:
                self._conclude(event, line)

    def _everybody(
        self, kind: str, round_: int | None, words: str, turn: int | None = None
    ) -> Iterator[Need]:
        said = Fact("receive", kind, "", round_, turn)
        where = "" if turn is None else f" at turn {turn}"
        needs = (Need(said._replace(peer=agent), f"{words} of {agent}{where}") for agent in self._agents)
        return self._once(said, needs)

    def _once(self, said: Fact, needs: Iterable[Need]) -> Iterator[Need]:
        """Ask for what everybody must have said as long as it is not known."""
        if said not in self._met:
            yield from needs
            self._met.add(said)

    def _answered(self, round_: int, last: int) -> Iterator[Need]:
        """Everybody has acted in more turns of a round than that."""

        def lacking() -> Iterator[Need]:
            for agent in self._agents:
                acted = Fact("receive", "ActionsChosen", agent, round_)
                if (answered := self.turns(acted)) <= last:
                    yield Need(acted._replace(turn=answered), f"the actions of {agent} at turn {answered}")

        return self._once(Fact("answered", round=round_, turn=last), lacking())

    def _finished(self, round_: int) -> Iterator[Need]:
        """Everybody has applied the update before, unless the epoch began with this round."""
        if round_ != self._base:
            yield from self._everybody("SignalApplied", round_ - 1, "the last application")

    def _all_rounds(self) -> Iterator[Need]:
        if not (self._reached == self._rounds or (self._stops_early and self._reached < self._rounds)):
            yield from self._everybody("SignalApplied", self._rounds - 1, "the last application")

    def _measures(self, round_: int) -> bool:
        return self._evaluate_every > 0 and round_ % self._evaluate_every == 0

    def _join(self, event: TraceEvent, join: JoinLine) -> None:
        name, latest = process_name(join.agent), max(join.held, default=0)
        if name not in self._agents:
            raise self._wrong(event, "takes in somebody who is no agent of this run")
        if self._lives.get(name, 0) >= join.life:
            raise self._wrong(event, f"takes in a life of {name} that is not newer")
        if latest < self._latest.get(name, 0):
            lost = self._latest[name] - 1
            raise self._wrong(event, f"takes in {name}, which reported update {lost} and has lost it")
        self._lives[name], self._latest[name] = join.life, latest

    def _conclude(self, event: TraceEvent, conclusion: ConcludeLine) -> None:
        self._concluded = True
        left = [self.has(Fact("receive", "Farewell", agent)) for agent in self._agents]
        absent = [place for place, gone in enumerate(left) if not gone]
        if list(conclusion.absent) != absent:
            why = f"concludes the run without {list(conclusion.absent)}, but farewells lack of {absent}"
            raise self._wrong(event, why)
        if conclusion.rounds != self._reached:
            why = f"concludes after {conclusion.rounds} rounds, but is in round {self._reached}"
            raise self._wrong(event, why)
        if conclusion.state == "done":
            for need in self._all_rounds():
                self._require(event, need)
            for agent in self._agents:
                self._require(event, Need(Fact("send", "Finish", agent), f"told {agent}"))


def check_precedence(run: Lives) -> tuple[int, int]:
    """Prove that every event of every life had what it needs.

    Returns
    -------
    acts, updates : int
        How many there were, repetitions after a death included.

    Raises
    ------
    Violation
    """
    acts = updates = 0
    for life in run.all:
        if life.agent is None:
            _Coordinator(run, life).check(life.events[1:])
        else:
            agent = _Agent(run, life)
            agent.check(life.events[1:])
            acts, updates = acts + agent.acts, updates + agent.updates
    return acts, updates
