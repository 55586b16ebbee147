"""What is read by whom: the network nothing where there are keys; and no peer writes a line of the log."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.log import open_log, write_log
from bnpg_protocol.process.security.credentials import agent_security, coordinator_security
from bnpg_protocol.process.transport.opening import open_transport
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.codec import decode, encode
from bnpg_protocol.wire.effects import Stop
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import Failed, Hello, Message, Reject

from bnpg.__main__ import main
from bnpg.lab.testing.stages import AgentStage, CoordinatorStage
from bnpg.lab.testing.transcript import Stage

PATIENCE = 20.0
SECRET = "digest-of-a-theta-that-nobody-else-may-read"  # noqa: S105 (what a message says)
FORGED = 'x\n12:00:00.000 error   bnpg-coordinator: stopped why="forged"\r\x1b[2J\u2028\x85end'


class Wire:
    """A cable between two processes, at which somebody listens."""

    def __init__(self, port: int) -> None:
        self.read = bytearray()
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._let_in, daemon=True).start()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.read += data
                target.sendall(data)

    def close(self) -> None:
        for end in (self._door, *self._ends):
            end.close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    assert main(["keys", "new", str(tmp_path / "keys"), "--agents", "1"]) == 0
    return tmp_path / "keys"


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    opened: list[Wire] = []
    yield opened
    for wire in opened:
        wire.close()


@pytest.mark.parametrize("secured", [True, False], ids=["with keys", "without"])
def test_who_reads_the_traffic_reads_nothing_where_there_are_keys(
    keys: Path, wires: list[Wire], secured: bool
) -> None:
    """Without them everything is there to be read, which shows that the cable is one."""
    own, key = None, ""
    of_coordinator = None
    if secured:
        of_coordinator = coordinator_security(
            keys / "coordinator.key", keys / "roster.toml", keys / "bindings.toml"
        )
        own, key = agent_security(keys / "agent-0.key", None)
    far = open_transport("coordinator", "tcp://127.0.0.1:*", of_coordinator)
    near = open_transport("agent-0", "tcp://127.0.0.1:*", own)
    wires.append(Wire(int(far.endpoint.rpartition(":")[2])))
    near.connect("there", f"tcp://127.0.0.1:{wires[0].port}", key)
    message = Reject(code="over", expected="", got=SECRET)
    near.send("there", encode(Envelope("r", 1, 0, 1, 1, 1, 0, 1, message)))
    arrived, deadline = [], time.monotonic() + PATIENCE
    while not arrived and time.monotonic() < deadline:
        near.receive(0.0)
        arrived = far.receive(0.01)
    near.close()
    far.close()
    assert decode(arrived[0].frames).message == message
    assert wires[0].read
    assert (SECRET.encode() in wires[0].read) is not secured


def test_what_a_peer_says_of_why_it_ends_is_one_line_of_letters() -> None:
    agent = AgentStage()
    agent.play("given\n")
    coordinator = CoordinatorStage()
    coordinator.play("given\n")
    said: list[tuple[Stage, int, Message]] = [
        (agent, COORDINATOR, Reject("numerics", FORGED, FORGED)),
        (coordinator, 0, Hello((2,), 0, "there", (), "", FORGED)),
        (coordinator, 0, Hello((2,), 0, "there", (), "", "F")),
        (coordinator, 0, Failed(6, FORGED)),
    ]
    ends, rejected = [], {}
    for stage, sender, message in said:
        machine: Any = stage.machine
        arrived = machine.receive(stage._envelope(sender, message, {}), stage.origin(sender, 1), 0.0)
        ends += [effect.why for effect in arrived if isinstance(effect, Stop)]
        if stage is coordinator:
            rejected |= machine.status(0.0)["rejected"]
    assert len(ends) == 2
    assert list(rejected) == ["0"]
    assert all(why.isprintable() and "forged" in why for why in (*ends, *rejected.values()))


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_peer_says_forges_no_line(
    form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log"
    log = open_log("bnpg-test", form, "info", file)
    write_log(log, "warning", "refused", {"reason": FORGED, FORGED[:1]: FORGED})
    for text in (capfd.readouterr().err, file.read_text()):
        (line,) = text.splitlines()
        assert line.isprintable()
    if form == "json":
        assert json.loads(file.read_text())["reason"] == FORGED
