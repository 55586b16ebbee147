"""What every transport does: carry frames both ways, lose rather than block, replace a route."""

import os
import select
import socket
import time
from pathlib import Path
from struct import pack

import numpy as np
import pytest
import zmq
from bnpg_protocol.process.transport.memory import MemoryNetwork
from bnpg_protocol.process.transport.socket_file import SocketFile
from bnpg_protocol.process.transport.stream import GREETING
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.process.transport.zeromq import ZeroMQTransport
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import InsecureSetup
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


class CallsItself:
    """A raw socket that connects to a transport under a name of its choice."""

    def __init__(self, endpoint, name):
        self._context = zmq.Context()
        if endpoint.startswith("unix://"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(endpoint.removeprefix("unix://"))
            self._say(GREETING + name)
        else:
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.set(zmq.IDENTITY, name)
            self._socket.connect(endpoint)

    def say(self, frame):
        if isinstance(self._socket, zmq.Socket):
            self._socket.send(frame)
        else:
            self._say(frame)

    def _say(self, frame):
        self._socket.sendall(pack("<II", 1, len(frame)) + frame)

    def hears(self):
        if isinstance(self._socket, zmq.Socket):
            return self._socket.poll(0) and self._socket.recv()
        return bool(select.select([self._socket], [], [], 0)[0]) and self._socket.recv(100)[8:]

    def close(self):
        self._socket.close()
        self._context.destroy(linger=0)


SOCKETS = pytest.mark.parametrize(
    ("scheme", "kind"), [("ipc", ZeroMQTransport), ("tcp", ZeroMQTransport), ("unix", UnixTransport)]
)


def turning(transports, until):
    """Let transports turn until something is so; return what came, in their order."""
    came = [[] for _ in transports]
    deadline = time.monotonic() + DEADLINE
    while not until(came):
        assert time.monotonic() < deadline, came
        for arrivals, transport in zip(came, transports, strict=True):
            arrivals += [(arrival.origin, bytes(arrival.frames[0])) for arrival in transport.receive(0.01)]
    return came


def bound(kind, scheme, name, folder):
    return kind(name, "tcp://127.0.0.1:*" if scheme == "tcp" else f"{scheme}://{folder}/{name}")


@SOCKETS
@pytest.mark.parametrize("early", [False, True])
def test_whoever_calls_in_is_never_at_the_end_of_a_route_of_our_own(scheme, kind, early, scratch):
    near, far = (bound(kind, scheme, name, scratch.path) for name in ("near", "far"))
    if not early:
        near.connect("coordinator", far.endpoint)
    stranger = CallsItself(near.endpoint, b"coordinator")
    try:
        stranger.say(b"junk")
        [[(origin, _)], _] = turning([near, far], lambda came: came[0])
        assert origin != "coordinator"
        if early:
            near.connect("coordinator", far.endpoint)
        near.send("coordinator", [b"for the coordinator"])
        [_, [(ours, said)]] = turning([near, far], lambda came: came[1])
        assert said == b"for the coordinator"
        far.send(ours, [b"from the coordinator"])
        assert turning([near, far], lambda came: came[0])[0] == [("coordinator", b"from the coordinator")]
        assert near.send(origin, [b"for you"])
        heard = []
        turning([near, far], lambda _: heard.append(stranger.hears()) or any(heard))
        assert [bytes(one) for one in heard if one] == [b"for you"]
    finally:
        stranger.close()
        near.close()
        far.close()


@SOCKETS
def test_what_is_for_a_route_that_leads_nowhere_goes_to_nobody_who_calls_itself_so(scheme, kind, scratch):
    near = bound(kind, scheme, "near", scratch.path)
    stranger = CallsItself(near.endpoint, b"child-1")
    try:
        stranger.say(b"here I am")
        turning([near], lambda came: came[0])
        assert not near.send("child-1", [b"for the child"])
    finally:
        stranger.close()
        near.close()


@SOCKETS
def test_every_route_has_a_name_that_nobody_at_another_one_knows_and_keeps_it(scheme, kind, scratch):
    near = kind("near")
    ends = [bound(kind, scheme, name, scratch.path) for name in ("front", "child")]

    def name_at(which):
        near.send(names[which], [b"hello"])
        return turning([near, *ends], lambda came: came[1 + which])[1 + which][0][0]

    names = ("coordinator", "child-1")
    try:
        for name, end in zip(names, ends, strict=True):
            near.connect(name, end.endpoint)
        first = [name_at(which) for which in (0, 1)]
        assert first[0] != first[1], "a child that knows it could take what is for its parent"
        assert all(name.startswith("near#") for name in first)
        assert all(len(bytes.fromhex(name.removeprefix("near#").rstrip("#"))) == 12 for name in first)
        near.connect(names[0], ends[0].endpoint)
        assert name_at(0) == first[0], "the coordinator knows a member by it"
    finally:
        for transport in (near, *ends):
            transport.close()


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
    file.unlink()
    second = kind("second", f"{scheme}://{file}")
    first.close()
    assert file.is_socket()
    second.close()
    assert not file.exists()


def of_one_that_is_gone(path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path


@KINDS
def test_the_socket_that_a_process_has_left_is_taken(scheme, kind, tmp_path):
    file = of_one_that_is_gone(tmp_path / "socket")
    of_one_that_is_gone(tmp_path / f"socket.{os.getpid()}")
    process = kind("process", f"{scheme}://{file}")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(file))
    process.close()


def text(path):
    path.write_text("somebody's")


def link_to_a_socket(path):
    path.symlink_to(of_one_that_is_gone(path.with_name("elsewhere")))


@KINDS
@pytest.mark.parametrize("put", [text, os.mkfifo, link_to_a_socket, Path.mkdir])
def test_what_is_no_socket_stays_where_one_is_to_be(scheme, kind, put, tmp_path):
    file = tmp_path / "precious"
    put(file)
    before = os.lstat(file)
    with pytest.raises(InsecureSetup, match=r"precious: .*/precious is there and is no socket"):
        kind("process", f"{scheme}://{file}")
    assert os.path.samestat(os.lstat(file), before)


def test_what_has_the_name_that_a_socket_has_for_a_moment_stays(tmp_path):
    for_a_moment = tmp_path / f"socket.{os.getpid()}"
    text(for_a_moment)
    with pytest.raises(InsecureSetup, match="is there and is no socket"):
        UnixTransport("process", f"unix://{tmp_path}/socket")
    assert for_a_moment.read_text() == "somebody's"


@KINDS
@pytest.mark.parametrize("queue", [16, 0])
def test_the_socket_of_one_that_listens_is_not_taken(scheme, kind, queue, tmp_path):
    file = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(file))
        listener.listen(queue)
        waiting.connect(str(file))  # with no room for another that waits
        before = os.lstat(file)
        with pytest.raises(InsecureSetup, match=r"cannot listen on .*: somebody listens there"):
            kind("process", f"{scheme}://{file}")
        assert os.path.samestat(os.lstat(file), before)


def test_a_file_with_the_name_of_a_socket_that_is_moved_aside_stays(tmp_path):
    path, aside = tmp_path / "socket", tmp_path / "socket~"
    text(aside)
    file = SocketFile(f"ipc://{of_one_that_is_gone(path)}")
    file.hide()
    assert path.is_socket(), "it cannot be moved there"
    path.unlink()
    file.show()
    assert not path.exists()
    file.remove()
    assert aside.read_text() == "somebody's"


def test_a_socket_is_moved_aside_and_back_and_removed_from_either_place(tmp_path):
    path, aside = tmp_path / "socket", tmp_path / "socket~"
    of_one_that_is_gone(aside)
    file = SocketFile(f"ipc://{of_one_that_is_gone(path)}")
    file.hide()
    assert (path.exists(), aside.is_socket()) == (False, True)
    file.show()
    assert (path.is_socket(), aside.exists()) == (True, False)
    file.hide()
    file.remove()
    assert not any(tmp_path.iterdir())


def test_sockets_of_zeromq_are_set_up_as_the_protocol_says(scratch):
    far = ZeroMQTransport("far", f"ipc://{scratch.path}/far", largest=1 << 26)
    near = ZeroMQTransport("near")
    near.connect("there", far.endpoint)
    front, dealer = far._front, near._dealers["there"]
    away = near._socket(zmq.DEALER, "tcp://192.0.2.1:9")  # not connected: traffic of tests stays here
    every = (front, dealer, away)
    try:
        assert {one.get(which) for one in every for which in (zmq.SNDHWM, zmq.RCVHWM)} == {4096}
        assert [one.get(zmq.HANDSHAKE_IVL) for one in every] == [5000, 30000, 30000]
        assert [one.get(zmq.LINGER) for one in every] == [1000, 1000, 1000]
        assert dealer.get(zmq.IMMEDIATE) == 1
        assert [one.get(zmq.MAXMSGSIZE) for one in (front, dealer)] == [1 << 26, 1 << 30]
        heartbeats = [(one.get(zmq.HEARTBEAT_IVL), one.get(zmq.HEARTBEAT_TIMEOUT)) for one in every]
        assert heartbeats[2] == (2000, 6000)
        assert [interval for interval, _ in heartbeats[:2]] == [0, 0]
    finally:
        away.close(linger=0)
        near.close()
        far.close()
