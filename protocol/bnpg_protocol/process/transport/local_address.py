"""Under which address the other hosts of a run reach this one."""

import socket
import time
from collections.abc import Callable

from bnpg_protocol.process.security.endpoints import host_of, leaves_machine
from bnpg_protocol.wire.errors import InsecureSetup

WILDCARDS = frozenset({"*", "0.0.0.0", "::", ""})  # noqa: S104
ELSEWHERE = "tcp://192.0.2.1:9"
"""An address of no network (RFC 5737), to which nothing is ever sent."""
LOOK_AGAIN = 0.2
"""Seconds between two attempts to resolve a name that is not known yet."""


def _never() -> bool:
    return False


def advertised_host(
    inbox: str, wanted: str, coordinator: str, patience: float, given_up: Callable[[], bool] = _never
) -> str:
    """Return the host to name to others; the empty text if the inbox's own address will do.

    Parameters
    ----------
    inbox : str
        Endpoint that is bound.
    wanted : str
        `auto` is the address this host has towards the coordinator, `hostname` its name (the right choice in
        containers, whose address may change), everything else is taken as it is.
    coordinator : str
        Endpoint of the coordinator.
    patience : float
        Seconds for the coordinator's name to become known.
    given_up : callable, optional
        Whether nobody is interested any more.

    Raises
    ------
    InsecureSetup
        If there is no such address.
    """
    if not inbox.startswith("tcp://"):
        return ""
    if wanted == "hostname":
        return socket.gethostname()
    if wanted != "auto":
        return wanted
    if host_of(inbox) not in WILDCARDS:
        return ""
    if not leaves_machine(coordinator):
        return "127.0.0.1"
    return _address_towards(coordinator, patience, given_up)


def coordinator_host(bound: str, wanted: str) -> str:
    """Return the host under which a coordinator is named to others; the empty text if what is bound will do.

    Parameters
    ----------
    bound : str
        Endpoint that is bound.
    wanted : str
        `auto` is the address of the route to other networks if all addresses are bound; the others are
        those of `advertised_host`.

    Examples
    --------
    >>> coordinator_host("tcp://127.0.0.1:7000", "auto"), coordinator_host("tcp://0.0.0.0:7000", "10.0.0.7")
    ('', '10.0.0.7')
    """
    if not bound.startswith("tcp://"):
        return ""
    if wanted == "hostname":
        return socket.gethostname()
    if wanted != "auto":
        return wanted
    if host_of(bound) not in WILDCARDS:
        return ""
    try:
        return _address_towards(ELSEWHERE, 0.0)
    except InsecureSetup:
        return socket.gethostname()  # a host without a route to elsewhere


def _address_towards(endpoint: str, patience: float, given_up: Callable[[], bool] = _never) -> str:
    """Ask the kernel from which address it would speak to a host. Connecting a UDP socket sends nothing."""
    host, port = host_of(endpoint), int(endpoint.rsplit(":", 1)[1])
    deadline = time.monotonic() + patience
    while True:
        try:
            family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError as error:
            if time.monotonic() >= deadline or given_up():
                raise InsecureSetup(
                    f"no address of this host towards {endpoint} ({error.strerror}): give --advertise"
                ) from None
            time.sleep(LOOK_AGAIN)
