"""Receiving, cutting and writing in C, over real sockets: the same as the transport after every event."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import zmq
from bnpg_coordinator.experiment import Experiment
from bnpg_protocol import core
from bnpg_protocol.process.security.quarantine import FULL
from bnpg_protocol.process.transport.unix import UnixTransport

from bnpg.lab.testing.lockstep import Lockstep, Message, Team
from bnpg.lab.testing.over_sockets import NarrowTeam, SocketTeam
from bnpg.lab.testing.over_zeromq import ZeroMQTeam

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")


def experiment(**settings: object) -> Experiment:
    plain = {"game": "coordination(agents=3)", "dag": "line", "rounds": 2, "lanes": 3, "horizon": 8}
    return Experiment(**(plain | {"learning_rate": 0.5, "evaluate_every": 0} | settings))  # type: ignore[arg-type]


@contextmanager
def teams(one: Experiment, kind: type[Team] = SocketTeam, relay: bool = False) -> Iterator[Lockstep]:
    with closing(Lockstep(one, kind, relay)) as both:
        yield both


def by_exchange(both: Lockstep) -> int:
    return sum(loop._exchange is not None for loop in both.compiled.loops.values())


@pytest.mark.parametrize(("kind", "relay"), [(SocketTeam, False), (ZeroMQTeam, False), (ZeroMQTeam, True)])
def test_a_run_over_sockets_is_the_same_and_its_steps_never_come_to_the_transport(kind, relay):
    with teams(experiment(rounds=1, horizon=25), kind, relay) as both:
        assert by_exchange(both) == 4
        both.finish()
        assert both.compiled.handled > 0.8 * 25 * (3 + 2 + 3)
        assert both.compiled.traffic("coordinator")["bytes_sent"] > 0


@pytest.mark.parametrize(
    ("kind", "seed"), [*((SocketTeam, seed) for seed in range(4)), (ZeroMQTeam, 4), (ZeroMQTeam, 5)]
)
def test_garbled_messages_pieces_doubles_and_losses_are_the_same_over_sockets(kind, seed):
    dice, relay = random.Random(seed), seed % 2 == 1
    with teams(experiment(seed=seed), kind, relay) as both:
        for _ in range(150):
            if both.over:
                break
            if not both.pending or dice.random() < 0.05:
                both.look(dice.choice([0.001, 0.06, 0.3]))
                continue
            message = both.take(dice)
            fate = dice.random()
            if fate < 0.05:
                continue
            if fate < 0.1:
                both.arrive(message)
            elif fate < 0.15:
                frame = bytearray(message.frames[0])
                frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
                both.arrive(Message(message.to, message.origin, [bytes(frame)]))
            elif fate < 0.2:
                both.arrive(Message(message.to, message.origin, [*message.frames, b"more"]))
            elif fate < 0.22:
                both.begin_again(dice.randrange(3))
            both.arrive(message)
        both.finish()


def test_who_calls_itself_coordinator_at_an_inbox_does_not_silence_the_coordinator():
    with teams(experiment(), ZeroMQTeam) as both:
        for message in both.coming(60):
            both.arrive(message)
        for team in (both.compiled, both.python):
            loop, wire = team.loops["agent-1"], team._wires["agent-1"]
            assert loop._machine.phase == "running"
            with closing(wire._context.socket(zmq.DEALER)) as stranger:
                stranger.set(zmq.IDENTITY, b"coordinator")
                stranger.connect(wire._at)
                for _ in range(FULL):
                    stranger.send(b"junk")
                wire._coming += FULL * len(b"junk")
                wire.settle(loop, team.now)
            assert loop._machine.links.refused["malformed"] == FULL
            assert not loop._quarantine.holds("coordinator", team.now)
        both.finish()


def test_what_the_kernel_does_not_take_at_once_is_queued_and_goes_out_whole(monkeypatch):
    queued = []
    queue = UnixTransport.queue
    monkeypatch.setattr(UnixTransport, "queue", lambda *rest: (queued.append(rest), queue(*rest)))
    with teams(experiment(rounds=1, lanes=20_000, horizon=3), NarrowTeam) as both:
        both.finish()
        assert both.compiled.handled > 0
    assert queued
