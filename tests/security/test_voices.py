"""Where there are no keys, a connection still has one voice; and nobody fills a log."""

import numpy as np
import pytest
from bnpg_agents.machine import AgentMachine
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE
from bnpg_agents.setup import AgentSetup
from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.process.security.credentials import Security
from bnpg_protocol.process.throttle import AT_ONCE, PER_SECOND, Throttle
from bnpg_protocol.process.transport.curve import new_key_pair
from bnpg_protocol.process.transport.zeromq import ZeroMQTransport
from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.effects import Log
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import Message, Reject, StatesAnnounced, Summons


def heard(sender: int, origin: str, message: Message) -> AgentMachine:
    machine = AgentMachine(AgentSetup(1, 1, "ipc://inbox", "numerics", {}), 0.0)
    envelope = Envelope("run", 1, 1, sender, 1, 1, 0, 1, message)
    effects = machine.receive(envelope, origin, 1.0)
    assert all(isinstance(effect, Log) for effect in effects), "an impostor must have no effect"
    return machine


@pytest.mark.parametrize(
    "message",
    [StatesAnnounced(0, 0, 0, 0, np.zeros(1, dtype=np.uint8)), Summons(), Reject("full", "nobody", "you")],
)
def test_nobody_at_the_inbox_is_the_coordinator(message: Message) -> None:
    machine = heard(COORDINATOR, "agent-0#nonce", message)
    assert machine.links.refused["speaks for another"] == 1


def test_the_coordinators_connection_speaks_for_the_coordinator_only() -> None:
    machine = heard(0, COORDINATOR_ROUTE, Summons())
    assert machine.links.refused["speaks for another"] == 1


def test_a_log_cannot_be_filled() -> None:
    throttle = Throttle()
    passed = [throttle.passes(second / 1000) for second in range(10_000)]
    written = [left_out for left_out in passed if left_out is not None]
    assert len(written) <= AT_ONCE + 10 * PER_SECOND + 1
    # Nothing is lost silently: each line says how many were left out before it.
    assert sum(written) + len(written) + throttle._left_out == len(passed)


def test_a_child_that_comes_back_is_reached_over_the_connection_of_its_name(scratch) -> None:
    """Of two connections with one identity ZeroMQ keeps one: a route that is opened again is the only one."""
    own, others = new_key_pair(), new_key_pair()
    inbox = ZeroMQTransport("agent-1", f"ipc://{scratch.path}/inbox", Security(others, Admission()))
    parent = ZeroMQTransport("agent-0", None, Security(own, Admission()))

    def answers(rounds: int) -> list[str]:
        heard = []
        for _ in range(rounds):
            for arrival in inbox.receive(0.005):
                inbox.send(arrival.origin, [b"answer"])
            heard += [arrival.origin for arrival in parent.receive(0.005)]
        return heard

    try:
        # The child has no roster yet and refuses; meanwhile its next life is announced at the same place.
        for _life in (1, 2):
            parent.connect("child-1", inbox.endpoint, others.public)
            while not (refusals := parent.trouble.get("child-1")) or not refusals.failures:
                answers(1)
        assert inbox.admission is not None
        inbox.admission.replace({own.public: 0})
        heard: list[str] = []
        for _ in range(400):
            parent.send("child-1", [b"question"])
            heard += answers(2)
            if len(heard) >= 20:
                break
        assert heard[:20] == ["child-1"] * 20
    finally:
        parent.close()
        inbox.close()


def test_an_endpoint_that_a_peer_made_up_is_told_and_leads_nowhere() -> None:
    transport = ZeroMQTransport("test", "tcp://127.0.0.1:*")
    try:
        for endpoint in (
            "",
            "garbage",
            "tcp://",
            "ipc://" + "x" * 500,
            "tcp://192.0.2.1:1",
            "pgm://1;2:3",
            "tcp://a b",
        ):
            transport.connect("child-1", endpoint)
            [notice] = transport.notices()
            assert (notice.level, notice.event) == ("error", "not connected")
            assert not transport.send("child-1", [b"x"])
    finally:
        transport.close()
