"""The Unix transport alone: how a stream is cut, what is bounded, and who is let in."""

import gc
import os
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bnpg_protocol.process.transport import stream, unix
from bnpg_protocol.process.transport.stream import GREETING, READ, BrokenStream, NoMessages, StreamConnection
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.wire.errors import InsecureSetup
from hypothesis import given
from hypothesis import strategies as st

DEADLINE = 20.0
BUFFER = memoryview(bytearray(READ))


def pair(largest: int = 1 << 20) -> tuple[StreamConnection, StreamConnection]:
    """Return two ends of one connection."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    near, far = (StreamConnection(end, largest) for end in ends)
    return near, far


def plain(messages: list[list[stream.Frame]]) -> list[list[bytes]]:
    return [[bytes(frame) for frame in message] for message in messages]


def raw(*frames: bytes) -> bytes:
    words = [len(frames), *map(len, frames)]
    return b"".join(word.to_bytes(4, "little") for word in words) + b"".join(frames)


SIZES = st.one_of(st.integers(0, 40), st.sampled_from([stream.LONG - 1, stream.LONG, stream.LONG + 9]))
MESSAGES = st.lists(st.lists(SIZES, min_size=1, max_size=stream.MOST_FRAMES), max_size=6)


@given(MESSAGES, st.lists(st.integers(1, 70_000), min_size=1, max_size=8))
def test_however_a_stream_is_cut_the_same_messages_come_out(sizes, cuts):
    generator = np.random.default_rng(len(sizes))
    sent = [[generator.bytes(size) for size in frames] for frames in sizes]
    data = b"".join(raw(*frames) for frames in sent)
    left, right = socket.socketpair()
    with left:
        left.setblocking(False)
        right.setblocking(False)
        far = StreamConnection(right, 1 << 20)
        arrived: list[list[stream.Frame]] = []
        position = turn = 0
        while position < len(data):
            cut = cuts[turn % len(cuts)] if turn < 200 else len(data)
            with suppress(BlockingIOError):
                position += left.send(data[position : position + cut])
            turn += 1
            arrived += far.receive(BUFFER)
        while len(arrived) < len(sent):
            before = len(arrived)
            arrived += far.receive(BUFFER)
            assert len(arrived) > before or far._into is not None
        assert plain(arrived) == sent
        far.close()


class CountedSocket:
    """A socket that counts what is written to it."""

    def __init__(self, wrapped: socket.socket) -> None:
        self.wrapped = wrapped
        self.writes = 0

    def send(self, piece: stream.Frame) -> int:
        self.writes += 1
        return self.wrapped.send(piece)

    def sendmsg(self, pieces: list[stream.Frame]) -> int:
        self.writes += 1
        return self.wrapped.sendmsg(pieces)

    def close(self) -> None:
        self.wrapped.close()


def test_messages_that_follow_each_other_at_once_are_one_write():
    near, far = pair()
    counted = CountedSocket(near.socket)
    near.socket = counted
    sent = [[b"applied"], [b"head", b"table"], [b"next"]]
    for number, frames in enumerate(sent):
        assert near.send(list(frames), more=number < 2)
        assert counted.writes == (number == 2)
    assert plain(far.receive(BUFFER)) == sent
    near.close()
    far.close()


def test_what_is_written_together_is_bounded():
    near, far = pair()
    counted = CountedSocket(near.socket)
    near.socket = counted
    for number in range(stream.TOGETHER + 1):
        assert near.send([b"%d" % number], more=True)
    assert counted.writes == 1
    assert len(far.receive(BUFFER)) == stream.TOGETHER + 1
    near.close()
    far.close()


@given(MESSAGES)
def test_what_the_kernel_does_not_take_at_once_is_queued_in_order(sizes):
    near, far = pair()
    near.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sent = [[bytes([number]) * size for size in frames] for number, frames in enumerate(sizes)]
    for number, frames in enumerate(sent):
        assert near.send(list(frames), more=number % 3 != 0 and number + 1 < len(sent))
    arrived: list[list[stream.Frame]] = []
    deadline = time.monotonic() + DEADLINE
    while len(arrived) < len(sent) and time.monotonic() < deadline:
        near.flush()
        arrived += far.receive(BUFFER)
    assert plain(arrived) == sent
    assert not near.waiting
    assert near._queued == 0
    assert not near._ends
    near.close()
    far.close()


def test_a_long_frame_wakes_both_ends_as_seldom_as_the_kernel_lets_it():
    near, far = pair(largest=1 << 24)
    most = int(Path("/proc/sys/net/core/wmem_max").read_text())
    granted = near.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert granted == 2 * min(stream.ON_THE_WAY, most)
    frame = np.zeros(8 << 20, dtype=np.uint8)
    assert near.send([b"header", frame.data])
    arrived: list[list[stream.Frame]] = []
    wakings = 0
    while not arrived:
        while received := far.receive(BUFFER):
            arrived += received
        near.flush()
        wakings += 1
        assert wakings <= 4 + 4 * len(frame) // granted
    near.close()
    far.close()


def test_long_frames_lie_where_every_number_may_lie():
    near, far = pair()
    array = np.arange(50_000.0)
    near.send([b"header", array.view(np.uint8).data])
    arrived: list[list[stream.Frame]] = []
    while not arrived:
        near.flush()
        arrived += far.receive(BUFFER)
    received = np.frombuffer(arrived[0][1])
    assert received.ctypes.data % 8 == 0
    assert np.array_equal(received, array)
    near.close()
    far.close()


def test_a_full_queue_is_said_and_bounded(monkeypatch):
    monkeypatch.setattr(stream, "HIGH_WATER", 10)
    near, far = pair()
    taken = 0
    while near.send([bytes(10_000)]):
        taken += 1
    assert len(near._ends) == 10
    assert near._queued <= 10 * 10_008
    arrived = 0
    while arrived < taken:
        near.flush()
        arrived += len(far.receive(BUFFER))
    assert near.send([b"again"])
    near.close()
    far.close()


def test_a_queue_is_bounded_in_bytes_too(monkeypatch):
    monkeypatch.setattr(stream, "QUEUED_BYTES", 100_000)
    near, far = pair()
    near.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    taken = 0
    while near.send([bytes(30_000)]):
        taken += 1
        assert taken < 1000
    assert near._queued <= 100_000
    assert near.send([b"small"]), "what still has room is queued"
    arrived = 0
    while arrived < taken + 1:
        near.flush()
        arrived += len(far.receive(BUFFER))
    near.close()
    far.close()


def test_sixteen_frames_are_a_message():
    near, far = pair()
    near.socket.send(raw(*[b"x"] * 16))
    assert plain(far.receive(BUFFER)) == [[b"x"] * 16]
    near.close()
    far.close()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (raw(bytes(2000)), "a frame may have 1000 bytes, got 2000"),
        ((0).to_bytes(4, "little") + bytes(8), "1 to 16 frames, got 0"),
        (raw(*[b""] * 17), "1 to 16 frames, got 17"),
        (b"GET / HTTP/1.1\r\n\r\n", "frames, got"),
        ((1).to_bytes(4, "little") + b"\xff" * 8, "a frame may have 1000 bytes"),
    ],
)
def test_what_is_no_message_ends_its_connection_before_it_costs_memory(data, why):
    near, far = pair(largest=1000)
    near.socket.send(data)
    with pytest.raises(NoMessages, match=why):
        far.receive(BUFFER)
    near.close()
    far.close()


def test_an_end_is_noticed_in_the_middle_of_a_frame():
    near, far = pair()
    near.socket.send(raw(bytes(100_000))[:60_000])
    assert far.receive(BUFFER) == []
    near.close()
    with pytest.raises(BrokenStream, match="closed"):
        far.receive(BUFFER)
    far.close()


class Listening:
    """A transport that listens, and raw sockets that knock."""

    def __init__(self, path):
        self.path = path / "front"
        self.transport = UnixTransport("front", f"unix://{self.path}", largest=1000)
        self.others = []

    def knock(self, data=b""):
        sock = socket.socket(socket.AF_UNIX)
        self.others.append(sock)
        sock.connect(str(self.path))
        if data:
            sock.sendall(data)
        return sock

    def until(self, condition):
        arrivals = []
        deadline = time.monotonic() + DEADLINE
        while not condition(arrivals):
            assert time.monotonic() < deadline
            arrivals += self.transport.receive(0.05)
        return arrivals

    def close(self):
        for sock in self.others:
            sock.close()
        self.transport.close()


@pytest.fixture
def listening(tmp_path):
    front = Listening(tmp_path)
    yield front
    front.close()


FRIEND = raw(GREETING + b"agent-0#1") + raw(b"hello")


def test_who_greets_is_heard_under_its_name_and_can_be_answered(listening):
    friend = listening.knock(FRIEND)
    [arrival] = listening.until(bool)
    assert (arrival.origin, plain([arrival.frames])) == ("agent-0#1#", [[b"hello"]])
    assert listening.transport.send("agent-0#1#", [b"yes"])
    assert friend.recv(100) == raw(b"yes")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (raw(b"who"), "no greeting"),
        (raw(GREETING), "no greeting"),
        (raw(GREETING + bytes(300)), "no greeting"),
        (b"\x00" * 100, "no greeting"),
        (raw(GREETING + b"x", b"y"), "no greeting"),
    ],
)
def test_who_does_not_greet_is_turned_away(listening, said, why):
    listening.knock(said)
    listening.until(lambda _: listening.transport.refused[why])
    friend = listening.knock(FRIEND)
    listening.until(bool)
    assert friend.fileno() in [sock.fileno() for sock in listening.others]


def test_who_greeted_and_then_garbles_is_cut_off(listening):
    listening.knock(FRIEND + bytes(100))
    listening.until(lambda _: listening.transport.refused["no messages"])
    [notice] = listening.transport.notices()
    assert notice.event == "connection ended"
    assert notice.fields["from"] == "'agent-0'"


def test_silent_strangers_make_room_for_each_other_and_for_friends(listening, monkeypatch):
    monkeypatch.setattr(unix, "STRANGERS", 16)
    monkeypatch.setattr(unix, "GREET_WITHIN", 1e6)
    for _ in range(100):
        listening.knock()
        listening.transport.receive(0.0)
    assert len(listening.transport._strangers) == 16
    assert listening.transport.refused["too many that say nothing"] == 84
    listening.knock(FRIEND)
    listening.until(bool)


def test_who_says_nothing_is_turned_away_in_time(listening, monkeypatch):
    monkeypatch.setattr(unix, "GREET_WITHIN", 0.01)
    listening.knock()
    listening.until(lambda _: listening.transport.refused["said nothing"])
    assert not listening.transport._strangers


def test_a_process_of_another_user_is_not_let_in(listening, monkeypatch):
    monkeypatch.setattr(unix, "_owner", lambda _: 4711)
    listening.knock(FRIEND)
    listening.until(lambda _: listening.transport.refused["another user"])
    monkeypatch.undo()
    listening.knock(FRIEND)
    listening.until(bool)


def test_a_process_of_root_is_let_in_by_whomever(listening, monkeypatch):
    monkeypatch.setattr(unix, "_owner", lambda _: 0)
    monkeypatch.setattr(unix.os, "geteuid", lambda: 4711)
    listening.knock(FRIEND)
    listening.until(bool)


def test_the_kernel_says_who_connects():
    near, far = socket.socketpair()
    with near, far:
        assert unix._owner(near) == os.geteuid()


def test_without_file_descriptors_it_waits_until_there_are_some(listening):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    knocking = [listening.knock(FRIEND.replace(b"#1", b"#%d" % number)) for number in range(4)]
    gc.collect()  # what earlier tests left open is closed before, and not in between
    gc.disable()
    highest = max(map(int, os.listdir("/proc/self/fd")))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        occupied = []
        try:
            while True:
                occupied.append(os.dup(0))
        except OSError:
            pass
        listening.until(lambda _: listening.transport.refused["no file descriptor left"])
    finally:
        gc.enable()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in occupied:
            os.close(fd)
    listening.until(lambda arrivals: len(arrivals) == len(knocking))


def test_those_who_greet_and_stay_leave_descriptors_for_files(listening, monkeypatch):
    for number in range(60):
        listening.knock(raw(GREETING + b"agent-0#%d" % number) + raw(b"hello"))
    lowest = os.dup(0)
    os.close(lowest)
    most = lowest + 48
    monkeypatch.setattr(unix.descriptors, "limit", lambda: most)
    listening.until(lambda _: listening.transport.refused["no room"])
    listening.transport.receive(0.0)
    assert listening.transport._streams
    assert max(listening.transport._streams) < most - min(unix.descriptors.RESERVE, most // 4)
    told = [notice.event for notice in listening.transport.notices()]
    assert told.count("no room for more connections") == 1


def test_a_route_finds_whoever_binds_later_and_whoever_binds_again(tmp_path):
    near = UnixTransport("near")
    near.connect("there", f"unix://{tmp_path}/far")
    assert near.send("there", [b"first"])
    for number in range(2):
        # The file of a process that was killed is in nobody's way.
        far = UnixTransport("far", f"unix://{tmp_path}/far")
        arrived: list[bytes] = []
        deadline = time.monotonic() + DEADLINE
        while f"again {number}".encode() not in arrived:
            assert time.monotonic() < deadline
            near.send("there", [f"again {number}".encode()])
            near.receive(0.01)
            arrived += [bytes(arrival.frames[0]) for arrival in far.receive(0.01)]
        assert (b"first" in arrived) == (number == 0)
        for connection in (far._listener, *far._streams.values()):
            connection.close()
        far._streams.clear()
    near.close()


def test_what_waits_for_a_connection_is_bounded(tmp_path):
    near = UnixTransport("near")
    near.connect("there", f"unix://{tmp_path}/nobody")
    assert [near.send("there", [b"x"]) for _ in range(unix.STASH + 1)] == [True] * unix.STASH + [False]
    assert near.lost == 1
    near.close()


def test_a_bad_endpoint_of_a_peer_is_told_and_leads_nowhere(tmp_path):
    near = UnixTransport("near")
    for endpoint in ("tcp://127.0.0.1:1", "unix://" + "x" * 200):
        near.connect("there", endpoint)
        assert not near.send("there", [b"x"])
        [notice] = near.notices()
        assert (notice.level, notice.event) == ("error", "not connected")
    near.close()


def test_a_place_that_cannot_be_bound_is_refused_with_the_reason(tmp_path):
    with pytest.raises(InsecureSetup, match=r"cannot listen on unix:.*No such file"):
        UnixTransport("front", f"unix://{tmp_path}/nowhere/front")
    assert list(tmp_path.iterdir()) == []
