"""Which endpoints leave this machine: there, and only there, keys are mandatory."""

import ipaddress
import re
from urllib.parse import urlsplit

from bnpg_protocol.wire.errors import InsecureSetup


def leaves_machine(endpoint: str) -> bool:
    """Whether others than this machine can reach an endpoint.

    Examples
    --------
    >>> leaves_machine("tcp://127.0.0.1:*"), leaves_machine("ipc:///tmp/a"), leaves_machine("tcp://0.0.0.0:7000")
    (False, False, True)
    """
    if not endpoint.startswith("tcp://"):
        return False
    host = host_of(endpoint)
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def host_of(endpoint: str) -> str:
    """Return the host of a tcp endpoint, without the brackets of IPv6."""
    rest = endpoint.removeprefix("tcp://")
    return rest.rsplit(":", 1)[0].strip("[]").split("%")[0]


def host_and_port(listen: str, option: str) -> tuple[str, int]:
    """Return host and port of a page that is to be served.

    Raises
    ------
    InsecureSetup
        If it is not HOST:PORT with an address or `localhost` as host.

    Examples
    --------
    >>> host_and_port("[::1]:8000", "--listen")
    ('::1', 8000)
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        port = ""
    number = _port(port)
    if number is None:
        raise InsecureSetup(f"{option} must be HOST:PORT with an address as host, got {listen[:200]!r}")
    return host, number


def _port(text: str) -> int | None:
    """Return the number of a port, or None if it is none."""
    number = int(text) if re.fullmatch("[0-9]{1,5}", text) else -1
    return number if 0 <= number < 65536 else None


def check_endpoint(endpoint: str, option: str) -> None:
    """Refuse what is no endpoint.

    Raises
    ------
    InsecureSetup
        If it is neither `tcp://HOST:PORT` nor `ipc://PATH` nor `unix://PATH`, or PATH begins with `@`: an
        abstract name, which has no file and keeps no other user out.
    """
    scheme, _, path = endpoint.partition("://")
    if scheme in ("ipc", "unix") and path and not path.startswith("@"):
        return
    host, port = (
        (host_of(endpoint), endpoint.rsplit(":", 1)[-1]) if endpoint.startswith("tcp://") else ("", "")
    )
    if host and (port == "*" or _port(port) is not None):
        return
    got = repr(endpoint[:200])
    raise InsecureSetup(f"{option} must be tcp://HOST:PORT, ipc://PATH or unix://PATH, got {got}")


def require_key(endpoint: str, option: str, secured: bool) -> None:
    """Refuse to speak in the open off this machine.

    Raises
    ------
    InsecureSetup
        If the endpoint leaves the machine and there is no key.
    """
    check_endpoint(endpoint, option)
    if leaves_machine(endpoint) and not secured:
        raise InsecureSetup(
            f"{option} {endpoint} can be reached from other machines, which needs a key: "
            "make keys with `bnpg keys new` and give --key"
        )


def advertised(bound: str, host: str) -> str:
    """Return a bound endpoint as others reach it: its own port at `host`.

    Examples
    --------
    >>> advertised("tcp://0.0.0.0:7001", "10.0.0.7")
    'tcp://10.0.0.7:7001'
    """
    if not bound.startswith("tcp://") or not host:
        return bound
    port = urlsplit(bound).port
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
