"""The coordinator as a pure machine: messages and the passing of time in, effects out.

Its phases, and what each message does in them, are the table in `bnpg_coordinator.phases`; what a round
consists of is in `bnpg_coordinator.rounds`.

A Hello of a new incarnation leads back to *edges* as soon as everybody is present: the epoch is bumped, the
old incarnation is fenced, and the interrupted round is played again from its beginning.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bnpg_protocol.process.progress import Progress
from bnpg_protocol.wire import events
from bnpg_protocol.wire.addresses import COORDINATOR, UNASSIGNED, name, names
from bnpg_protocol.wire.effects import Effect, Log, Stop, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation, ProtocolError
from bnpg_protocol.wire.events import Observer
from bnpg_protocol.wire.exit_codes import ExitCode, run_state
from bnpg_protocol.wire.letters import in_one_line, shown
from bnpg_protocol.wire.links import Links
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsChosen,
    Beacon,
    CheckpointSealed,
    CheckpointsRequested,
    EdgesConfirmed,
    Failed,
    Farewell,
    Finish,
    Hello,
    Message,
    Reject,
    SignalApplied,
    Start,
    Summons,
    TableShown,
    ThetaRequested,
    ThetaShown,
    UpdateReported,
)
from bnpg_protocol.wire.version import common_version

from bnpg_coordinator.ascent import Ascent, ascent_of
from bnpg_coordinator.attestations import Attestations
from bnpg_coordinator.attested_rounds import AttestedRounds
from bnpg_coordinator.central_critic import CentralCritic
from bnpg_coordinator.effects import Bind, Conclude, Gathered, KeepCritic, Record, Rewind, SyncRecord
from bnpg_coordinator.invitation import welcome
from bnpg_coordinator.lanes import parts_of
from bnpg_coordinator.membership import Member, Membership
from bnpg_coordinator.networks import theta_shape
from bnpg_coordinator.orders import Orders, To, ToAll, ToKeep, ToRecord, ToSync
from bnpg_coordinator.phases import PHASES
from bnpg_coordinator.rounds import CoordinatorRounds
from bnpg_coordinator.sealed_checkpoints import SealedCheckpoints
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.waiting import described
from bnpg_coordinator.worlds.interface import WorldFailed
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.cells import within
from bnpg_math.dag.routes import relayed

if TYPE_CHECKING:
    from bnpg_coordinator.oracle import Oracle

WARN_EVERY = 5.0
"""Seconds without progress after which, again and again, the log says who is waited for."""
FAREWELL = 30.0
"""Seconds the farewells may take when all rounds are done."""
HASTY_FAREWELL = 5.0
"""The same when the run is broken off."""
MOST_HELD = 4
"""Of the rounds that an agent says to hold, so many of the latest are logged."""
_ACTIONS = (ActionsChosen, ActionsAttested)


class CoordinatorMachine:
    """The coordinator of one run.

    Parameters
    ----------
    setup : CoordinatorSetup
        The experiment and the identity of this process.
    now : float
        Seconds on the shell's monotonic clock.
    observer
        Called with every event of the trace.
    short_way
        Called with the rounds and what they want sent; does some of it itself and returns the rest.
    """

    def __init__(
        self,
        setup: CoordinatorSetup,
        now: float,
        observer: Observer | None = None,
        short_way: Callable[[CoordinatorRounds, Orders], Orders] | None = None,
    ) -> None:
        self._setup = setup
        self._short_way = short_way
        self._observer = observer
        if observer is not None:
            observer(events.Started(_facts(setup)))
        self._links = Links(COORDINATOR, setup.generation, setup.run, observer)
        self._links.generation = setup.generation
        links = relayed(setup.dag) if setup.relay else setup.dag
        self._membership = Membership(links, setup.digest, setup.numerics, setup.admission)
        parts = (setup.experiment, setup.world, setup.dag, *exact(setup), critic_of(setup))
        if setup.relay:
            attestations = Attestations(setup.dag, setup.world.actions)
            self._rounds: CoordinatorRounds = AttestedRounds(attestations, *parts)
        else:
            self._rounds = CoordinatorRounds(*parts)
        self._kept = SealedCheckpoints(setup.largest_sealed, setup.sealed)
        self._phase = "gathering"
        self._begun = False
        self._epoch = 0
        self._progress_at = now
        self._progress = Progress(setup.patience, now)
        self._warn_at = now + WARN_EVERY
        self._thetas: dict[int, FloatArray] = {}
        self._farewells: set[int] = set()
        self._late: set[int] = set()
        self._late_until = now
        self._rejected: dict[int, str] = {}
        """Why agents that have not joined were not let in."""
        self._stop: Stop | None = None
        self._end_at = 0.0

    # What the outside may look at

    @property
    def phase(self) -> str:
        """Where the run is, of `bnpg_coordinator.phases.PHASES`."""
        return self._phase

    @phase.setter
    def phase(self, phase: str) -> None:
        allowed = phase == self._phase or phase in PHASES[self._phase].leads
        assert allowed, f"{self._phase} does not lead to {phase}"
        self._phase = phase

    @property
    def links(self) -> Links:
        """The coordinator's links, with their counters."""
        return self._links

    def status(self, now: float) -> dict[str, Any]:
        """Return who is up, where the run is and who is waited for."""
        members = self._membership.members
        return {
            "phase": self.phase,
            "round": self._rounds.round,
            "rounds": self._setup.experiment.rounds,
            "step": self._rounds.turn,
            "epoch": self._epoch,
            "generation": self._setup.generation,
            "waiting_for": self._awaited(now) if self.phase != "ended" else "",
            "awaited": self._missing()[0],
            "team": self._setup.dag.agents,
            "edges": self._setup.dag.edges,
            "agents": {
                str(agent): {
                    "incarnation": member.incarnation,
                    "heard_seconds_ago": round(now - member.heard_at, 3),
                    "phase": self._phase_of(agent, member),
                    "round": member.progress.round,
                    "step": member.progress.turn,
                    "lacks": [name(peer) for peer in member.progress.lacks],
                }
                for agent, member in sorted(members.items())
            },
            "rejected": {str(agent): why for agent, why in sorted(self._rejected.items())},
            "delivered": self._links.delivered,
            "retransmitted": self._links.retransmitted,
            "duplicates": self._links.duplicates,
            "refused": dict(self._links.refused),
        }

    def _phase_of(self, agent: int, member: Member) -> str:
        if agent in self._farewells:
            return "left"
        # After the end nobody is heard any more, whatever they said last.
        return "silent" if self.phase == "ended" else member.progress.phase

    # Events

    def receive(self, envelope: Envelope, origin: str, now: float, key: str = "") -> list[Effect]:
        """Take in one envelope and return what is to be done because of it."""
        if self.phase == "ended":
            return []
        message = envelope.message
        if type(message) is Hello or type(message) is CheckpointsRequested:
            greeted: list[Effect] = getattr(self, PHASES[self.phase].rules[type(message)].method)(
                envelope, message, origin, now, key
            )
            return greeted
        if envelope.run != self._setup.run:
            return self._refuse(envelope, "another run")
        if envelope.generation < self._setup.generation:
            return [self._links.bare(envelope.sender, origin, Summons())]
        member = self._membership.members.get(envelope.sender)
        if member is None:
            return self._refuse(envelope, "not a member")
        if envelope.incarnation != member.incarnation:
            if envelope.incarnation < member.incarnation:
                fenced = Reject("incarnation", f"{member.incarnation} or later", str(envelope.incarnation))
                return [
                    *self._refuse(envelope, "a fenced incarnation"),
                    self._links.bare(envelope.sender, origin, fenced),
                ]
            return self._refuse(envelope, "an incarnation that did not greet")
        if origin != member.route:
            return self._refuse(envelope, "another connection than the one that greeted")
        member.heard_at = now
        if type(message) is Beacon:
            if not self._of_the_team(message.lacks):
                return self._refuse(envelope, "out of range")
            member.progress = message
            updates = self.phase == "running" and message.phase == "updating"
            if updates and self._rounds.is_further(envelope.sender, message.round, message.turn):
                self._progress_at = now  # a pass further: it is at work, however long that takes
            return []
        if type(message) is Failed:
            why = f"{name(envelope.sender)} failed: {in_one_line(message.why)}"
            code = message.code if message.code in set(ExitCode) - {ExitCode.DONE} else ExitCode.PROTOCOL
            return self.end(ExitCode(code), why, now)
        if (envelope.generation, envelope.epoch) > (self._setup.generation, self._epoch):
            return self._refuse(envelope, "an epoch that is not formed")
        if not self._in_range(envelope.sender, message):
            return self._refuse(envelope, "out of range")
        return self._sequenced(envelope, origin, now)

    def prepare(self) -> None:
        """Do ahead what depends on nothing that is awaited; nobody can tell, but by the time it takes."""
        self._rounds.prepare()

    def tick(self, now: float) -> list[Effect]:
        """Return what is to be done because time has passed."""
        if self.phase == "ended":
            return []
        effects: list[Effect] = list(self._links.tick(now))
        if self.phase == "ending":
            gone = len(self._farewells | self._late) == self._setup.dag.agents and now >= self._late_until
            return [*effects, *self._conclude()] if gone or now >= self._end_at else effects
        if now >= self._progress_at + self._setup.patience:
            why = f"{self._where()}: {self._awaited(now)} (no progress for {self._setup.patience:g} s)"
            return effects + self.end(ExitCode.DEADLINE, why, now)
        if now >= self._warn_at:
            self._warn_at = now + WARN_EVERY
            if now - self._progress_at >= WARN_EVERY:
                fields = {"at": self._where(), "waiting_for": self._awaited(now)}
                effects.append(Log("warning", "waiting", fields))
        return effects

    def stood_still(self, seconds: float, now: float) -> None:
        """Take note that for so many seconds until now this process could hear nobody."""
        self._progress_at = min(now, self._progress_at + seconds)
        self._progress.stood_still(seconds, now)
        for member in self._membership.members.values():
            member.heard_at = min(now, member.heard_at + seconds)

    def next_event(self) -> float | None:
        """Return when `tick` has something to do next."""
        if self.phase == "ended":
            return None
        own = min(self._warn_at, self._progress_at + self._setup.patience)
        if self.phase == "ending":
            gone = len(self._farewells | self._late) == self._setup.dag.agents
            own = min(self._end_at, self._late_until) if gone else self._end_at
        links = self._links.next_event()
        return own if links is None else min(own, links)

    def end(self, code: ExitCode, why: str, now: float) -> list[Effect]:
        """End the run for everybody, now."""
        if self.phase in ("ending", "ended"):
            return []
        why = in_one_line(why)  # it may quote what a peer said, and is to be said to all
        in_epoch = self.phase in ("edges", "running", "closing")
        self.phase = "ending"
        self._stop = Stop(code, why)
        self._end_at = now + (FAREWELL if code == ExitCode.DONE else HASTY_FAREWELL)
        if not in_epoch:
            members = self._membership.members.items()
            farewells = [self._links.bare(agent, member.route, self._over()) for agent, member in members]
            return [*farewells, *self._conclude()]
        finish = Finish(why, int(code))
        return [self._links.send(agent, finish, now, last=True) for agent in self._membership.members]

    def abandon(self, why: str, now: float) -> list[Effect]:
        """End at once and wait for nobody: whoever started the processes is gone, and the agents with it."""
        effects = self.end(ExitCode.INTERRUPTED, why, now)
        return effects if self.phase == "ended" else [*effects, *self._conclude()]

    def failed(self, code: ExitCode, why: str, now: float, undone: Sequence[Effect] = ()) -> list[Effect]:
        """Take note that the shell could not carry out an effect, nor therefore those behind it."""
        self._links.unsend(undone)
        if self.phase == "ending":
            # The end was decided in the same breath as what failed: it is another end now.
            self._stop = Stop(code, why)
            return [
                self._links.send(effect.to, Finish(why, int(code)), now, last=True)
                for effect in undone
                if isinstance(effect, Transmit) and isinstance(effect.envelope.message, Finish)
            ]
        return self.end(code, why, now)

    def validate(self) -> None:
        """Assert what must hold between any two events; a simulation asks after every one of them."""
        assert (self._stop is not None) == (self.phase in ("ending", "ended")), "an end has its reason"
        members = set(self._membership.members)
        assert members <= set(range(self._setup.dag.agents))
        if self.phase == "gathering":
            assert self._membership.absent, "everybody is there, and no epoch began"
        if self.phase in ("edges", "running", "closing"):
            assert not self._membership.absent, "an epoch without everybody"
            assert self._links.epoch == self._epoch > 0
        if self.phase in ("running", "closing"):
            assert not self._membership.unconfirmed(), "rounds without all edges"
            assert self._rounds.finished == (self.phase == "closing")
        if self.phase == "running":
            self._rounds.validate()

    # Joining

    def _hello(self, envelope: Envelope, hello: Hello, origin: str, now: float, key: str) -> list[Effect]:
        before = dict(self._membership.members)
        agent = self._membership.greet(envelope, hello, origin, now, key)
        if isinstance(agent, Reject):
            fields = {
                "sender": name(hello.agent),
                "code": agent.code,
                "expected": agent.expected,
                "got": agent.got,
            }
            if hello.agent in (UNASSIGNED, *self._membership.absent):
                why = f"{agent.code}: expected {agent.expected}, got {shown(agent.got[:100])}"
                self._rejected[hello.agent] = why
            return [Log("warning", "rejected", fields), self._links.bare(envelope.sender, origin, agent)]
        invited = welcome(self._setup, agent, common_version(hello.versions) or 0)
        effects: list[Effect] = [self._links.bare(agent, origin, invited)]
        admission = self._setup.admission
        if admission is not None and admission.bind(key, agent):
            effects.insert(0, Bind(admission.owners))
        known = before.get(agent)
        if known is not None and known.incarnation == envelope.incarnation:
            return effects
        self._progress_at = now
        self._rejected.pop(agent, None)
        who = {"agent": agent, "incarnation": envelope.incarnation, "held": list(hello.held[-MOST_HELD:])}
        effects.append(Log("info", "joined" if known is None else "returned", who))
        if self._observer is not None:
            self._observer(events.Joined(agent, envelope.incarnation, hello.held))
        if known is not None:
            circles = self._progress.circles(name(agent), now)
            if circles:
                return effects + self.end(ExitCode.DEADLINE, f"{self._where()}: {circles}", now)
        self._progress.reach((0, len(self._membership.members)), now)
        return effects + self._form(now) if self._membership.complete else effects

    def _return(
        self,
        envelope: Envelope,
        asked: CheckpointsRequested,
        origin: str,
        now: float,  # noqa: ARG002
        key: str,
    ) -> list[Effect]:
        """Return to an agent what is kept of it: its folder was lost, or it is new and there is nothing."""
        agent = self._membership.identify(asked.agent, origin, key)
        if isinstance(agent, Reject):
            return [self._links.bare(envelope.sender, origin, agent)]
        return [self._links.bare(envelope.sender, origin, self._kept.returned(agent, self._life(agent)))]

    def _life(self, agent: int) -> int:
        member = self._membership.members.get(agent)
        return 0 if member is None else member.incarnation

    def _too_late(
        self,
        envelope: Envelope,
        hello: Hello | CheckpointsRequested,
        origin: str,
        now: float,
        key: str,  # noqa: ARG002
    ) -> list[Effect]:
        """Send home an agent that died during the farewells and came back: all it did is recorded.

        It goes without a farewell, so the coordinator stays until no further Hello of it comes.
        """
        member = self._membership.members.get(hello.agent)
        if member is not None and envelope.incarnation > member.incarnation:
            self._late.add(hello.agent)
            self._late_until = now + HASTY_FAREWELL
        return [self._links.bare(hello.agent, origin, self._over())]

    def _over(self) -> Reject:
        """Return the last word to an agent that takes no part in the epoch, or not any more."""
        assert self._stop is not None
        if self._stop.code == ExitCode.DONE:
            return Reject("over", self._stop.why, "a Hello")
        return Reject("ended", self._stop.why, "a Hello")

    def _form(self, now: float) -> list[Effect]:
        """Begin a new epoch with everybody present."""
        self._epoch += 1
        self.phase = "edges"
        early = self._links.enter(self._setup.generation, self._epoch, self._membership.neighbours())
        assert not early, "nobody can be ahead of the coordinator's epoch"
        agents = sorted(self._membership.members)
        effects: list[Effect] = [Log("info", "epoch", {"epoch": self._epoch, "agents": len(agents)})]
        return effects + [self._links.send(agent, self._membership.roster(agent), now) for agent in agents]

    # Delivered messages

    def _sequenced(self, envelope: Envelope, origin: str, now: float) -> list[Effect]:
        try:
            delivered, transmissions = self._links.receive(envelope, origin, now)
        except OrderViolation as error:
            return self._refuse(envelope, "out of order", str(error))
        effects: list[Effect] = list(transmissions)
        try:
            for message in delivered:
                before = self._heard(envelope.sender)
                effects += self._deliver(envelope.sender, message, now)
                if self._heard(envelope.sender) != before:
                    self._progress_at = now
                    self._warn_at = now + WARN_EVERY
        except ProtocolError as error:
            effects += self.end(ExitCode.PROTOCOL, f"{self._where()}: {error}", now)
        except WorldFailed as error:
            effects += self.end(error.code, f"round {self._rounds.round}, {error}", now)
        if self.phase == "running":
            self._progress.reach((1, *self._rounds.place), now)
        elif self.phase == "closing":
            self._progress.reach((2, len(self._thetas)), now)
        return effects

    def _heard(self, agent: int) -> tuple[int, ...]:
        """Return what an agent said that counts: a message that is no news changes nothing of it."""
        membership, kept = self._membership, self._kept
        return *self._rounds.answered(agent), membership.confirmed, len(self._thetas), kept.awaited

    def _deliver(self, agent: int, message: Message, now: float) -> list[Effect]:
        """Do what the table says of a message in this phase."""
        rule = PHASES[self.phase].rules.get(type(message))
        if rule is None:
            if self.phase == "ending":
                return []
            kind = type(message).__name__
            raise OrderViolation(f"{name(agent)} sent {kind}, which has no place in {self.phase}")
        effects: list[Effect] = getattr(self, rule.method)(agent, message, now)
        return effects

    def _answered(
        self,
        agent: int,
        answer: ActionsChosen | ActionsAttested | TableShown | UpdateReported,
        now: float,
    ) -> list[Effect]:
        return self._send_all(self._rounds.receive(agent, answer), now)

    def _applied(self, agent: int, applied: SignalApplied, now: float) -> list[Effect]:
        effects = self._send_all(self._rounds.receive(agent, applied), now)
        member = self._membership.members[agent]
        member.latest = max(member.latest, applied.round + 1)
        member.held = (member.latest - 1, member.latest)
        return effects

    def _keep(self, agent: int, message: CheckpointSealed, now: float) -> list[Effect]:  # noqa: ARG002
        return self._kept.take(agent, message, self._rounds.round)

    def _farewell(self, agent: int, farewell: Farewell, now: float) -> list[Effect]:  # noqa: ARG002
        self._farewells.add(agent)
        acknowledged: list[Effect] = [self._links.acknowledge(agent)]
        everybody = len(self._farewells) == self._setup.dag.agents
        return acknowledged + self._conclude() if everybody else acknowledged

    def _confirmed(self, agent: int, edges: EdgesConfirmed, now: float) -> list[Effect]:
        """Start the rounds when every edge is confirmed from both ends."""
        if not self._membership.confirm(agent, edges):
            return []
        # Later on the record has all that this life began.
        base = self._membership.base(self._setup.restarts, None if self._begun else self._setup.reached)
        self._begun = True
        self.phase = "running"
        if self._observer is not None:
            self._observer(events.Begun(base))
        effects: list[Effect] = [Log("info", "start", {"round": base, "epoch": self._epoch}), Rewind(base)]
        effects += self._kept.rewind(base)
        effects += [self._links.send(agent, Start(base), now) for agent in sorted(self._membership.members)]
        return effects + self._send_all(self._rounds.restart(base), now)

    def _send_all(self, orders: Orders, now: float) -> list[Effect]:
        """Turn what the rounds decided into effects: lines to record, messages to send."""
        effects: list[Effect] = []
        if self._short_way is not None:
            orders = self._short_way(self._rounds, orders)
        for order in orders:
            match order:
                case ToAll(message):
                    agents = range(self._setup.dag.agents)
                    effects += [self._links.send(agent, message, now) for agent in agents]
                case To(agent, message):
                    effects.append(self._links.send(agent, message, now))
                case ToRecord(line):
                    effects.append(Record(line))
                case ToSync():
                    effects.append(SyncRecord())
                case ToKeep(round_, state):
                    effects.append(KeepCritic(round_, state))
        if self._rounds.finished and self.phase == "running":
            self.phase = "closing"
            effects += self._close(now)
        return effects

    def _close(self, now: float) -> list[Effect]:
        if self._setup.experiment.save_policy:
            self._thetas = {}
            return [self._links.send(agent, ThetaRequested(), now) for agent in range(self._setup.dag.agents)]
        return self.end(ExitCode.DONE, self._why_done(), now)

    def _gather(self, agent: int, message: ThetaShown, now: float) -> list[Effect]:
        if message.round != self._rounds.round:
            raise OrderViolation(
                f"{name(agent)} shows theta of round {message.round}, expected {self._rounds.round}"
            )
        setup = self._setup
        shape = theta_shape(setup.experiment.kind, setup.world, setup.dag, agent)
        if message.theta.shape != shape:
            raise OrderViolation(f"theta of {name(agent)} must have shape {shape}, got {message.theta.shape}")
        self._thetas[agent] = message.theta
        if len(self._thetas) < self._setup.dag.agents:
            return []
        thetas = tuple(theta for _, theta in sorted(self._thetas.items()))
        return [Gathered(thetas), *self.end(ExitCode.DONE, self._why_done(), now)]

    # The end

    def _why_done(self) -> str:
        if not self._rounds.certified:
            return "all rounds are done"
        return f"{self._setup.experiment.goal} is certified"

    def _conclude(self) -> list[Effect]:
        assert self._stop is not None
        self.phase = "ended"
        state = run_state(self._stop.code)
        if self._observer is not None:
            absent = tuple(agent for agent in range(self._setup.dag.agents) if agent not in self._farewells)
            self._observer(events.Concluded(state, self._rounds.round, absent))
        rounds = self._rounds
        word = Conclude(state, self._stop.why, rounds.round, rounds.metrics, rounds.digests)
        return [word, self._stop]

    # Trouble

    def _refuse(self, envelope: Envelope, reason: str, detail: str = "") -> list[Effect]:
        self._links.refused[reason] += 1
        fields = {"kind": type(envelope.message).__name__, "sender": name(envelope.sender), "reason": reason}
        return [Log("warning", "refused", fields | ({"detail": detail} if detail else {}))]

    def _in_range(self, agent: int, message: Message) -> bool:
        """Whether actions name something that exists."""
        if isinstance(message, _ACTIONS):
            return within(message.actions, self._setup.world.actions[agent])
        return True

    def _of_the_team(self, peers: tuple[int, ...]) -> bool:
        """Whether these are processes of the run, each at the most once."""
        agents = self._setup.dag.agents
        return len(set(peers)) == len(peers) and all(COORDINATOR <= peer < agents for peer in peers)

    def _where(self) -> str:
        if self.phase in ("running", "closing"):
            return f"r={self._rounds.round} t={self._rounds.turn}"
        return self.phase

    def _missing(self) -> tuple[list[int], str]:
        """Return who is waited for, and for what."""
        match self.phase:
            case "gathering":
                return self._membership.absent, "the Hello"
            case "edges":
                return self._membership.unconfirmed(), "confirmed edges"
            case "closing":
                agents = range(self._setup.dag.agents)
                return [agent for agent in agents if agent not in self._thetas], "the theta"
            case "ending":
                members = self._membership.members
                return [agent for agent in members if agent not in self._farewells], "the farewell"
            case "ended":
                return [], "nothing"
            case _:
                missing, what = self._rounds.awaited()
                blockers = [
                    agent for agent in missing if not set(self._setup.dag.parents[agent]) & set(missing)
                ]
                return blockers or missing, what

    def _awaited(self, now: float) -> str:
        """Say who is waited for, for what, and when it was last heard."""
        missing, what = self._missing()
        if not missing:
            return "nobody"
        if self.phase in ("gathering", "ending"):
            turned_away = [
                f"{name(agent)} was rejected ({why})" for agent, why in sorted(self._rejected.items())
            ]
            return "; ".join([f"{what} of {names(missing)}", *turned_away])
        whom = described(self._membership.members, missing, now)
        return f"{what} {'from' if self.phase == 'edges' else 'of'} {whom}"


def exact(setup: CoordinatorSetup) -> "tuple[Oracle | None, Ascent | None]":
    """Return what evaluates and signals exactly, where tables will be shown, which takes a model."""
    experiment = setup.experiment
    if setup.world.model is None or (experiment.mode == "sampled" and not experiment.evaluate_every):
        return None, None
    from bnpg_coordinator.oracle import Oracle  # with the solvers, which no other run needs

    oracle = Oracle(setup.world.model, setup.dag, setup.weights, setup.experiment.kind.is_direct)
    return oracle, ascent_of(setup, oracle)


def critic_of(setup: CoordinatorSetup) -> CentralCritic | None:
    """Return the critic, where the experiment has one."""
    if not setup.experiment.has_critic:
        return None
    return CentralCritic(setup.experiment, setup.world.spaces, setup.world.gamma, setup.critics)


def _facts(setup: CoordinatorSetup) -> dict[str, Any]:
    """Return what the trace must know of the run."""
    return {
        "run": setup.run,
        "experiment": setup.digest,
        "agents": setup.dag.agents,
        "edges": [list(edge) for edge in setup.dag.edges],
        "mode": setup.experiment.mode,
        "rounds": setup.experiment.rounds,
        "parts": parts_of(setup.experiment),
        "evaluate_every": setup.experiment.evaluate_every,
        "save_policy": setup.experiment.save_policy,
        "stops_early": setup.experiment.stop_at_epsilon > 0,
        **({"critic": True} if setup.experiment.has_critic else {}),
        **({"relay": True} if setup.relay else {}),
    }
