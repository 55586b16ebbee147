"""What must have come before what, in the trace of every process: the protocol's safety as a list of needs.

An event of a process needs earlier ones of the same process in the same epoch: an act its states and its
parents' actions, a signal everybody's actions, a round that everybody has applied the last. Nothing is said
of what must follow: that nobody stops short is proved by the ends of the links (`messages`), by the chain of
thetas (`said`) and by the run recomputed (`reference`). The needs are written from the protocol, not from the
machines: they know no arrays, and a machine that breaks one is found although all its numbers are right.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, TraceEvent, Violation

COORDINATOR = "coordinator"


class Fact(NamedTuple):
    """What an event amounts to within its epoch."""

    verb: str
    """`receive`, `send`, `act`, `update`, `begin`, .."""
    kind: str = ""
    """Of a message."""
    peer: str = ""
    round: int | None = None
    step: int | None = None


class Need(NamedTuple):
    """An event that must have come before."""

    fact: Fact
    words: str
    other: str = ""
    """What is wrong if it has another payload; empty where it may have."""


def fact_of(event: TraceEvent) -> Fact:
    """Return what an event amounts to; to apply an update and to have applied it before are one."""
    verb = "update" if event.kind in ("apply", "kept") else event.kind
    fields = event.fields
    if verb == "join":
        return Fact(verb, peer=str(fields["agent"]), round=int(fields["life"]))
    message = event.kind in ("send", "receive", "unsend")
    return Fact(
        verb,
        str(fields["kind"]) if message else "",
        str(fields["peer"]) if message else "",
        fields.get("r"),
        fields.get("s") if message or event.kind == "act" else None,
    )


def told(event: TraceEvent) -> str:
    """Say what a process does."""
    fields = event.fields
    at = "" if fields.get("r") is None else f" round {fields['r']}"
    at += "" if fields.get("s") is None else f", step {fields['s']}"
    match event.kind:
        case "send":
            return f"sends {fields['kind']}" + (f" of{at}" if at else f" to {fields['peer']}")
        case "act":
            return f"acts at{at}"
        case "apply" | "kept":
            return f"applies update {fields['r']}"
        case kind:
            return {"begin": f"goes on at{at}", "epoch": "enters an epoch"}.get(kind, kind)


class _Process:
    """One life, event by event. Subclasses say what each event needs, and keep count of what is no event."""

    def __init__(self, life: Life) -> None:
        self._me = life.process
        self._known: dict[Fact, TraceEvent] = {}
        self._last: TraceEvent | None = None

    def check(self, events: tuple[TraceEvent, ...]) -> None:
        """Prove that every event has what it needs, and that nothing is done twice in an epoch.

        Raises
        ------
        Violation
        """
        for event in events:
            if event.kind == "epoch":
                self._known = {}
            fact = fact_of(event)
            if event.kind == "unsend":
                self._known.pop(fact._replace(verb="send"), None)
            elif event.kind not in ("bare", "end"):
                for need in self.needs(event):
                    self._require(event, need)
                known = self._known.setdefault(fact, event)
                if known is not event:
                    raise self._wrong(
                        event, f"{told(event)} twice".replace("acts at", "acts twice at"), known
                    )
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

    def _require(self, event: TraceEvent, need: Need) -> None:
        known = self._known.get(need.fact)
        if known is None:
            raise self._wrong(event, f"{told(event)} before it has {need.words}")
        if need.other and known["p"] != event["p"]:
            raise self._wrong(event, f"{told(event)} {need.other}", known)

    def _wrong(self, event: TraceEvent, why: str, *before: TraceEvent) -> Violation:
        shown = before or ((self._last,) if self._last is not None else ())
        return Violation(f"{self._me} {why}", *shown, event)


class _Agent(_Process):
    """One life of an agent."""

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        assert life.agent is not None
        self._exact = run.mode == "exact"
        self._parents = [f"agent-{parent}" for parent in run.parents[life.agent]]
        self._children = [f"agent-{child}" for child in run.children[life.agent]]
        self._latest = max(int(round_) for round_ in life.events[0]["held"])
        self.acts = self.updates = 0

    def needs(self, event: TraceEvent) -> Iterator[Need]:
        """Return what must have come before an event."""
        round_: Any = event.fields.get("r")
        step: Any = event.fields.get("s")

        def received(kind: str, peer: str = COORDINATOR, at: int | None = None) -> Fact:
            return Fact("receive", kind, peer, round_, at)

        match event.kind, event.fields.get("kind", ""):
            case "begin", _:
                yield Need(received("Start"), "its Start")
            case "act", _:
                yield Need(Fact("begun"), "begun the rounds of this epoch")
                yield Need(received("StatesAnnounced", at=step), "the states")
                for parent in self._parents:
                    yield Need(received("ActionsChosen", parent, step), f"the actions of {parent}")
                if step:
                    yield Need(Fact("act", round=round_, step=step - 1), f"acted at step {step - 1}")
            case "apply" | "kept", _:
                signal = "FlowBroadcast" if self._exact else "SignalBroadcast"
                yield Need(Fact("begun"), "begun the rounds of this epoch")
                other = "from another signal than it received" if event.kind == "apply" else ""
                yield Need(received(signal), "the signal", other)
                turns = sum(fact[:4] == received("StatesAnnounced")[:4] for fact in self._known)
                for turn in range(turns):
                    yield Need(Fact("act", round=round_, step=turn), f"acted at step {turn}")
            case "send", "ActionsChosen":
                yield Need(Fact("act", round=round_, step=step), "drawn them", "that it has not drawn")
            case "send", "SignalApplied":
                yield Need(Fact("update", round=round_), "applied it")
            case "send", "TableShown" if self._exact and not self.has(Fact("begin", round=round_)):
                yield Need(Fact("update", round=round_ - 1), "applied the update before")
            case "send", "TableShown" if not self._exact:
                yield Need(received("TableRequested"), "been asked for it")
            case "send", "ThetaShown":
                yield Need(Fact("receive", "ThetaRequested", COORDINATOR), "been asked for it")
            case "send", "EdgeWelcome":
                yield Need(Fact("receive", "EdgeHello", event["peer"]), "been greeted")
            case "send", "EdgesConfirmed":
                for parent in self._parents:
                    yield Need(Fact("receive", "EdgeHello", parent), f"been greeted by {parent}")
                for child in self._children:
                    yield Need(Fact("receive", "EdgeWelcome", child), f"an answer of {child}")
            case "receive", kind if kind not in ("Roster", "Finish"):
                yield Need(Fact("receive", "Roster", COORDINATOR), "the roster of the epoch")

    def note(self, event: TraceEvent) -> None:
        """Follow the thetas: every update is applied once, in order."""
        round_: Any = event.fields.get("r")
        match event.kind:
            case "act":
                self.acts += 1
            case "begin" if self._latest < round_:
                raise self._wrong(event, f"goes on at round {round_} with theta of round {self._latest}")
            case "begin":
                self._known[Fact("begun")] = event
                if self._latest > round_ + 1:
                    self._latest = round_  # what others lost, it gives up too
            case "apply" if round_ == self._latest:
                self.updates += 1
                self._latest = round_ + 1
            case "apply":
                how = "twice" if round_ < self._latest else "out of order"
                raise self._wrong(event, f"applies update {round_} {how}")
            case "kept" if round_ + 1 != self._latest:
                raise self._wrong(event, f"says that it has applied update {round_}, and has not")


class _Coordinator(_Process):
    """One life of the coordinator."""

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        start = life.events[0]
        self._agents = run.agent_names
        self._exact = run.mode == "exact"
        self._rounds = int(start["rounds"])
        self._parts = int(start["parts"])
        self._evaluate_every = int(start["evaluate_every"])
        self._stops_early = bool(start["stops_early"])
        self._lives: dict[str, int] = {}
        self._latest: dict[str, int] = {}
        self._base = 0
        self._reached = 0
        """The round it is in."""
        self._ending = False
        """Whether it has let go of somebody: what is answered after that changes nothing any more."""
        self._concluded = False

    def needs(self, event: TraceEvent) -> Iterator[Need]:
        """Return what must have come before an event."""
        round_: Any = event.fields.get("r")
        step: Any = event.fields.get("s")
        if self._concluded:
            raise self._wrong(event, "goes on after it concluded the run")
        match event.kind, event.fields.get("kind", ""):
            case "epoch", _:
                if dict(event["neighbours"]) != self._lives or len(self._lives) < len(self._agents):
                    raise self._wrong(event, f"forms an epoch of {event['neighbours']}, not of {self._lives}")
            case "begin", _:
                yield from self._everybody("EdgesConfirmed", None, "the edges")
            case "send", "Start":
                yield Need(Fact("begin", round=round_), "begun the round")
            case "send", "TableRequested":
                yield from self._finished(round_)
            case "send", "StatesAnnounced":
                yield from self._finished(round_)
                if self._measures(round_):
                    yield from self._everybody("TableShown", round_, "the table")
                # With parts, as many turns are under way as there were at first, and never more.
                for agent in self._agents if step >= self._parts else ():
                    answered = self._answers(agent, round_)
                    if answered <= step - self._parts:
                        lacking = Fact("receive", "ActionsChosen", agent, round_, answered)
                        yield Need(lacking, f"the actions of {agent} at step {answered}")
            case "send", "SignalBroadcast":
                announced = ("send", "StatesAnnounced", self._agents[0], round_)
                turns = sum(fact[:4] == announced for fact in self._known)
                yield Need(Fact("send", "StatesAnnounced", self._agents[0], round_, 0), "announced states")
                for turn in range(turns):
                    yield from self._everybody("ActionsChosen", round_, "the actions", turn)
            case "send", "FlowBroadcast":
                yield from self._finished(round_)
                yield from self._everybody("TableShown", round_, "the table")
            case "send", "ThetaRequested":
                yield from self._all_rounds()

    def note(self, event: TraceEvent) -> None:
        """Follow who takes part, and how far everybody is."""
        match event.kind, event.fields.get("kind", ""):
            case "join", _:
                self._join(event)
            case "epoch", _:
                self._base = -1
            case "begin", _:
                if event["r"] != min(self._latest.values()):
                    base = min(self._latest.values())
                    raise self._wrong(event, f"goes on at round {event['r']}, but everybody holds {base}")
                self._base = self._reached = event["r"]
            case "receive", "SignalApplied":
                peer, round_ = event["peer"], event["r"]
                self._latest[peer] = max(self._latest[peer], round_ + 1)
                if not self._ending and all(
                    self.has(Fact("receive", "SignalApplied", agent, round_)) for agent in self._agents
                ):
                    self._reached = round_ + 1
            case "send", "Finish":
                self._ending = True
            case "conclude", _:
                self._conclude(event)

    def _everybody(
        self, kind: str, round_: int | None, words: str, step: int | None = None
    ) -> Iterator[Need]:
        where = "" if step is None else f" at step {step}"
        for agent in self._agents:
            yield Need(Fact("receive", kind, agent, round_, step), f"{words} of {agent}{where}")

    def _finished(self, round_: int) -> Iterator[Need]:
        """Everybody has applied the update before, unless the epoch began with this round."""
        if round_ != self._base:
            yield from self._everybody("SignalApplied", round_ - 1, "the last application")

    def _all_rounds(self) -> Iterator[Need]:
        if not (self._reached == self._rounds or (self._stops_early and self._reached < self._rounds)):
            yield from self._everybody("SignalApplied", self._rounds - 1, "the last application")

    def _measures(self, round_: int) -> bool:
        return self._evaluate_every > 0 and round_ % self._evaluate_every == 0

    def _answers(self, agent: str, round_: int) -> int:
        """Return how many turns an agent has acted in."""
        wanted = ("receive", "ActionsChosen", agent, round_)
        return sum(fact[:4] == wanted for fact in self._known)

    def _join(self, event: TraceEvent) -> None:
        name, latest = f"agent-{event['agent']}", max(event["held"], default=0)
        if name not in self._agents:
            raise self._wrong(event, "takes in somebody who is no agent of this run")
        if self._lives.get(name, 0) >= event["life"]:
            raise self._wrong(event, f"takes in a life of {name} that is not newer")
        if latest < self._latest.get(name, 0):
            lost = self._latest[name] - 1
            raise self._wrong(event, f"takes in {name}, which reported update {lost} and has lost it")
        self._lives[name], self._latest[name] = event["life"], latest

    def _conclude(self, event: TraceEvent) -> None:
        self._concluded = True
        gone = [self.has(Fact("receive", "Farewell", agent)) for agent in self._agents]
        absent = [place for place, left in enumerate(gone) if not left]
        if event["absent"] != absent:
            raise self._wrong(
                event, f"concludes the run without {event['absent']}, but farewells lack of {absent}"
            )
        if event["rounds"] != self._reached:
            raise self._wrong(
                event, f"concludes after {event['rounds']} rounds, but is in round {self._reached}"
            )
        if event["state"] == "done":
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
