"""The order in which messages arrive never changes what an agent does."""

from functools import cache

import numpy as np
from bnpg_agents.effects import Store
from bnpg_agents.learner import Learner
from bnpg_agents.machine import AgentMachine
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE
from bnpg_agents.setup import AgentSetup
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.effects import Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import (
    Acknowledgement,
    ActionsChosen,
    Beacon,
    EdgeHello,
    EdgeWelcome,
    GapFound,
    Roster,
    SignalBroadcast,
    Start,
    StatesAnnounced,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg.lab.testing.fakes import welcome
from bnpg.lab.testing.in_memory import play

PARENTS, CHILDREN = (0, 1, 3), (4,)
ME, STATES, LANES, STEPS, ROUNDS = 2, 3, 4, 2, 2
WELCOME = welcome(
    ME, states=STATES, actions=3, parents=PARENTS, parent_actions=(2, 3, 2), children=CHILDREN, rounds=ROUNDS
)


def numbers(high, seed):
    return np.random.default_rng(seed).integers(high, size=LANES)


def script():
    """Return what everybody tells agent 2 in a run of two rounds, as (sender, message) in one legal order."""
    said = [(COORDINATOR, Roster(tuple((one, 1) for one in PARENTS), ((4, 1, "there"),)))]
    said += [(parent, EdgeHello()) for parent in PARENTS]
    said += [(child, EdgeWelcome()) for child in CHILDREN]
    said.append((COORDINATOR, Start(0)))
    for round_ in range(ROUNDS):
        for step in range(STEPS):
            states = numbers(STATES, 100 * round_ + step).astype("|u1")
            said.append((COORDINATOR, StatesAnnounced(round_, step, step, 0, states)))
            for parent in PARENTS:
                actions = numbers(2, 1000 * round_ + 10 * step + parent).astype("|u1")
                said.append((parent, ActionsChosen(round_, step, actions)))
        weights = np.random.default_rng(round_).normal(size=LANES * STEPS)
        said.append((COORDINATOR, SignalBroadcast(round_, weights)))
    return said


def envelopes():
    sent = {}
    for sender, message in script():
        sent[sender] = sent.get(sender, 0) + 1
        yield Envelope("run", 1, 1, sender, 1, sent[sender], 0, 0, message)


def phase_of(envelope):
    """Return the part of the run a message belongs to.

    Between the parts there is no choice: the coordinator starts the rounds when all edges are confirmed, and
    it sends the signal when this agent has acted, for which it needs everything of the round. All else is
    free: a parent may be ahead of the coordinator, of other parents and of this agent's Start.
    """
    if isinstance(envelope.message, (Roster, EdgeHello, EdgeWelcome)):
        return 0
    return 1 + 2 * envelope.message.round + isinstance(envelope.message, SignalBroadcast)


LAST = 2 * ROUNDS


def heard(deliveries):
    """Return what an agent says to everybody, link by link, and the thetas it stores."""
    machine = AgentMachine(AgentSetup(ME, 1, "here", "F", {}), 0.0)
    said, stored = {}, {}

    def note(effects):
        for effect in effects:
            if isinstance(effect, Store):
                stored[effect.round] = effect.snapshot.digest
            elif isinstance(effect, Transmit) and not isinstance(
                effect.envelope.message, (Acknowledgement, Beacon, GapFound)
            ):
                message = effect.envelope.message
                fields = [getattr(message, field) for field in message.__struct_fields__]
                text = [one.tolist() if isinstance(one, np.ndarray) else one for one in fields]
                said.setdefault(effect.to, []).append((effect.envelope.seq, type(message).__name__, text))

    note(machine.receive(Envelope("run", 1, 0, COORDINATOR, 1, 0, 0, 0, WELCOME), COORDINATOR_ROUTE, 0.0))
    for envelope in deliveries:
        sender = envelope.sender
        route = COORDINATOR_ROUTE if sender == COORDINATOR else f"child-{sender}" if sender == 4 else "inbox"
        note(machine.receive(envelope, route, 0.0))
    return said, stored


def by_hand():
    """Return theta after two rounds, from the learner alone."""
    learner = Learner(WELCOME, {})
    for round_ in range(ROUNDS):
        states, parents = [], []
        for _, message in script():
            if getattr(message, "round", None) == round_ and isinstance(message, StatesAnnounced):
                states.append(message.states)
                parents.append([])
            elif getattr(message, "round", None) == round_ and isinstance(message, ActionsChosen):
                parents[-1].append(message.actions)
            elif isinstance(message, SignalBroadcast) and message.round == round_:
                own = [learner.act(round_, step, 0, states[step], parents[step]) for step in range(STEPS)]
                learner.apply_weights(
                    round_,
                    np.concatenate(states),
                    [np.concatenate(column) for column in zip(*parents, strict=True)],
                    np.concatenate(own),
                    message.weights,
                )
    return learner.snapshot(ROUNDS).digest


@cache
def expected():
    return heard(envelopes())


def test_the_thetas_are_those_of_the_learner_alone():
    assert expected()[1][ROUNDS] == by_hand()
    assert sorted(expected()[1]) == [0, 1, 2]


@settings(max_examples=200)
@given(st.permutations(list(envelopes())))
def test_any_order_of_arrival_says_the_same_to_everybody_and_stores_the_same(order):
    assert heard(sorted(order, key=phase_of)) == expected()


@settings(max_examples=100)
@given(st.permutations(list(envelopes())), st.data())
def test_duplicates_at_any_later_time_change_nothing(order, data):
    arrivals = [(phase_of(envelope), envelope) for envelope in order]
    for envelope in data.draw(st.lists(st.sampled_from(order), max_size=20)):
        when = data.draw(st.integers(phase_of(envelope), LAST))
        arrivals.insert(data.draw(st.integers(0, len(arrivals))), (when, envelope))
    assert heard(envelope for _, envelope in sorted(arrivals, key=lambda one: one[0])) == expected()


@settings(max_examples=15)
@given(
    order=st.integers(0, 2**32),
    dag=st.sampled_from(["empty", "line", "star", "complete", "2-0,0-1", "3-1,1-0,3-0,2-0"]),
    mode=st.sampled_from(["sampled", "exact"]),
    horizon=st.sampled_from([2, "geometric"]),
)
def test_any_order_of_delivery_in_a_whole_run_gives_the_same_record_and_thetas(order, dag, mode, horizon):
    experiment = Experiment(
        game="random(agents=4, states=3, actions=2)",
        dag=dag,
        mode=mode,
        rounds=3,
        lanes=5,
        horizon=horizon,
        evaluate_every=2,
        initial="normal",
    )
    quiet, shuffled = play(experiment), play(experiment, order)
    assert shuffled.lines == quiet.lines
    assert shuffled.digest == quiet.digest
    assert {stop.code for stop in shuffled.stops.values()} == {0}
