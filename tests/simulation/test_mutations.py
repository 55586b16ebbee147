"""The suite can fail: each way of breaking the protocol is caught, by a schedule or by a timing."""

from collections.abc import Callable

import bnpg_agents.learner
import bnpg_agents.rounds
import bnpg_protocol.wire.codec
import msgspec
import numpy as np
import pytest
from bnpg_agents.held import Held
from bnpg_agents.learner import Learner
from bnpg_agents.round_buffer import RoundBuffer
from bnpg_coordinator.effects import Record
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_coordinator.membership import Membership
from bnpg_coordinator.rounds import Rounds
from bnpg_protocol.process.faults.plan import Delay, Drop, FaultPlan, Kill
from bnpg_protocol.wire.link import PATIENCE, Link, Receipt
from bnpg_protocol.wire.links import Links
from bnpg_protocol.wire.messages import SignalApplied, Welcome

import bnpg.lab.soak.simulate
from bnpg.lab.soak.promise import broken_promise
from bnpg.lab.soak.schedule import Schedule, draw_schedule
from bnpg.lab.soak.simulate import simulate

ENOUGH = 400
"""Schedules within which a mutation must be caught."""

Patch = pytest.MonkeyPatch


def no_deduplication(patch: Patch) -> None:
    """A message that was delivered before is delivered again."""
    receive = Link.receive

    def mutant(self: Link, seq: int, lamport: int, message: object, now: float) -> Receipt:
        if seq < self.expected:
            return Receipt([(seq, lamport, message)])
        return receive(self, seq, lamport, message, now)

    patch.setattr(Link, "receive", mutant)


def no_order(patch: Patch) -> None:
    """A message ahead of a gap is delivered at once."""

    def mutant(self: Link, seq: int, lamport: int, message: object, now: float) -> Receipt:
        self.owed += 1
        self.acknowledge_by = self.acknowledge_by or now
        if seq < self.expected:
            return Receipt(duplicate=True)
        self.expected = seq + 1
        return Receipt([(seq, lamport, message)])

    patch.setattr(Link, "receive", mutant)


def no_retransmission(patch: Patch) -> None:
    """What is overdue is not sent again."""
    patch.setattr(Link, "overdue", lambda self, now: [])
    patch.setattr(
        Link, "next_event", lambda self: self.acknowledge_by if self.acknowledge_by is not None else None
    )


def acknowledging_what_never_came(patch: Patch) -> None:
    """The acknowledgement runs one ahead of what was received."""
    acknowledge = Link.acknowledge
    patch.setattr(Link, "acknowledge", lambda self: acknowledge(self) + 1)


def applying_twice(patch: Patch) -> None:
    """A replayed signal is applied on top of its own effect."""
    apply = Learner._apply

    def mutant(self: Learner, round_: int, m: object, *signal: object) -> object:
        return apply(self, self.latest, m, *signal)

    def apply_again(self: bnpg_agents.rounds.Rounds, message: object) -> object:
        learner, round_ = self._learner, message.round
        if round_ == self._now.round and round_ < learner.latest:
            if hasattr(message, "weights"):
                theta = self._apply_weights(message.weights)
            else:
                theta = learner.apply_flow(message)
            learner._rounds[round_ + 1] = bnpg_agents.learner._tables(theta)
        return original(self, message)

    original = bnpg_agents.rounds.Rounds.apply
    patch.setattr(Learner, "_apply", mutant)
    patch.setattr(bnpg_agents.rounds.Rounds, "apply", apply_again)


def acting_before_a_parent(patch: Patch) -> None:
    """An agent that has the states does not wait for its parents and takes action 0 for theirs."""

    def missing(self: RoundBuffer) -> list[int]:
        return [] if len(self.states) > self.step else [-1]

    def inputs(self: RoundBuffer) -> object:
        states = self.states[self.step]
        zeros = np.zeros(len(states), dtype=np.uint8)
        heard = [said[self.step] if len(said) > self.step else zeros for said in self.heard.values()]
        return states, heard

    def all_steps(self: RoundBuffer) -> object:
        sizes = sum(len(one) for one in self.states)
        joined = [
            np.concatenate(said) if sum(map(len, said)) == sizes else np.zeros(sizes, dtype=np.uint8)
            for said in self.heard.values()
        ]
        return np.concatenate(self.states), joined, np.concatenate(self.chosen)

    patch.setattr(RoundBuffer, "missing", missing)
    patch.setattr(RoundBuffer, "ready", property(lambda self: not missing(self)))
    patch.setattr(RoundBuffer, "inputs", inputs)
    patch.setattr(RoundBuffer, "all_steps", all_steps)


def accepting_an_old_epoch(patch: Patch) -> None:
    """A message of an older epoch counts as one of the present."""
    receive = Links.receive

    def mutant(self: Links, envelope: object, origin: str, now: float) -> object:
        if (envelope.generation, envelope.epoch) < (self.generation, self.epoch):
            envelope = msgspec.structs.replace(envelope, generation=self.generation, epoch=self.epoch, ack=0)
        return receive(self, envelope, origin, now)

    patch.setattr(Links, "receive", mutant)


def replaying_with_the_new_theta(patch: Patch) -> None:
    """A replayed round is acted with the newest theta instead of the round's own."""
    act = Learner.act

    def mutant(self: Learner, round_: int, step: int, states: object, parents: object) -> object:
        self._rounds.setdefault(round_, self._rounds[self.latest])
        kept = self._rounds[round_]
        self._rounds[round_] = self._rounds[self.latest]
        try:
            return act(self, round_, step, states, parents)
        finally:
            self._rounds[round_] = kept

    patch.setattr(Learner, "act", mutant)


def drawing_next_instead_of_by_address(patch: Patch) -> None:
    """Actions come from a generator that runs on, so a replay draws other ones."""
    init = Learner.__init__

    class Next:
        def __init__(self, agent: int) -> None:
            self.generator = np.random.default_rng(agent)

        def take(self, round_: int, time: int, lane: int, count: int) -> object:
            return self.generator.random((1, count))

        def draw(self) -> None:
            """Draw nothing ahead."""

    def mutant(self: Learner, welcome: Welcome, checkpoint: dict[int, Held]) -> None:
        init(self, welcome, checkpoint)
        self._uniforms = Next(welcome.agent)

    patch.setattr(Learner, "__init__", mutant)


def forgetting_the_theta_before(patch: Patch) -> None:
    """An agent keeps its newest theta only."""
    apply = Learner._apply

    def mutant(self: Learner, round_: int, m: object) -> object:
        theta = apply(self, round_, m)
        self._rounds = {round_ + 1: self._rounds[round_ + 1]}
        return theta

    patch.setattr(Learner, "_apply", mutant)


def not_waiting_for_everybody(patch: Patch) -> None:
    """The next round begins when the first agent has applied the signal."""
    every = Rounds._all

    def mutant(self: Rounds, answers: dict[int, object]) -> bool:
        return bool(answers) if answers is self._applied else every(self, answers)

    patch.setattr(Rounds, "_all", mutant)


def joint_actions_in_order_of_arrival(patch: Patch) -> None:
    """The environment takes the actions as they came, not in agent order."""
    original = Rounds._actions

    def mutant(self: Rounds, agent: int, message: object) -> object:
        agents_in_order = self._agents
        if len(self._chosen) == len(agents_in_order) - 1:
            self._agents = [*self._chosen, agent]
        try:
            return original(self, agent, message)
        finally:
            self._agents = agents_in_order

    patch.setattr(Rounds, "_actions", mutant)


def recording_after_the_signal(patch: Patch) -> None:
    """A round's line is written after its signal went out."""
    carry = CoordinatorMachine._carry

    def mutant(self: CoordinatorMachine, outcome: object, now: float) -> object:
        effects = carry(self, outcome, now)
        records = [effect for effect in effects if isinstance(effect, Record)]
        return [effect for effect in effects if not isinstance(effect, Record)] + records

    patch.setattr(CoordinatorMachine, "_carry", mutant)


def going_on_at_the_newest_theta(patch: Patch) -> None:
    """After a crash the run goes on where the most advanced agent is."""
    patch.setattr(Membership, "base", lambda self: max(member.latest for member in self.members.values()))


def believing_flipped_bits(patch: Patch) -> None:
    """The checksum is not looked at."""
    patch.setattr(bnpg_protocol.wire.codec, "crc32", lambda data, value=0: 0)


def starting_before_every_edge_is_confirmed(patch: Patch) -> None:
    """The first confirmation counts for all."""
    confirm = Membership.confirm

    def mutant(self: Membership, agent: int, edges: object) -> bool:
        confirm(self, agent, edges)
        return True

    patch.setattr(Membership, "confirm", mutant)


def counting_an_application_of_another_round(patch: Patch) -> None:
    """Whatever round an application is of, it counts for the present one."""
    receive = Rounds.receive

    def mutant(self: Rounds, agent: int, message: object) -> object:
        if isinstance(message, SignalApplied):
            message = SignalApplied(self.round, message.digest)
        return receive(self, agent, message)

    patch.setattr(Rounds, "receive", mutant)


SMALL = Experiment(game="random(agents=2, states=2, actions=2, branching=2)", rounds=3, lanes=2, horizon=2)

AIMED = (
    # An action of the first epoch arrives in the second.
    FaultPlan(
        delay=(
            Delay(sender="agent-0", to="coordinator", distribution="constant", seconds=3.0, rounds=(1, 1)),
        ),
        kill=(Kill(process="agent-1", phase="states", round=1),),
    ),
    # The coordinator dies when everybody has the signal and before anything else.
    FaultPlan(kill=(Kill(process="coordinator", phase="signalling", round=1, after=2),)),
    # An agent has applied the signal and must replay the round for the other, which has not.
    FaultPlan(kill=(Kill(process="agent-1", phase="signal", round=1),)),
)
"""Plans made for mutations that random ones meet too seldom."""

MUTATIONS: list[Callable[[Patch], None]] = [
    no_deduplication,
    no_order,
    no_retransmission,
    acknowledging_what_never_came,
    applying_twice,
    acting_before_a_parent,
    accepting_an_old_epoch,
    replaying_with_the_new_theta,
    drawing_next_instead_of_by_address,
    forgetting_the_theta_before,
    not_waiting_for_everybody,
    joint_actions_in_order_of_arrival,
    recording_after_the_signal,
    going_on_at_the_newest_theta,
    believing_flipped_bits,
    starting_before_every_edge_is_confirmed,
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_a_broken_protocol_is_caught(mutation: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutation(monkeypatch)
    monkeypatch.setattr(bnpg.lab.soak.simulate, "LONGEST", 50_000)
    aimed = [Schedule(SMALL, plan, order) for plan in AIMED for order in range(4)]
    for schedule in (*aimed, *map(draw_schedule, range(ENOUGH))):
        try:
            if broken_promise(schedule) is not None:
                return
        except Exception:
            return  # not even the fault-free twin survives
    pytest.fail(f"{ENOUGH} schedules did not notice: {mutation.__doc__}")


def test_a_missing_gap_request_is_caught(monkeypatch: Patch) -> None:
    """A loss in mid-stream is repaired at once; without the request it takes the sender's patience."""
    experiment = Experiment(game=SMALL.game, mode="exact", rounds=2)
    # This link carries Hello, EdgesConfirmed, TableShown, SignalApplied, ..: the application is lost.
    lost = FaultPlan(drop=(Drop(sender="agent-0", to="coordinator", positions=(3,)),))
    quick = simulate(experiment, lost)
    receive = Link.receive

    def mutant(self: Link, seq: int, lamport: int, message: object, now: float) -> Receipt:
        receipt = receive(self, seq, lamport, message, now)
        receipt.gap = None
        return receipt

    monkeypatch.setattr(Link, "receive", mutant)
    slow = simulate(experiment, lost)
    assert quick.digest == slow.digest
    assert quick.seconds < PATIENCE <= slow.seconds
