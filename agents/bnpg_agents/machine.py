"""The agent as a pure machine: messages and the passing of time in, effects out.

Its phases, and what each message does in them, are the table in `bnpg_agents.phases`.

A new `Roster` leads back to *edges* from every phase, a `Summons` of a newer coordinator back to *greeting*.
The round that was interrupted is replayed from its beginning; an update that was applied before is not
applied again.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from bnpg_protocol.process.phases import Sender
from bnpg_protocol.process.progress import Progress
from bnpg_protocol.wire.addresses import COORDINATOR, name, names
from bnpg_protocol.wire.effects import Effect, Log, Stop, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation, ProtocolError
from bnpg_protocol.wire.events import Observer, Started
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.letters import in_one_line
from bnpg_protocol.wire.links import Links
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    ActionsRelayed,
    Beacon,
    CheckpointsRequested,
    CheckpointsReturned,
    EdgeHello,
    EdgesConfirmed,
    EdgeWelcome,
    Failed,
    Farewell,
    Finish,
    FlowBroadcast,
    Hello,
    Message,
    ObservationsAnnounced,
    Reject,
    Roster,
    SignalBroadcast,
    Start,
    StatesAnnounced,
    Summons,
    TableRequested,
    ThetaRequested,
    ThetaShown,
    Welcome,
)
from bnpg_protocol.wire.version import PROTOCOL_VERSIONS
from bnpg_protocol.wire.weight import AHEAD_BYTES, weight

from bnpg_agents.effects import Adopt, Relive, Store
from bnpg_agents.learner import Learner
from bnpg_agents.limits import well_formed
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE, Neighbourhood, fits
from bnpg_agents.phases import INVITATIONS, PHASES
from bnpg_agents.relayed_rounds import RelayedRounds
from bnpg_agents.relaying import Relaying
from bnpg_agents.rounds import AgentRounds, Answers, ToChild, TurnMessage
from bnpg_agents.setup import AgentSetup
from bnpg_math.arrays.cells import within
from bnpg_math.errors import InputError

HELLO_EVERY = 0.1
"""Seconds until an unanswered `Hello` is repeated; doubled up to `HELLO_AT_MOST`."""
HELLO_AT_MOST = 2.0
BEACON_EVERY = 0.5
FAILED_EVERY = 0.5
FAILED_FOR = 5.0
"""Seconds a failing agent goes on telling the coordinator."""

_LASTING = (
    "agent", "experiment", "mode", "policy", "states", "width", "actions", "parents", "parent_actions",
    "children",
)  # fmt: skip
"""Fields of the Welcome that no later coordinator may change."""
# Looked up by type: to ask `isinstance` what a message is not costs three times as much.
_JOINING = (*INVITATIONS, Roster)
_NOT_FOR_THE_COORDINATOR = (Store, ToChild)
FAREWELL_FOR = 2.0
"""Seconds a leaving agent waits for the acknowledgement of its farewell."""


class AgentMachine:
    """One agent.

    Parameters
    ----------
    setup : AgentSetup
        What the process knows of itself.
    now : float
        Seconds on the shell's monotonic clock.
    observer
        Called with every event of the trace.
    """

    def __init__(self, setup: AgentSetup, now: float, observer: Observer | None = None) -> None:
        self._setup = setup
        self._links = Links(setup.agent, setup.incarnation, "", observer)
        self._observer = observer
        self._phase = "greeting"
        self.done = False
        """Whether the coordinator has said that the run is done, and not only broken off."""
        self._welcome: Welcome | None = None
        self._held = setup.held
        self._experiment = setup.experiment
        self._asks = setup.seal is not None and not setup.held
        """Whether it asks for what is kept of it before it greets."""
        self._sealed_in = ""
        """The run in which what came back was sealed."""
        self._generation = 0
        self._learner: Learner | None = None
        self._around = Neighbourhood()
        self._choices: dict[int, int] = {}
        """How many actions each parent has."""
        self._relaying: Relaying | None = None
        """The links and their rows, where there is a relay."""
        self._early: list[tuple[Envelope, str]] = []
        self._ahead: list[tuple[int, ActionsChosen | ActionsRelayed]] = []
        self._ahead_bytes: Counter[int] = Counter()
        """What each parent has sent of it."""
        self._rounds: AgentRounds | None = None
        self._hello_due = now
        self._hello_patience = HELLO_EVERY
        self._beacon_due = now
        self._progress_at = now
        self._progress = Progress(setup.patience, now)
        self._failure: Stop | None = None
        self._failing_until = 0.0
        self._last_word = Stop(ExitCode.DONE, "")
        self._leave_at = 0.0

    # What the outside may look at

    @property
    def phase(self) -> str:
        """Where the agent is, of `bnpg_agents.phases.PHASES`."""
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        allowed = phase == self._phase or phase in PHASES[self._phase].leads
        assert allowed, f"{self._phase} does not lead to {phase}"
        self._phase = phase

    @property
    def agent(self) -> int:
        """The agent's id; -2 as long as it has none."""
        return self._links.me

    @property
    def rounds(self) -> AgentRounds | None:
        """The agent's rounds in the present epoch; None before its Start."""
        return self._rounds

    @property
    def learner(self) -> Learner:
        """The agent's thetas; there from the Welcome on."""
        assert self._learner is not None
        return self._learner

    @property
    def links(self) -> Links:
        """The agent's links, with their counters."""
        return self._links

    def status(self) -> dict[str, Any]:
        """Return where the agent is and whom it waits for."""
        round_, step = self._where()
        waits = self.phase in ("greeting", "welcomed", "edges", "ready") or self._rounds is not None
        return {
            "agent": self.agent,
            "phase": self.phase,
            "round": round_,
            "step": step,
            "epoch": self._links.epoch,
            "generation": self._generation,
            "incarnation": self._links.incarnation,
            "waiting_for": self._awaited() if waits and self.phase != "leaving" else "",
            "retransmitted": self._links.retransmitted,
            "duplicates": self._links.duplicates,
            "refused": dict(self._links.refused),
        }

    # Events

    def receive(self, envelope: Envelope, origin: str, now: float, key: str = "") -> list[Effect]:  # noqa: ARG002
        """Take in one envelope and return what is to be done because of it."""
        message, phase = envelope.message, self._phase
        kind = type(message)
        if not self._around.may_speak(envelope.sender, origin):
            return self._refuse(envelope, "speaks for another")
        if phase == "leaving":
            return self._left(envelope, origin, now)
        if phase == "finished" or (phase == "failing" and kind in _JOINING):
            return []
        if kind in INVITATIONS or kind is CheckpointsReturned:
            return self._invited(envelope, origin, now)
        if self._welcome is None:
            # A neighbour that was let in a moment earlier may be heard first; it says its EdgeHello again.
            level = "info" if kind is EdgeHello else "warning"
            return self._refuse(envelope, "before the Welcome", level=level)
        if envelope.run != self._links.run:
            return self._refuse(envelope, "another run")
        effects: list[Effect] = []
        if kind is Roster and self._is_newer(envelope) and origin == COORDINATOR_ROUTE:
            roster = cast("Roster", message)
            if not fits(roster, self._welcome):
                return self._fail(ExitCode.PROTOCOL, "the Roster has other neighbours than the Welcome", now)
            effects += self._enter(envelope, roster, now)
        elif not self._in_range(envelope.sender, message, kind):
            return self._refuse(envelope, "out of range")
        try:
            delivered, transmissions = self._links.receive(envelope, origin, now)
        except OrderViolation as error:
            return [*effects, *self._refuse(envelope, "out of order", str(error))]
        effects += transmissions
        for received in delivered:
            before = self._told_by(envelope.sender)
            try:
                effects += self._deliver(envelope.sender, received, now)
            except (ProtocolError, FloatingPointError, InputError) as error:
                effects += self._fail(ExitCode.PROTOCOL, str(error), now)
            if envelope.sender == COORDINATOR or self._told_by(envelope.sender) != before:
                self._progress_at = now
        if self._rounds is not None:
            self._progress.reach((1, *self._rounds.where), now)
        return effects

    def prepare(self) -> None:
        """Do ahead what depends on nothing that is awaited; nobody can tell, but by the time it takes."""
        if self._learner is not None:
            self._learner.prepare()

    def abandon(self, why: str, now: float) -> list[Effect]:  # noqa: ARG002
        """End at once: whoever started the process is gone.

        It may be gone because the run has ended. Who knows that already leaves with what was said of the end:
        the coordinator has the farewell, and only its acknowledgement did not come.
        """
        return [self._last_word if self.phase == "leaving" else Stop(ExitCode.INTERRUPTED, why)]

    def tick(self, now: float) -> list[Effect]:
        """Return what is to be done because time has passed."""
        if self.phase == "finished":
            return []
        if self.phase == "leaving":
            return [*self._links.tick(now), *([self._last_word] if now >= self._leave_at else [])]
        if self._failure is not None:
            if now >= self._failing_until:
                return [self._failure]
            self._beacon_due = now + FAILED_EVERY
            return [self._to_coordinator(Failed(int(self._failure.code), self._failure.why))]
        effects: list[Effect] = []
        if self.phase == "greeting" and now >= self._hello_due:
            asks = CheckpointsRequested(self.agent)
            effects.append(self._to_coordinator(asks) if self._asks else self._hello())
            self._hello_due = now + self._hello_patience
            self._hello_patience = min(2 * self._hello_patience, HELLO_AT_MOST)
        effects += self._links.tick(now)
        if self._passes is not None:
            try:
                effects += self._send_all(self._playing().work(), now)
            except FloatingPointError as error:
                return [*effects, *self._fail(ExitCode.PROTOCOL, str(error), now)]
            self._progress_at = now
            self._progress.reach((1, *self._playing().where), now)
        if self._welcome is not None and now >= self._beacon_due:
            self._beacon_due = now + BEACON_EVERY
            effects.append(self._to_coordinator(self._beacon()))
        if now >= self._progress_at + self._setup.patience:
            why = (
                f"no progress for {self._setup.patience:g} s: {name(self.agent)} waits for {self._awaited()}"
            )
            effects.append(Stop(ExitCode.DEADLINE, why))
        return effects

    def stood_still(self, seconds: float, now: float) -> None:
        """Take note that for so many seconds until now this process could hear nobody."""
        self._progress_at = min(now, self._progress_at + seconds)
        self._progress.stood_still(seconds, now)

    def next_event(self) -> float | None:
        """Return when `tick` has something to do next."""
        if self.phase == "finished":
            return None
        if self.phase == "leaving":
            links = self._links.next_event()
            return self._leave_at if links is None else min(self._leave_at, links)
        if self._failure is not None:
            return min(self._failing_until, self._beacon_due)
        if self._passes is not None:
            return 0.0  # at once: a pass after every look at what has arrived
        times = [self._progress_at + self._setup.patience, self._links.next_event()]
        times.append(self._hello_due if self.phase == "greeting" else None)
        times.append(self._beacon_due if self._welcome is not None else None)
        return min(time for time in times if time is not None)

    def failed(self, code: ExitCode, why: str, now: float, undone: Sequence[Effect] = ()) -> list[Effect]:
        """Take note that the shell could not carry out an effect, nor therefore those behind it."""
        self._links.unsend(undone)
        return self._fail(code, why, now)

    def validate(self) -> None:
        """Assert what must hold between any two events; a simulation asks after every one of them."""
        assert (self._learner is None) == (self._welcome is None), "what is welcomed learns"
        assert (self._failure is not None) or self.phase != "failing", "who fails says why"
        assert self._rounds is not None or self.phase != "running"
        assert not self._ahead or self.phase != "running", "kept for the Start, and forgotten"
        if self.phase in ("edges", "ready", "running"):
            assert self._links.epoch, "edges belong to an epoch"
            assert self._links.generation == self._generation
        if self.phase in ("ready", "running"):
            assert not self._around.unconfirmed(), f"{self.phase} without {self._around.unconfirmed()}"
        if self._rounds is not None and self.phase == "running":
            self._rounds.validate()

    # Joining

    def _invited(self, envelope: Envelope, origin: str, now: float) -> list[Effect]:
        message = envelope.message
        if origin != COORDINATOR_ROUTE or envelope.sender != COORDINATOR:
            return self._refuse(envelope, "not from the coordinator")
        if envelope.generation < self._generation:
            return self._refuse(envelope, "an older coordinator")
        rule = PHASES[self.phase].rules.get(type(message))
        if rule is None:
            return []  # returned once more to somebody who has greeted with it
        effects: list[Effect] = getattr(self, rule.method)(envelope, message, now)
        return effects

    def _returned(self, envelope: Envelope, message: CheckpointsReturned, now: float) -> list[Effect]:
        """Go on with what the coordinator kept, which this agent alone can have sealed."""
        seal = self._setup.seal
        if not self._asks or seal is None or message.agent != self.agent:
            return []
        try:
            back = seal.returned(envelope.run, message, self._setup.sealed_from)
        except InputError as error:
            self.phase = "finished"
            return [Stop(ExitCode.PROTOCOL, f"{name(self.agent)}: {error}")]
        self._asks = False
        self._hello_due, self._hello_patience = now, HELLO_EVERY
        self._progress_at = now
        effects: list[Effect] = []
        if back.incarnation >= self._links.incarnation:
            self._links.incarnation = back.incarnation + 1
            effects.append(Relive(self._links.incarnation))
        if back.held:
            self._held, self._experiment, self._sealed_in = back.held, back.experiment, envelope.run
            effects.append(Log("info", "sealed checkpoints opened", {"rounds": list(back.held)}))
        return effects + self.tick(now)

    def _rejected(self, envelope: Envelope, reject: Reject, now: float) -> list[Effect]:  # noqa: ARG002
        if reject.code in ("over", "ended"):
            self.phase = "finished"
            self.done = reject.code == "over"
            return [Stop(ExitCode.DONE, in_one_line(reject.expected))]
        if reject.code == "full" and self._setup.spare:
            # One more than the run needs: it goes on asking, in case the next run is larger.
            self._progress_at = now
            return []
        why = in_one_line(f"rejected ({reject.code}): expected {reject.expected}, got {reject.got}")
        self.phase = "finished"
        return [Stop(ExitCode.REJECTED, f"{name(self.agent)} was {why}")]

    def _summoned(self, envelope: Envelope, summons: Summons, now: float) -> list[Effect]:  # noqa: ARG002
        if envelope.generation == self._generation and self.phase != "greeting":
            return []
        self._links.leave(envelope.generation)
        self._greet_again(now)
        return self.tick(now)

    def _greet_again(self, now: float) -> None:
        self.phase = "greeting"
        self._hello_due = now
        self._hello_patience = HELLO_EVERY

    def _welcomed(self, envelope: Envelope, welcome: Welcome, now: float) -> list[Effect]:
        if envelope.generation == self._generation:
            return []
        if welcome.version not in PROTOCOL_VERSIONS:
            spoken = " or ".join(map(str, PROTOCOL_VERSIONS))
            why = f"the Welcome is of protocol version {welcome.version}, expected {spoken}"
            return self._fail(ExitCode.REJECTED, why, now)
        before = self._welcome
        if before is not None and any(
            getattr(before, field) != getattr(welcome, field) for field in _LASTING
        ):
            why = f"the Welcome of generation {envelope.generation} contradicts the one before"
            return self._fail(ExitCode.PROTOCOL, why, now)
        if self._sealed_in and (envelope.run, welcome.experiment) != (self._sealed_in, self._experiment):
            why = (
                f"the Welcome is of run {envelope.run:.16}, experiment {welcome.experiment:.16}, the sealed "
                f"checkpoint of run {self._sealed_in:.16}, experiment {self._experiment:.16}"
            )
            return self._fail(ExitCode.PROTOCOL, why, now)
        circles = self._progress.circles(name(COORDINATOR), now) if before is not None else ""
        if circles:
            return [Stop(ExitCode.DEADLINE, circles)]
        self._generation = envelope.generation
        self._progress_at = now
        self._links.run = envelope.run
        self._links.me = welcome.agent
        self._links.leave(envelope.generation)
        if self._learner is None:
            try:
                self._learner = Learner(welcome, self._held, self._setup.policy)
            except (ProtocolError, InputError) as error:
                return self._fail(ExitCode.PROTOCOL, str(error), now)
            if self._observer is not None:
                self._observer(Started(self._facts(envelope.run, welcome)))
        try:
            self._relaying = Relaying(welcome) if welcome.relay else None
        except ProtocolError as error:
            return self._fail(ExitCode.PROTOCOL, str(error), now)
        newcomer = self._welcome is None and not self._setup.held
        self._welcome = welcome
        self._choices = dict(zip(welcome.parents, welcome.parent_actions, strict=True))
        self.phase = "welcomed"
        effects: list[Effect] = [
            Log("info", "welcomed", {"agent": welcome.agent, "generation": self._generation})
        ]
        if newcomer:
            learner = self._learner
            effects.append(Adopt(welcome.agent, welcome.experiment))
            effects += [Store(round_, learner.snapshot(round_)) for round_ in learner.held]
        return effects

    def _facts(self, run: str, welcome: Welcome) -> dict[str, object]:
        """Return what the trace must know of the beginning of this life."""
        held = {str(round_): self.learner.snapshot(round_).digest for round_ in self.learner.held}
        return {"run": run, "agent": welcome.agent, "experiment": welcome.experiment, "held": held}

    def _hello(self) -> Transmit:
        held = self._learner.held if self._learner is not None else tuple(sorted(self._held))
        experiment = self._welcome.experiment if self._welcome is not None else self._experiment
        return self._to_coordinator(
            Hello(PROTOCOL_VERSIONS, self.agent, self._setup.endpoint, held, experiment, self._setup.numerics)
        )

    def _is_newer(self, envelope: Envelope) -> bool:
        at = (envelope.generation, envelope.epoch)
        return at > (self._links.generation, self._links.epoch) and envelope.generation == self._generation

    def _enter(self, envelope: Envelope, roster: Roster, now: float) -> list[Effect]:
        """Enter a new epoch: fresh links to the roster's neighbours, whose early messages count now."""
        neighbours, effects = self._around.enter(roster, envelope.incarnation)
        early = self._links.enter(envelope.generation, envelope.epoch, neighbours)
        self._rounds = None
        self._ahead, self._ahead_bytes = [], Counter()
        self.phase = "edges"
        effects += [self._links.send(child, EdgeHello(), now) for child in self._around.children]
        self._early = early
        return effects

    def _confirm(self, now: float) -> list[Effect]:
        if self.phase != "edges" or self._around.unconfirmed():
            return []
        self.phase = "ready"
        around = self._around
        return [self._links.send(COORDINATOR, EdgesConfirmed(around.parents, around.children), now)]

    # Delivered messages

    def _deliver(self, sender: int, message: Message, now: float) -> list[Effect]:
        """Do what the table says of a message in this phase."""
        phase = self._phase
        if phase == "failing" and type(message) is not Finish:
            return []  # received, so that the Finish behind it can be
        rule = PHASES[phase].rules.get(type(message))
        if rule is None or not self._is(sender, rule.sender):
            raise self._misplaced(sender, message, "" if rule is None else rule.sender)
        effects: list[Effect] = getattr(self, rule.method)(sender, message, now)
        return effects

    def _is(self, sender: int, role: Sender) -> bool:
        if role == "coordinator":
            return sender == COORDINATOR
        return sender in (self._around.parents if role == "parent" else self._around.children)

    def _misplaced(self, sender: int, message: Message, awaited: str = "") -> OrderViolation:
        kind = type(message).__name__
        only = {"": "", "coordinator": ", who is not the coordinator"}.get(awaited, f", who is no {awaited}")
        return OrderViolation(f"{name(self.agent)} is {self.phase} and got {kind} from {name(sender)}{only}")

    def _rostered(self, sender: int, roster: Roster, now: float) -> list[Effect]:  # noqa: ARG002
        effects = self._confirm(now)
        early, self._early = self._early, []
        for envelope, origin in early:
            effects += self.receive(envelope, origin, now)
        return effects

    def _greeted(self, sender: int, hello: EdgeHello, now: float) -> list[Effect]:
        self._edge("parent", sender, hello)
        return [self._links.send(sender, EdgeWelcome(), now), *self._confirm(now)]

    def _answered(self, sender: int, welcome: EdgeWelcome, now: float) -> list[Effect]:
        self._edge("child", sender, welcome)
        return self._confirm(now)

    def _edge(self, role: str, sender: int, message: Message) -> None:
        if not self._around.awaits(role, sender):
            raise self._misplaced(sender, message)
        self._around.confirm(role, sender)

    def _keep(self, sender: int, message: ActionsChosen | ActionsRelayed, now: float) -> list[Effect]:  # noqa: ARG002
        if self._ahead_bytes[sender] > AHEAD_BYTES:
            raise OrderViolation(f"{name(sender)} acts before the Start: more than {AHEAD_BYTES} bytes wait")
        self._ahead_bytes[sender] += weight(message)
        self._ahead.append((sender, message))
        return []

    def _keep_rows(self, sender: int, message: ActionsRelayed, now: float) -> list[Effect]:
        self._check_relay(sender)
        return self._keep(sender, message, now)

    def _start(self, sender: int, start: Start, now: float) -> list[Effect]:  # noqa: ARG002
        assert self._welcome is not None
        exact = self._welcome.mode == "exact"
        actions = self._welcome.actions
        agent, parents, relaying = self.agent, self._around.parents, self._relaying
        common = (agent, self.learner, parents, exact, actions, self._observer)
        rounds = AgentRounds(*common) if relaying is None else RelayedRounds(*common, relaying)
        answers = rounds.start(start.round)
        self._rounds = rounds
        self.phase = "running"
        effects: list[Effect] = []
        for round_ in self.learner.held:
            effects += self._seal(round_, now) if round_ >= start.round else []
        effects += self._send_all(answers, now)
        ahead, self._ahead, self._ahead_bytes = self._ahead, [], Counter()
        for parent, message in ahead:
            if isinstance(message, ActionsRelayed):
                effects += self._hear_rows(parent, message, now)
            else:
                effects += self._send_all(rounds.hear(parent, message), now)
        return effects

    def _hear(self, sender: int, message: TurnMessage, now: float) -> list[Effect]:
        return self._send_all(self._playing().hear(sender, message), now)

    def _hear_rows(self, sender: int, message: ActionsRelayed, now: float) -> list[Effect]:
        rounds = self._check_relay(sender)
        assert isinstance(rounds, RelayedRounds), "made at the Start, where there is a relay"
        return self._send_all(rounds.hear_rows(sender, message), now)

    def _check_relay(self, sender: int) -> AgentRounds | None:
        if self._relaying is None:
            raise OrderViolation(f"{name(sender)} sent ActionsRelayed in a run without a relay")
        return self._rounds

    def _apply(self, sender: int, signal: SignalBroadcast | FlowBroadcast, now: float) -> list[Effect]:  # noqa: ARG002
        return self._send_all(self._playing().apply(signal), now)

    def _show_table(self, sender: int, asked: TableRequested, now: float) -> list[Effect]:  # noqa: ARG002
        return self._send_all([self._playing().table(asked.round)], now)

    def _show_theta(self, sender: int, asked: ThetaRequested, now: float) -> list[Effect]:  # noqa: ARG002
        latest = self.learner.latest
        return [self._links.send(COORDINATOR, ThetaShown(latest, self.learner.snapshot(latest).flat), now)]

    def _finish(self, sender: int, finish: Finish, now: float) -> list[Effect]:  # noqa: ARG002
        self.done = finish.code == ExitCode.DONE
        self.phase = "leaving"
        self._last_word = self._failure or Stop(ExitCode.DONE, in_one_line(finish.reason))
        self._leave_at = now + FAREWELL_FOR
        return [self._links.send(COORDINATOR, Farewell(), now)]

    def _send_all(self, answers: Answers, now: float) -> list[Effect]:
        """Send what the rounds have to say, in its order."""
        effects: list[Effect] = []
        for answer in answers:
            if type(answer) is ActionsChosen:
                effects += [self._links.send(child, answer, now) for child in self._around.children]
            elif isinstance(answer, _NOT_FOR_THE_COORDINATOR):
                if isinstance(answer, Store):
                    effects += [answer, *self._seal(answer.round, now)]
                else:
                    effects.append(self._links.send(answer.child, answer.message, now))
                continue
            effects.append(self._links.send(COORDINATOR, answer, now))
        return effects

    def _seal(self, round_: int, now: float) -> list[Effect]:
        """Let the coordinator keep theta_round, if that is asked for, before anything that relies on it."""
        seal, welcome = self._setup.seal, self._welcome
        if seal is None or welcome is None:
            return []
        life = (welcome.experiment, self._links.incarnation)
        snapshot = self.learner.snapshot(round_)
        return [
            self._links.send(
                COORDINATOR, seal.message(self._links.run, self.agent, life, round_, snapshot), now
            )
        ]

    def _playing(self) -> AgentRounds:
        assert self._rounds is not None
        return self._rounds

    def _left(self, envelope: Envelope, origin: str, now: float) -> list[Effect]:
        """Leave as soon as the coordinator has acknowledged the farewell."""
        try:
            _, transmissions = self._links.receive(envelope, origin, now)
        except OrderViolation as error:
            return self._refuse(envelope, str(error))
        if COORDINATOR in self._links.unacknowledged_by():
            return list(transmissions)
        self.phase = "finished"
        return [self._last_word]

    # Trouble

    def _fail(self, code: ExitCode, why: str, now: float) -> list[Effect]:
        self.phase = "failing"
        why = in_one_line(why)  # it may quote what a peer said, and is to be said to the coordinator
        self._failure = Stop(code, why)
        self._failing_until = now + FAILED_FOR
        return [Log("error", "failing", {"why": why}), *self.tick(now)]

    def _refuse(
        self, envelope: Envelope, reason: str, detail: str = "", level: str = "warning"
    ) -> list[Effect]:
        self._links.refused[reason] += 1
        fields = {"kind": type(envelope.message).__name__, "sender": name(envelope.sender), "reason": reason}
        return [Log(level, "refused", fields | ({"detail": detail} if detail else {}))]

    def _in_range(self, sender: int, message: Any, kind: type[Message]) -> bool:
        """Whether states and actions name something that exists; `kind` is the type of the message."""
        if kind is ActionsChosen:
            choices = self._choices.get(sender)
            return choices is None or within(message.actions, choices)
        if kind is StatesAnnounced:
            assert self._welcome is not None
            return within(message.states, self._welcome.states)
        if kind is ObservationsAnnounced:
            assert self._welcome is not None
            return self._sees(message, self._welcome)
        if kind is ActionsRelayed:
            return self._relaying is None or self._relaying.fits(sender, message.actions)
        return True

    @staticmethod
    def _sees(message: ObservationsAnnounced, welcome: Welcome) -> bool:
        """Whether observations are what the Welcome says that the agent sees."""
        seen = message.observations
        if welcome.width:
            fits_space = seen.dtype.kind == "f" and seen.shape[1:] == (welcome.width,)
        else:
            fits_space = seen.dtype.kind == "u" and seen.ndim == 1 and within(seen, welcome.states)
        return fits_space and well_formed(message, welcome.actions)

    def _awaited(self) -> str:
        if self.phase == "greeting":
            return "an answer of the coordinator to its " + ("request" if self._asks else "Hello")
        if self.phase == "welcomed":
            return "the coordinator's Roster, which comes when every agent is there"
        if self.phase == "edges":
            return "the edge to " + names(self._around.unconfirmed())
        if self.phase == "ready":
            return "the coordinator's Start"
        return self._playing().awaited()

    def _told_by(self, peer: int) -> int:
        """How far a neighbour lets this agent come: not what it says ahead of that, or again."""
        if self._rounds is None:
            return len(self._around.unconfirmed())
        return self._rounds.told_by(peer)

    def _lacks(self) -> tuple[int, ...]:
        """Return the peers this agent waits for."""
        if self.phase == "edges":
            return tuple(self._around.unconfirmed())
        return () if self._rounds is None else tuple(self._rounds.missing())

    @property
    def _passes(self) -> int | None:
        """How many passes of an update are made that is under way; None if none is."""
        return None if self._rounds is None or self.phase != "running" else self._rounds.passes

    def _beacon(self) -> Beacon:
        passes = self._passes
        if passes is not None:
            return Beacon("updating", self._where()[0], passes, ())
        return Beacon(self.phase, *self._where(), self._lacks())

    def _where(self) -> tuple[int, int]:
        if self._rounds is None:
            return (self._learner.latest if self._learner is not None else 0), 0
        return self._rounds.where

    def _to_coordinator(self, message: Message) -> Transmit:
        return self._links.bare(COORDINATOR, COORDINATOR_ROUTE, message)
