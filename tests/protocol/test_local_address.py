"""An agent names to its parents an address at which they reach it."""

import socket

import pytest
from bnpg_protocol.process.security.endpoints import advertised
from bnpg_protocol.process.transport.local_address import advertised_host
from bnpg_protocol.wire.errors import InsecureSetup

LOOPBACK = "tcp://127.0.0.1:7000"


@pytest.mark.parametrize(
    ("inbox", "wanted", "host"),
    [
        ("ipc:///tmp/inbox", "auto", ""),
        ("tcp://127.0.0.1:*", "auto", ""),
        ("tcp://10.0.0.7:7001", "auto", ""),
        ("tcp://0.0.0.0:*", "auto", "127.0.0.1"),
        ("tcp://0.0.0.0:*", "hostname", socket.gethostname()),
        ("tcp://0.0.0.0:*", "h1.example.org", "h1.example.org"),
    ],
)
def test_the_host_of_an_inbox(inbox: str, wanted: str, host: str) -> None:
    assert advertised_host(inbox, wanted, LOOPBACK, 0.0) == host


@pytest.mark.parametrize(
    ("bound", "host", "endpoint"),
    [
        ("ipc:///tmp/inbox", "", "ipc:///tmp/inbox"),
        ("tcp://10.0.0.7:7001", "", "tcp://10.0.0.7:7001"),
        ("tcp://0.0.0.0:7001", "h1", "tcp://h1:7001"),
        ("tcp://[::]:7001", "fd00::7", "tcp://[fd00::7]:7001"),
    ],
)
def test_the_endpoint_that_is_named(bound: str, host: str, endpoint: str) -> None:
    assert advertised(bound, host) == endpoint


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments, **_options):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("nowhere")
def test_without_a_way_to_the_coordinator_the_remedy_is_named() -> None:
    with pytest.raises(InsecureSetup, match=r"Network is unreachable.*give --advertise"):
        advertised_host("tcp://0.0.0.0:*", "auto", "tcp://10.1.2.3:7000", 0.0)


@pytest.mark.usefixtures("nowhere")
def test_nobody_waits_for_a_way_when_the_launcher_is_gone() -> None:
    answers = iter([False, True])
    with pytest.raises(InsecureSetup, match="give --advertise"):
        advertised_host("tcp://0.0.0.0:*", "auto", "tcp://10.1.2.3:7000", 1e9, lambda: next(answers))
