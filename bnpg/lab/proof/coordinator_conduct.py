"""What the coordinator does: waits for everybody, tells everybody the same, and begins no round too early.

Like `agent_conduct`, the model is written from the protocol. What it cannot know is how many steps a round
has, and when a policy is good enough to stop; the reference does.
"""

from collections.abc import Callable, Iterable

from bnpg.lab.proof.conduct import Conduct, Duty, send
from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, TraceEvent


class CoordinatorConduct(Conduct):
    """One life of the coordinator.

    Parameters
    ----------
    run : Lives
    life : Life
    """

    answers_to_the_end = True  # it takes farewells

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        start = life.events[0]
        self._agents = run.agent_names
        self._exact = run.mode == "exact"
        self._rounds = int(start["rounds"])
        self._parts = int(start["parts"])
        self._evaluate_every = int(start["evaluate_every"])
        self._save_policy = bool(start["save_policy"])
        self._stops_early = bool(start["stops_early"])
        self._members: dict[str, int] = {}
        self._latest: dict[str, int] = {}
        self._epoch = 0
        self._phase = "gathering"
        self._part = ""
        self._round = 0
        self._step = 0
        self._announced = 0
        self._completed = 0
        """Turns that are complete, of which it is not decided yet what they lead to."""
        self._acted: dict[str, int] = {}
        self._answered: set[str] = set()
        self._ahead: set[str] = set()
        self._farewells: set[str] = set()
        self._concluded = False

    def gives_up(self, event: TraceEvent) -> bool:
        """Whether the run is ended though nothing that was received asks for it: broken off, or failed."""
        return (
            event.kind == "send"
            and event["kind"] == "Finish"
            and self._phase in ("edges", "running", "closing")
            and not self._finish_is_due()
        )

    def unbidden(self, event: TraceEvent) -> None:
        """Take in what nobody sent for: agents that join, the end of the run, a Finish before its time."""
        if self._concluded:
            raise self.wrong(event, "goes on after it concluded the run")
        if event.kind == "join" and self._phase != "ending":
            self._join(event)
        elif event.kind == "send" and event["kind"] == "Finish" and self.broken:
            self._phase = "ending"
        elif event.kind == "conclude":
            self._conclude(event)
        else:
            raise self.wrong(event, self.explain(event) or f"does what nothing asked it to: {event.kind}")

    def explain(self, event: TraceEvent) -> str | None:
        """Say what is wrong with a message that has no place here."""
        if event.kind != "send":
            return None
        said = f"sends {event['kind']}" + ("" if event["r"] is None else f" of round {event['r']}")
        said += "" if event["s"] is None else f", step {event['s']}"
        missing = [agent for agent in self._agents if self._lacks(agent)]
        if self.duties or self._phase != "running" or not missing:
            return f"{said} out of order"
        return f"{said} before {missing[0]} has answered (round {self._round}, {self._part})"

    def react(self, event: TraceEvent) -> Iterable[Duty]:
        """Answer one message."""
        kind, peer = event["kind"], event["peer"]
        if self._concluded:
            raise self.wrong(event, "goes on after it concluded the run")
        match self._phase, kind:
            case "ending", "Farewell":
                self._farewells.add(peer)
                if len(self._farewells) == len(self._agents):
                    yield Duty("conclude")
            case "ending", _:
                pass
            case "edges", "EdgesConfirmed":
                yield from self._count(event, "edges", self._start)
            case "running", "TableShown" if event["r"] == self._round and self._part == "tables":
                yield from self._count(event, "table", self._all_tables)
            case "running", "TableShown" if event["r"] == self._round + 1 and self._exact:
                self._ahead.add(peer)
            case "running", "ActionsChosen" if (
                self._part == "steps"
                and event["r"] == self._round
                and (self._acted[peer] == event["s"] < self._announced)
            ):
                self._acted[peer] += 1
                if min(self._acted.values()) > self._step:
                    self._step += 1
                    self._completed += 1
            case "running", "SignalApplied" if event["r"] == self._round and self._part == "signal":
                self._latest[peer] = max(self._latest[peer], event["r"] + 1)
                yield from self._count(event, "application", self._all_applied)
            case "closing", "ThetaShown" if event["r"] == self._round:
                yield from self._count(event, "theta", self._finish)
            case _:
                at = f"round {self._round}, {self._part or self._phase}"
                raise self.wrong(
                    event, f"hears {kind} of round {event['r']} from {peer}, which has no place at {at}"
                )

    def met(self, event: TraceEvent) -> None:
        """Take note of the conclusion."""
        if event.kind == "conclude":
            self._conclude(event)

    # Joining

    def _join(self, event: TraceEvent) -> None:
        name = f"agent-{event['agent']}"
        if name not in self._agents:
            raise self.wrong(event, "takes in somebody who is no agent of this run")
        latest = max(event["held"], default=0)
        if self._members.get(name, 0) >= event["life"]:
            raise self.wrong(event, f"takes in a life of {name} that is not newer")
        if latest < self._latest.get(name, 0):
            raise self.wrong(
                event, f"takes in {name}, which reported update {self._latest[name] - 1} and has lost it"
            )
        self._members[name], self._latest[name] = event["life"], latest
        if len(self._members) < len(self._agents):
            return
        self._epoch += 1
        self._phase, self._part, self._answered, self._completed = "edges", "", set(), 0
        at = {"g": self._life.life, "e": self._epoch}
        self.duties.append(Duty("epoch", at | {"neighbours": dict(self._in_order(self._members))}))
        self.duties.extend(send(agent, "Roster") for agent in self._agents)

    def _in_order(self, members: dict[str, int]) -> Iterable[tuple[str, int]]:
        return ((agent, members[agent]) for agent in self._agents)

    def _start(self) -> Iterable[Duty]:
        base = min(self._latest.values())
        self._phase, self._ahead = "running", set()
        yield Duty("begin", {"r": base})
        yield from self._tell("Start", base)
        yield from self._begin(base)

    # Rounds

    def _begin(self, round_: int) -> Iterable[Duty]:
        self._round = round_
        self._answered, self._ahead = self._ahead, set()
        if self._exact:
            self._part = "tables"
        elif self._evaluate_every and (round_ % self._evaluate_every == 0 or round_ == self._rounds):
            self._part = "tables"
            yield from self._tell("TableRequested", round_)
        elif round_ == self._rounds:
            yield from self._close()
        else:
            yield from self._announce()

    def _all_tables(self) -> Iterable[Duty]:
        following = "" if self.upcoming is None else self.upcoming.fields.get("kind")
        enough = self._stops_early and following in ("Finish", "ThetaRequested")
        if enough or self._round == self._rounds:
            yield from self._close()
        elif self._exact:
            self._part = "signal"
            yield from self._tell("FlowBroadcast", self._round)
        else:
            yield from self._announce()

    def _announce(self) -> Iterable[Duty]:
        self._part = "steps"
        self._step, self._announced, self._completed = 0, self._parts, 0
        self._acted = dict.fromkeys(self._agents, 0)
        for step in range(self._parts):
            yield from self._tell("StatesAnnounced", self._round, step)

    def settle(self) -> Iterable[Duty]:
        """One more turn for each that is complete, or none if those lanes have ended, or the signal.

        What is said next decides it. A part that ends is announced no more, and which of the turns that were
        completed together led to an announcement nobody can tell; so they may lead to as many at the most.
        """
        if not self._completed:
            return
        following = self.upcoming
        if (
            following is not None
            and following.fields.get("kind") == "StatesAnnounced"
            and self._part == "steps"
        ):
            self._completed -= 1
            yield from self._tell("StatesAnnounced", self._round, self._announced)
            self._announced += 1
            return
        self._completed = 0
        if self._part == "steps" and self._step == self._announced:
            self._part = "signal"
            yield from self._tell("SignalBroadcast", self._round)

    def _all_applied(self) -> Iterable[Duty]:
        yield from self._begin(self._round + 1)

    # The end

    def _close(self) -> Iterable[Duty]:
        self._part = ""
        self._phase = "closing"
        if self._save_policy:
            yield from self._tell("ThetaRequested")
        else:
            yield from self._finish()

    def _finish(self) -> Iterable[Duty]:
        self._phase = "ending"
        yield from [send(agent, "Finish") for agent in self._members]  # in the order in which they joined

    def _finish_is_due(self) -> bool:
        return any(duty.fields.get("kind") == "Finish" for duty in self.duties)

    def _conclude(self, event: TraceEvent) -> None:
        self._concluded = True
        absent = [place for place, agent in enumerate(self._agents) if agent not in self._farewells]
        if event["absent"] != absent:
            raise self.wrong(
                event, f"concludes the run without {event['absent']}, but farewells lack of {absent}"
            )
        if event["rounds"] != self._round:
            raise self.wrong(
                event, f"concludes after {event['rounds']} rounds, but is in round {self._round}"
            )
        if (event["state"] == "done") == (self.broken or self._phase != "ending"):
            raise self.wrong(event, f"calls the run {event['state']}, which is not how it ended")

    # Counting answers

    def _count(self, event: TraceEvent, what: str, complete: Callable[[], Iterable[Duty]]) -> Iterable[Duty]:
        peer = event["peer"]
        if peer in self._answered:
            raise self.wrong(event, f"hears the {what} of {peer} twice")
        self._answered.add(peer)
        if len(self._answered) == len(self._agents):
            self._answered = set()
            yield from complete()

    def _lacks(self, agent: str) -> bool:
        """Whether an agent's answer is awaited."""
        if self._part == "steps":
            return self._acted[agent] <= self._step
        return agent not in self._answered

    def _tell(self, kind: str, round_: int | None = None, step: int | None = None) -> Iterable[Duty]:
        """Return the duty to tell everybody; that all are told the same, `said` proves."""
        return [send(agent, kind, round_, step) for agent in self._agents]


def check_coordinators(run: Lives) -> None:
    """Prove that every life of the coordinator did what the protocol asks.

    Raises
    ------
    Violation
    """
    for life in run.coordinators:
        CoordinatorConduct(run, life).check()
