"""What an agent does: acts after its states and all its parents' actions, applies every update once.

The model is written from the protocol, not from `bnpg_agents.machine`: it knows no arrays, only who may do
what and when.
"""

from collections.abc import Iterable

from bnpg.lab.proof.conduct import Conduct, Duty, send
from bnpg.trace.lives import Lives
from bnpg.trace.reading import Life, TraceEvent

COORDINATOR = "coordinator"


class AgentConduct(Conduct):
    """One life of one agent.

    Parameters
    ----------
    run : Lives
    life : Life
    """

    def __init__(self, run: Lives, life: Life) -> None:
        super().__init__(life)
        assert life.agent is not None
        self._exact = run.mode == "exact"
        self._parents = [f"agent-{parent}" for parent in run.parents[life.agent]]
        self._children = [f"agent-{child}" for child in run.children[life.agent]]
        self._latest = max(int(round_) for round_ in life.events[0]["held"])
        self._phase = "away"
        self._unconfirmed: set[str] = set()
        self._round = 0
        self._step = 0
        self._states = 0
        self._heard: dict[str, int] = {}
        self._ahead: list[TraceEvent] = []
        self._acted: dict[tuple[int, int], TraceEvent] = {}
        self._applied: dict[int, TraceEvent] = {}
        self.acts = 0
        self.updates = 0

    def gives_up(self, event: TraceEvent) -> bool:
        """Whether the agent tells the coordinator that it failed."""
        return event.kind == "bare" and event["kind"] == "Failed"

    def unbidden(self, event: TraceEvent) -> None:
        """Let an agent enter an epoch: the roster that has it do so counts as received right after."""
        if event.kind == "epoch" and not self.broken:
            self._phase = "roster"
            self._unconfirmed = {*self._parents, *self._children}
            self._ahead = []
            self._acted = {}
            self.duties.extend(send(child, "EdgeHello") for child in self._children)
        elif not (self.broken and event.kind == "send" and event["kind"] == "Farewell"):
            raise self.wrong(event, self.explain(event) or f"does what nothing asked it to: {event.kind}")

    def react(self, event: TraceEvent) -> Iterable[Duty]:
        """Answer one message."""
        kind, peer = event["kind"], event["peer"]
        if self._phase == "roster" and kind != "Roster":
            raise self.wrong(event, "hears something before the roster of the epoch")
        match self._phase, kind:
            case "leaving", _:
                pass
            case "roster", "Roster" if peer == COORDINATOR:
                self._phase = "edges"
                yield from self._confirm()
            case "edges", "EdgeHello" if peer in self._unconfirmed and peer in self._parents:
                self._unconfirmed.discard(peer)
                yield send(peer, "EdgeWelcome")
                yield from self._confirm()
            case "edges", "EdgeWelcome" if peer in self._unconfirmed and peer in self._children:
                self._unconfirmed.discard(peer)
                yield from self._confirm()
            case "ready", "Start" if peer == COORDINATOR:
                yield from self._start(event)
            case "ready", "ActionsChosen" if peer in self._parents:
                self._ahead.append(event)
            case "running", "StatesAnnounced" | "ActionsChosen":
                yield from self._hear(event)
            case "running", "SignalBroadcast" | "FlowBroadcast" if peer == COORDINATOR:
                yield from self._apply(event)
            case "running", "TableRequested" if peer == COORDINATOR:
                yield send(COORDINATOR, "TableShown", event["r"])
            case "running", "ThetaRequested" if peer == COORDINATOR:
                yield send(COORDINATOR, "ThetaShown", self._latest)
            case _, "Finish" if peer == COORDINATOR:
                self._phase = "leaving"
                yield send(COORDINATOR, "Farewell")
            case _:
                raise self.wrong(event, f"hears {kind} from {peer}, which has no place in {self._phase}")

    def met(self, event: TraceEvent) -> None:
        """Demand that a drawn action is the one that is sent."""
        if event.kind == "act":
            self.acts += 1
            self._acted[event["r"], event["s"]] = event
            for one in self.duties:
                if one.kind != "send" or one.fields["kind"] != "ActionsChosen":
                    break
                if one.fields["s"] == event["s"]:
                    one.fields["p"] = event["p"]
        elif event.kind == "apply":
            self.updates += 1
            self._applied[event["r"]] = event

    def explain(self, event: TraceEvent) -> str | None:
        """Say what is wrong with an act or an update that has no place here."""
        round_ = event.fields.get("r")
        if event.kind == "act":
            at = (event["r"], event["s"])
            where = f"at round {round_}, step {event['s']}"
            if at in self._acted:
                return f"acts twice {where}"
            heard = {COORDINATOR: self._states} | self._heard
            lacks = [name for name, count in heard.items() if round_ != self._round or count <= event["s"]]
            if lacks:
                what = "the states" if lacks[0] == COORDINATOR else f"the actions of {lacks[0]}"
                return f"acts {where} before it has {what}"
            return f"acts out of order {where}"
        if event.kind == "apply":
            if round_ in self._applied:
                return f"applies update {round_} twice"
            owed = self.duties[0] if self.duties else None
            if owed is not None and owed.kind == "apply" and owed.fields["r"] == round_:
                return f"applies update {round_} from another signal than it received"
            return f"applies update {round_} out of order"
        return None

    def _confirm(self) -> Iterable[Duty]:
        if not self._unconfirmed:
            self._phase = "ready"
            yield send(COORDINATOR, "EdgesConfirmed")

    def _start(self, event: TraceEvent) -> Iterable[Duty]:
        round_ = event["r"]
        if self._latest < round_:
            raise self.wrong(event, f"is to go on at round {round_} with theta of round {self._latest}")
        if self._latest > round_ + 1:
            self._latest = round_  # what others lost, it gives up too
        self._phase = "running"
        self._begin(round_)
        yield Duty("begin", {"r": round_})
        if self._exact:
            yield send(COORDINATOR, "TableShown", round_)
        ahead, self._ahead = self._ahead, []
        for one in ahead:
            yield from self._hear(one)

    def _begin(self, round_: int) -> None:
        self._round, self._step, self._states = round_, 0, 0
        self._heard = dict.fromkeys(self._parents, 0)

    def _hear(self, event: TraceEvent) -> Iterable[Duty]:
        peer, round_, step = event["peer"], event["r"], event["s"]
        states = event["kind"] == "StatesAnnounced"
        if states != (peer == COORDINATOR) or not (states or peer in self._heard):
            raise self.wrong(event, f"hears {event['kind']} from {peer}")
        awaited = self._states if states else self._heard[peer]
        if round_ != self._round or step != awaited:
            raise self.wrong(
                event,
                f"hears {event['kind']} of round {round_}, step {step}, "
                f"but awaits round {self._round}, step {awaited}",
            )
        if states:
            self._states += 1
        else:
            self._heard[peer] += 1
        while min([self._states, *self._heard.values()]) > self._step:
            at = {"r": self._round, "s": self._step}
            yield Duty("act", at)
            for receiver in (*self._children, COORDINATOR):
                yield send(receiver, "ActionsChosen", self._round, self._step)
            self._step += 1

    def _apply(self, event: TraceEvent) -> Iterable[Duty]:
        round_ = event["r"]
        if round_ != self._round:
            raise self.wrong(event, f"hears the signal of round {round_} in round {self._round}")
        if (event["kind"] == "FlowBroadcast") != self._exact:
            raise self.wrong(event, "hears a signal of another mode")
        if not self._exact and (self._step == 0 or self._step != self._states):
            raise self.wrong(event, f"hears the signal before it has acted at step {self._step}")
        if self._latest == round_:
            yield Duty("apply", {"r": round_, "p": event["p"]})
            self._latest = round_ + 1
        else:
            yield Duty("kept", {"r": round_})
        self._begin(round_ + 1)
        yield send(COORDINATOR, "SignalApplied", round_)
        if self._exact:
            yield send(COORDINATOR, "TableShown", round_ + 1)


def check_agents(run: Lives) -> tuple[int, int]:
    """Prove that every life of every agent did what the protocol asks.

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
        if life.agent is not None:
            conduct = AgentConduct(run, life)
            conduct.check()
            acts, updates = acts + conduct.acts, updates + conduct.updates
    return acts, updates
