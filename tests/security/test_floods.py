"""Strangers who only connect end nothing: no coordinator, no agent, no page of metrics."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from bnpg_protocol.process import descriptors
from bnpg_protocol.process.transport import unix
from bnpg_protocol.process.transport.zeromq import ZeroMQTransport
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.lab.testing.crowd import Crowd


@pytest.fixture
def crowd() -> Iterator[Callable[..., Crowd]]:
    made: list[Crowd] = []

    def gather(address: str, number: int, says: bytes = b"", *, returns: bool = False) -> Crowd:
        made.append(Crowd(address, number, says, stays=not says, returns=returns))
        return made[-1]

    yield gather
    for one in made:
        one.leave()


def test_a_crowd_of_silent_strangers_ends_no_run_of_few_descriptors(secured, right_digest, crowd) -> None:
    """The case of 256 descriptors: who was there first works on, files are written, the crowd is told of."""
    secured.front = f"tcp://127.0.0.1:{_free_port()}"
    secured.inboxes[1] = f"tcp://127.0.0.1:{_free_port()}"
    secured.descriptors = 256
    secured.under_way()
    crowds = [crowd(one.removeprefix("tcp://"), 1500) for one in (secured.front, secured.inbox(1))]
    secured.until("it is told", lambda: "no room for more connections" in secured.log("coordinator"))
    secured.until("and by the agent", lambda: "no room for more connections" in secured.log("agent-1"))
    os.kill(secured.processes["agent-2"].pid, signal.SIGCONT)
    reached = secured.rounds()
    secured.reach(reached + 5)
    os.kill(secured.processes["agent-2"].pid, signal.SIGSTOP)
    for one in crowds:
        one.leave()
    secured.until("there is room again", lambda: "listening again" in secured.log("coordinator"))
    # Whoever belongs to the run gets in again.
    secured.processes["agent-0"].kill()
    secured.processes["agent-0"].wait()
    secured.start_agent(0)
    assert secured.finish() == right_digest


def test_those_who_come_while_a_crowd_stays_get_in_when_its_handshakes_have_run_out(secured, crowd) -> None:
    secured.front = f"tcp://127.0.0.1:{_free_port()}"
    secured.descriptors = 256
    secured.start(0, 1)
    secured.until("the coordinator listens", lambda: len(secured.status().get("agents", {})) == 2)
    crowd(secured.front.removeprefix("tcp://"), 1500)
    secured.until("it is told", lambda: "no room for more connections" in secured.log("coordinator"))
    secured.start_agent(2)
    secured.reach(1)


def test_a_handshake_may_take_five_seconds() -> None:
    far = ZeroMQTransport("far", "tcp://127.0.0.1:*")
    host, port = far.endpoint.removeprefix("tcp://").split(":")
    try:
        with socket.create_connection((host, int(port)), 25.0) as silent:
            began = time.monotonic()
            while silent.recv(4096):  # its greeting, then the end
                pass
        assert 4.0 < time.monotonic() - began < 25.0
    finally:
        far.close()


def test_a_crowd_that_says_what_makes_no_sense_ends_no_run(secured, right_digest, crowd) -> None:
    secured.front = f"tcp://127.0.0.1:{_free_port()}"
    secured.descriptors = 256
    secured.under_way()
    for says in (b"GET / HTTP/1.0\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03" + bytes(100)):
        crowd(secured.front.removeprefix("tcp://"), 2500, says)
    assert secured.finish() == right_digest


CASE: dict[str, Any] = {
    "game": "coordination(agents=3)",
    "dag": "0-2,1-2",
    "rounds": 150,
    "lanes": 4,
    "horizon": 2,
    "initial": "normal",
}
GREETING = (
    b"\x01\0\0\0" + len(unix.GREETING + b"stranger#1").to_bytes(4, "little") + unix.GREETING + b"stranger#1"
)


@pytest.mark.parametrize(
    ("number", "says"),
    [(1500, b""), (2500, b"GET / HTTP/1.0\r\n\r\n"), (2500, b"\xff" * 64), (600, GREETING)],
    ids=["silent", "of another protocol", "garbage", "greeting"],
)
def test_a_crowd_at_the_unix_sockets_of_coordinator_and_agent_ends_no_run(
    number: int, says: bytes, start_run: Any, play: Any, crowd: Any, scratch: Any
) -> None:
    run = start_run(**CASE, settings={"fsync": False, "transport": "unix"})
    run.until_round(10)
    for name in ("coordinator", "agent-1"):
        process = run.process(name)
        process.rlimit(psutil.RLIMIT_NOFILE, (256, 256))
    (front,) = scratch.path.glob("bnpg-*/coordinator.unix")
    (inbox,) = scratch.path.glob("bnpg-*/agent-1-*.unix")
    waited_for = run.process("agent-2")  # so that the run is not over before the crowd is there
    waited_for.suspend()
    run.until(lambda: run.recorded > 10, "the run went on")
    crowds = [crowd(str(path), number, says) for path in (front, inbox)]
    run.kill("agent-0")  # whoever belongs to the run gets in again
    waited_for.resume()
    assert run.wait() == ExitCode.DONE, run.log
    for one in crowds:
        one.leave()
    expected = play(**CASE)
    assert run.digest == expected.digest
    assert run.lines == expected.lines


def test_a_file_can_be_opened_when_strangers_have_taken_every_descriptor(
    tmp_path: Path, crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks after the transport meanwhile, as during a long evaluation."""
    few = descriptors.in_use() + 100
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    transport = ZeroMQTransport("coordinator", "tcp://127.0.0.1:*")
    try:
        crowd(transport.endpoint.removeprefix("tcp://"), 300, returns=True)
        with pytest.raises(OSError, match="Too many open files"):
            _write_until_none_is_left(tmp_path / "file")
        with descriptors.patiently(lambda: open(tmp_path / "file", "wb")) as file:
            file.write(b"kept")
        assert [one.event for one in transport.notices()] == ["no room for more connections"]
    finally:
        transport.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _write_until_none_is_left(path: Path) -> None:
    while True:
        path.write_bytes(b"")


def test_a_door_that_was_shut_opens_again_for_the_next(crowd) -> None:
    few = descriptors.in_use() + 60
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    far, near = ZeroMQTransport("far", "tcp://127.0.0.1:*"), ZeroMQTransport("near")
    try:
        near.connect("there", far.endpoint)
        # Of many at once most find the queue full, and those inside are sent away before the rest come in.
        silent = crowd(far.endpoint.removeprefix("tcp://"), 200, returns=True)
        while not far.counters()["times_full"]:
            far.receive(0.01)
        silent.leave()
        near.send("there", [b"hello"])
        while not far.receive(0.01):
            near.receive(0.0)
    finally:
        near.close()
        far.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


TELLING = """
import os, sys

class Told:
    def find_spec(self, name, path=None, target=None):
        open_ = [entry.path for entry in os.scandir("/proc/self/fd")]
        own = {os.readlink(path)[8:-1] for path in open_ if os.path.lexists(path)}
        sockets = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
        listens = any(fields[3] == "0A" and fields[9] in own for fields in sockets)
        with open(os.environ["TOLD"], "a") as told:
            told.write(f"{sys.argv[0]} {listens} {name}\\n")

sys.meta_path.insert(0, Told())
"""


@pytest.mark.parametrize("mode", ["exact", "sampled"])
def test_whoever_listens_has_loaded_all_it_needs(tmp_path: Path, mode: str) -> None:
    """A crowd may take every descriptor at once, and an import needs one for each file."""
    (tmp_path / "sitecustomize.py").write_text(TELLING)
    told = tmp_path / "told"
    train = ["train", "coordination(agents=2)", "--mode", mode, "--rounds", "2", "--transport", "tcp"]
    subprocess.run(
        [sys.executable, "-m", "bnpg", *train, "--trace", "--quiet", "--out", str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "TOLD": str(told)}, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    lines = [line.split() for line in told.read_text().splitlines()]
    assert {"bnpg_coordinator", "bnpg_agents"} <= {who for who, *_ in lines}
    assert [line for line in lines if line[1] == "True"] == []
