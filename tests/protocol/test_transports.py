"""What every transport does: carry frames both ways, lose rather than block, replace a route."""

import time

import numpy as np
import pytest
from bnpg_protocol.process.transport.memory import MemoryNetwork
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.process.transport.zeromq import ZeroMQTransport
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import SignalBroadcast, Start

DEADLINE = 20.0


def envelope(message, seq=1):
    return Envelope("run", 1, 1, 0, 1, seq, 0, 0, message)


class InMemory:
    """Two nodes on a network in memory."""

    def __init__(self, _folder):
        self.network = MemoryNetwork(1)

    def connect(self, route="there"):
        self.network.connect("near", route, "far")

    def send(self, message, route="there", seq=1):
        return self.network.send("near", route, envelope(message, seq))

    def answer(self, origin, message):
        return self.network.send("far", origin, envelope(message))

    def receive(self):
        delivery = self.network.deliver()
        return None if delivery is None else (delivery.origin, delivery.envelope.message)

    def receive_answer(self):
        return self.receive()

    def close(self):
        pass


class OverSockets:
    """Two processes' sockets in one process."""

    def __init__(self, kind, bind):
        self.far = kind("far", bind)
        self.near = kind("near")
        self._arrived = {"far": [], "near": []}

    def connect(self, route="there"):
        self.near.connect(route, self.far.endpoint)

    def send(self, message, route="there", seq=1):
        return self.near.send(route, encode(envelope(message, seq)))

    def answer(self, origin, message):
        return self.far.send(origin, encode(envelope(message)))

    def receive(self):
        return self._receive("far")

    def receive_answer(self):
        return self._receive("near")

    def _receive(self, end):
        deadline = time.monotonic() + DEADLINE
        while not self._arrived[end]:
            assert time.monotonic() < deadline, "nothing came"
            # Both ends turn: what waits for a connection goes out when its sender turns.
            self._arrived["near"] += self.near.receive(0.0)
            self._arrived["far"] += self.far.receive(0.01)
        arrival = self._arrived[end].pop(0)
        return arrival.origin, decode(arrival.frames).message

    def close(self):
        self.near.close()
        self.far.close()


@pytest.fixture(params=["memory", "ipc", "tcp", "unix"])
def transport(request, scratch):
    match request.param:
        case "memory":
            pair = InMemory(None)
        case "unix":
            pair = OverSockets(UnixTransport, f"unix://{scratch.path}/far.unix")
        case "ipc":
            pair = OverSockets(ZeroMQTransport, f"ipc://{scratch.path}/far.ipc")
        case _:
            pair = OverSockets(ZeroMQTransport, "tcp://127.0.0.1:*")
    yield pair
    pair.close()
    (scratch.path / "far.ipc").unlink(missing_ok=True)


def test_a_message_arrives_and_can_be_answered_where_it_came_from(transport):
    transport.connect()
    transport.send(Start(7))
    origin, message = transport.receive()
    assert message == Start(7)
    transport.answer(origin, Start(8))
    assert transport.receive_answer() == ("there", Start(8))


def test_a_route_that_leads_nowhere_is_said_not_waited_for(transport):
    assert not transport.send(Start(0), route="nowhere")


def test_a_route_that_is_opened_again_replaces_the_old_one(transport):
    transport.connect()
    transport.connect()
    transport.send(Start(1))
    assert transport.receive()[1] == Start(1)


def test_one_link_keeps_its_order(transport):
    transport.connect()
    for round_ in range(50):
        transport.send(Start(round_), seq=round_ + 1)
    arrived = []
    while len(arrived) < 50:
        arrived.append(transport.receive()[1].round)
    assert arrived == list(range(50))


def test_a_large_array_arrives_whole(transport):
    weights = np.random.default_rng(0).normal(size=100_000)
    weights.flags.writeable = False
    transport.connect()
    transport.send(SignalBroadcast(0, weights))
    _, message = transport.receive()
    assert message.weights.tobytes() == weights.tobytes()
    assert not message.weights.flags.writeable


KINDS = pytest.mark.parametrize(("scheme", "kind"), [("ipc", ZeroMQTransport), ("unix", UnixTransport)])


@KINDS
def test_the_file_of_a_socket_goes_with_it(scheme, kind, tmp_path):
    file = tmp_path / "socket"
    first = kind("first", f"{scheme}://{file}")
    assert file.is_socket()
    first.close()
    assert not file.exists()


@KINDS
def test_but_not_the_file_of_a_successor(scheme, kind, tmp_path):
    file = tmp_path / "socket"
    first = kind("first", f"{scheme}://{file}")
    second = kind("second", f"{scheme}://{file}")
    first.close()
    assert file.is_socket()
    second.close()
    assert not file.exists()
