"""Proving from the files alone that a run was in order and that every update was applied exactly once.

What is proved, in this order:

1. *files*: every file is whole and chained (`reading`); all belong to one run; every process has a trace;
   each life but the last may have been cut off by a kill; the last one closed its file, if the run is done.
2. *messages*: on each link of each epoch the places of what was sent, and of what was received, are
   1, 2, 3, .. in the order of the files; every receive has its send, with the same payload; Lamport times
   grow; in the last epoch of a run that is done, every send has its receive (but for farewells, which may
   come when nobody is left).
3. *acts*: an agent acts at (round, step) once an epoch, in order, after the states and all its parents'
   actions of that very round and step; what it sends to each child and to the coordinator is what it drew;
   a replayed act is the same act.
4. *rounds*: the coordinator announces the next states only with all actions, sends everybody one and the same
   signal, and begins the next round only when everybody has applied it.
5. *updates*: each agent applies the updates 0, 1, 2, .. once each, from the signal everybody got; the digest
   before is the digest after the last; one that died before its checkpoint was written may apply it again,
   with the same result.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from bnpg.trace.reading import Life, TraceEvent, Violation
from protocol.exit_codes import ExitCode
from protocol.messages import SignalApplied
from protocol.trace.recorder import payload

SIGNALS = ("SignalBroadcast", "FlowBroadcast")


@dataclass
class Proof:
    """What was counted while proving."""

    processes: int = 0
    lives: int = 0
    events: int = 0
    messages: int = 0
    acts: int = 0
    rounds: int = 0
    updates: int = 0
    digests: dict[int, dict[int, str]] = field(default_factory=dict)
    """By agent and round r, the digest of theta_r."""


def check_trace(lives: list[Life], done: bool) -> Proof:
    """Prove that a trace is in order.

    Parameters
    ----------
    lives : list of Life
        From `read_trace`.
    done : bool
        Whether the run ended with all rounds done; then nothing may be missing at its end.

    Raises
    ------
    Violation
        The first one found, with the events that show it.
    """
    run = _Run(lives, done)
    proof = Proof(processes=run.agents + 1, lives=len(lives), events=sum(len(life.events) for life in lives))
    run.check_files()
    proof.messages = _Messages(run).check()
    proof.acts = _Acts(run).check()
    proof.rounds = _Rounds(run).check()
    proof.digests = _Updates(run).check()
    proof.updates = sum(max(digests) - min(digests) for digests in proof.digests.values() if digests)
    return proof


class _Run:
    """The lives of a trace, by process."""

    def __init__(self, lives: list[Life], done: bool) -> None:
        self.lives = lives
        self.done = done
        coordinators = [life for life in lives if life.agent is None]
        if not coordinators:
            raise Violation("there is no trace of the coordinator")
        self.start = coordinators[0].events[0]
        self.agents = int(self.start["agents"])
        self.mode = str(self.start["mode"])
        edges = [tuple(edge) for edge in self.start["edges"]]
        self.parents = {agent: sorted(i for i, j in edges if j == agent) for agent in range(self.agents)}
        self.children = {agent: sorted(j for i, j in edges if i == agent) for agent in range(self.agents)}

    def of(self, process: str) -> list[Life]:
        """Return the lives of one process, in order."""
        return [life for life in self.lives if life.process == process]

    @property
    def names(self) -> list[str]:
        """Return all processes of the run."""
        return ["coordinator", *(f"agent-{agent}" for agent in range(self.agents))]

    def check_files(self) -> None:
        """Prove that the files belong together and that none is missing."""
        for life in self.lives:
            start = life.events[0]
            for same in ("run", "experiment"):
                if start[same] != self.start[same]:
                    raise Violation(f"{life.process} belongs to another {same}", self.start, start)
            if life.process not in self.names:
                raise Violation(f"{life.process} is no process of this run", start)
            times = [event["t"] for event in life.events]
            if not all(isinstance(time, int | float) for time in times):
                raise Violation(f"{life.process} has an event without a time", start)
        for name in self.names:
            lives = self.of(name)
            if not lives:
                raise Violation(f"there is no trace of {name}")
            if self.done and not lives[-1].closed:
                raise Violation(f"the trace of {name} has no end, but the run is done", lives[-1].events[-1])
            # When the run is over, a launcher ends whoever still waits for an answer to its farewell.
            if self.done and lives[-1].events[-1]["code"] not in (ExitCode.DONE, ExitCode.INTERRUPTED):
                raise Violation(f"{name} failed, but the run is done", lives[-1].events[-1])


class _Messages:
    """Every receive has its send, first in first out, once."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._sent: dict[tuple[str, str, tuple[int, int], int], TraceEvent] = {}

    def check(self) -> int:
        """Prove it; return the number of messages received."""
        received: dict[tuple[str, str, tuple[int, int], int], TraceEvent] = {}
        for life in self._run.lives:
            for event in self._places(life, "send"):
                self._sent[event.process, event["peer"], event.epoch, event["seq"]] = event
            self._lamport(life)
        for life in self._run.lives:
            for event in self._places(life, "receive"):
                key = (event["peer"], event.process, event.epoch, event["seq"])
                received[key] = event
                self._match(self._sent.get(key), event)
        if self._run.done:
            self._nothing_lost(received)
        return len(received)

    def _places(self, life: Life, kind: str) -> Iterator[TraceEvent]:
        """Yield the sends or receives of a life whose places on each link are 1, 2, 3, .."""
        place: dict[tuple[str, tuple[int, int]], TraceEvent] = {}
        entered: tuple[int, int] = (0, 0)
        for event in life.events:
            if event.kind == "epoch":
                if event.epoch <= entered:
                    raise Violation("an epoch is entered that is not newer", event)
                entered = event.epoch
            if event.kind != kind:
                continue
            if event.epoch != entered:
                raise Violation(f"a {kind} belongs to another epoch than its process", event)
            link = (event["peer"], event.epoch)
            last = place.get(link)
            expected = 1 if last is None else last["seq"] + 1
            if event["seq"] != expected:
                shown = (event,) if last is None else (last, event)
                raise Violation(f"a {kind} has place {event['seq']} on its link, expected {expected}", *shown)
            place[link] = event
            yield event

    def _match(self, sent: TraceEvent | None, event: TraceEvent) -> None:
        if sent is None:
            raise Violation(f"{event.process} received what {event['peer']} never sent", event)
        for same in ("kind", "r", "s", "p", "lamport"):
            if sent[same] != event[same]:
                raise Violation(
                    f"a message was received with another {same} than it was sent with", sent, event
                )

    def _lamport(self, life: Life) -> None:
        clock, latest = 0, None
        for event in life.events:
            if event.kind == "send":
                if event["lamport"] <= clock and latest is not None:
                    raise Violation("a send is not later than what its process knew", latest, event)
                clock, latest = event["lamport"], event
            elif event.kind == "receive":
                clock, latest = max(clock, event["lamport"]) + 1, event

    def _nothing_lost(self, received: dict[tuple[str, str, tuple[int, int], int], TraceEvent]) -> None:
        final = max(epoch for _, _, epoch, _ in self._sent)
        for key, event in self._sent.items():
            if key[2] == final and key not in received and event["kind"] != "Farewell":
                raise Violation(
                    f"{event['peer']} never received what {event.process} sent in the last epoch", event
                )


class _Acts:
    """Every act after its states and all its parents' actions."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._acts: dict[tuple[int, int, int], TraceEvent] = {}

    def check(self) -> int:
        """Prove it; return the number of acts."""
        count = 0
        for life in self._run.lives:
            if life.agent is not None:
                for _ in self._of(life, life.agent):
                    count += 1
        return count

    def _of(self, life: Life, agent: int) -> Iterator[TraceEvent]:
        heard: set[tuple[str, int, int]] = set()
        acted: dict[tuple[int, int], TraceEvent] = {}
        said: dict[tuple[str, int, int], TraceEvent] = {}
        audience = ["coordinator", *(f"agent-{child}" for child in self._run.children[agent])]
        parents = [f"agent-{parent}" for parent in self._run.parents[agent]]
        for event in life.events:
            match event.kind:
                case "epoch":
                    self._all_said(acted, said, audience, whole=False)
                    heard, acted, said = set(), {}, {}
                case "receive" if event["kind"] in ("StatesAnnounced", "ActionsChosen"):
                    heard.add((event["peer"], event["r"], event["s"]))
                case "act":
                    self._check_act(event, agent, heard, acted, parents)
                    acted[event["r"], event["s"]] = event
                    yield event
                case "send" if event["kind"] == "ActionsChosen":
                    act = acted.get((event["r"], event["s"]))
                    if act is None or act["p"] != event["p"]:
                        raise Violation("an action is sent that was not drawn", *filter(None, (act, event)))
                    if event["peer"] not in audience:
                        raise Violation("an action is sent to somebody who is no child", event)
                    said[event["peer"], event["r"], event["s"]] = event
        self._all_said(acted, said, audience, whole=life.closed)

    def _check_act(
        self,
        event: TraceEvent,
        agent: int,
        heard: set[tuple[str, int, int]],
        acted: dict[tuple[int, int], TraceEvent],
        parents: list[str],
    ) -> None:
        at = (event["r"], event["s"])
        where = f"round {at[0]}, step {at[1]}"
        if at in acted:
            raise Violation(f"agent-{agent} acts twice at {where}", acted[at], event)
        if acted and at != _next(max(acted), at):
            raise Violation(f"agent-{agent} acts out of order at {where}", acted[max(acted)], event)
        for source in ("coordinator", *parents):
            if (source, *at) not in heard:
                lacks = "the states" if source == "coordinator" else f"the actions of {source}"
                raise Violation(f"agent-{agent} acts at {where} before it has {lacks}", event)
        known = self._acts.setdefault((agent, *at), event)
        if known["p"] != event["p"]:
            raise Violation(f"agent-{agent} acts differently in the replay of {where}", known, event)

    def _all_said(
        self,
        acted: dict[tuple[int, int], TraceEvent],
        said: dict[tuple[str, int, int], TraceEvent],
        audience: list[str],
        whole: bool,
    ) -> None:
        """Only the very last act of an epoch that was cut off may not have gone out to everybody."""
        last = max(acted, default=None)
        for at, act in acted.items():
            missing = [peer for peer in audience if (peer, *at) not in said]
            if missing and (whole or at != last):
                raise Violation(f"an action was never sent to {missing[0]}", act)


def _next(last: tuple[int, int], at: tuple[int, int]) -> tuple[int, int]:
    """Return what may follow the last act: the next step, or the first of the next round."""
    return (last[0], last[1] + 1) if at[0] == last[0] else (last[0] + 1, 0)


class _Rounds:
    """The coordinator waits for everybody, and tells everybody the same."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._signals: dict[int, TraceEvent] = {}

    def check(self) -> int:
        """Prove it; return the number of rounds whose signal went out."""
        for life in self._run.of("coordinator"):
            self._check(life)
        rounds = sorted(self._signals)
        if rounds != list(range(len(rounds))):
            missing = next(number for number, round_ in enumerate(rounds) if number != round_)
            raise Violation(f"there is no signal of round {missing}", self._signals[rounds[missing]])
        if self._run.done and len(rounds) != self._rounds_done():
            raise Violation(
                f"{len(rounds)} rounds have a signal, {self._rounds_done()} were done", self._run.start
            )
        return len(rounds)

    def _rounds_done(self) -> int:
        applied = [
            event["r"] + 1
            for life in self._run.of("agent-0")
            for event in life.events
            if event.kind in ("apply", "kept")
        ]
        return max(applied, default=0)

    def _check(self, life: Life) -> None:
        everybody = {f"agent-{agent}" for agent in range(self._run.agents)}
        heard: dict[tuple[str, int, int | None], set[str]] = defaultdict(set)
        announced: dict[tuple[int, int], TraceEvent] = {}
        begun: TraceEvent | None = None
        for event in life.events:
            if event.kind in ("epoch", "begin"):
                heard.clear()
                announced.clear()
                begun = event if event.kind == "begin" else None
            elif event.kind == "receive":
                heard[event["kind"], event["r"], event["s"]].add(event["peer"])
            elif event.kind == "send" and event["kind"] == "StatesAnnounced":
                self._check_states(event, announced, heard, everybody, begun)
            elif event.kind == "send" and event["kind"] in SIGNALS:
                self._check_signal(event, announced, heard, everybody)

    def _check_states(
        self,
        event: TraceEvent,
        announced: dict[tuple[int, int], TraceEvent],
        heard: dict[tuple[str, int, int | None], set[str]],
        everybody: set[str],
        begun: TraceEvent | None,
    ) -> None:
        round_, step = event["r"], event["s"]
        first = announced.setdefault((round_, step), event)
        if first["p"] != event["p"]:
            raise Violation("agents are told different states", first, event)
        if begun is None:
            raise Violation("states are announced before the rounds have begun", event)
        if step > 0:
            missing = everybody - heard["ActionsChosen", round_, step - 1]
            if missing:
                who = sorted(missing)[0]
                raise Violation(
                    f"states follow before {who} has acted at round {round_}, step {step - 1}", event
                )
        elif round_ > begun["r"]:
            missing = everybody - heard["SignalApplied", round_ - 1, None]
            if missing:
                who = sorted(missing)[0]
                raise Violation(f"round {round_} begins before {who} has applied round {round_ - 1}", event)

    def _check_signal(
        self,
        event: TraceEvent,
        announced: dict[tuple[int, int], TraceEvent],
        heard: dict[tuple[str, int, int | None], set[str]],
        everybody: set[str],
    ) -> None:
        round_ = event["r"]
        known = self._signals.setdefault(round_, event)
        if known["p"] != event["p"]:
            raise Violation(f"two different signals of round {round_} went out", known, event)
        if self._run.mode == "exact":
            missing = everybody - heard["TableShown", round_, None]
        else:
            last = max((step for at, step in announced if at == round_), default=None)
            if last is None:
                raise Violation(f"the signal of round {round_} goes out before any states", event)
            missing = everybody - heard["ActionsChosen", round_, last]
        if missing:
            raise Violation(
                f"the signal of round {round_} goes out before {sorted(missing)[0]} has answered", event
            )


class _Updates:
    """Every update once, in order, from one signal, in one unbroken chain of digests."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._signals: dict[int, TraceEvent] = {}

    def check(self) -> dict[int, dict[int, str]]:
        """Prove it; return, by agent and round r, the digest of theta_r."""
        return {agent: self._of(agent) for agent in range(self._run.agents)}

    def _of(self, agent: int) -> dict[int, str]:
        chain: dict[int, str] = {}
        for life in self._run.of(f"agent-{agent}"):
            self._check(life, agent, chain)
        expected = self._rounds()
        if self._run.done and expected not in chain:
            raise Violation(
                f"agent-{agent} never applied update {expected - 1}",
                self._run.of(f"agent-{agent}")[-1].events[-1],
            )
        return chain

    def _rounds(self) -> int:
        ends = [
            event["r"] + 1
            for life in self._run.of("coordinator")
            for event in life.events
            if event.kind == "send" and event["kind"] in SIGNALS
        ]
        return max(ends, default=0)

    def _check(self, life: Life, agent: int, chain: dict[int, str]) -> None:
        start = life.events[0]
        held = {int(round_): str(digest) for round_, digest in start["held"].items()}
        for round_, digest in held.items():
            if chain.setdefault(round_, digest) != digest:
                raise Violation(f"agent-{agent} returns with another theta of round {round_}", start)
        latest = max(held)
        received: dict[int, TraceEvent] = {}
        for event in life.events:
            match event.kind:
                case "epoch":
                    received = {}
                case "begin" if event["r"] + 1 < latest:
                    latest = event["r"]
                case "begin" if event["r"] > latest:
                    raise Violation(
                        f"agent-{agent} goes on at round {event['r']} with theta of {latest}", event
                    )
                case "receive" if event["kind"] in SIGNALS:
                    received[event["r"]] = event
                case "apply":
                    self._check_apply(event, agent, latest, received, chain)
                    latest = event["r"] + 1
                case "kept":
                    if event["r"] >= latest or chain.get(event["r"] + 1) != event["after"]:
                        raise Violation(f"agent-{agent} keeps an update it never applied", event)
                case "send" if event["kind"] == "SignalApplied":
                    self._check_report(event, agent, latest, chain)

    def _check_apply(
        self,
        event: TraceEvent,
        agent: int,
        latest: int,
        received: dict[int, TraceEvent],
        chain: dict[int, str],
    ) -> None:
        round_ = event["r"]
        if round_ != latest:
            raise Violation(f"agent-{agent} applies update {round_}, expected {latest}", event)
        signal = received.get(round_)
        if signal is None:
            raise Violation(f"agent-{agent} applies update {round_} without its signal", event)
        if signal["p"] != event["p"]:
            raise Violation(f"agent-{agent} applies another signal than it received", signal, event)
        if chain.get(round_) != event["before"]:
            raise Violation(f"agent-{agent} applies update {round_} to another theta than its last", event)
        if chain.setdefault(round_ + 1, event["after"]) != event["after"]:
            raise Violation(
                f"agent-{agent} comes to another theta when it applies update {round_} again", event
            )

    def _check_report(self, event: TraceEvent, agent: int, latest: int, chain: dict[int, str]) -> None:
        round_ = event["r"]
        if round_ >= latest:
            raise Violation(f"agent-{agent} reports update {round_} before it is applied", event)
        if payload(SignalApplied(round_, chain[round_ + 1])) != event["p"]:
            raise Violation(f"agent-{agent} reports another theta than it has after update {round_}", event)
