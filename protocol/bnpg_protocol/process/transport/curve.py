"""CURVE on ZeroMQ sockets: key pairs, who is let in, and the handshakes of routes of our own.

ZeroMQ asks whether a key may connect by ZAP (RFC 27), over an inproc socket that is served here, in the poll
loop of the transport. What became of a handshake only the socket monitors tell: without them a failed one is
repeated silently for ever.
"""

import struct
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import zmq
from msgspec import Struct
from zmq.utils import z85

from bnpg_protocol.process.security.credentials import Security
from bnpg_protocol.process.security.keys import KeyPair, short
from bnpg_protocol.wire.errors import InsecureSetup

HOPELESS = 8
"""Handshakes that must have failed in a row before a route is given up."""
HOPELESS_AFTER = 10.0
"""Seconds they must have gone on failing."""
REMIND_EVERY = 5.0
"""Seconds between two notices about the same trouble."""
REMEMBERED = 64
"""Strangers whose last notice is remembered."""
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"bnpg"

HANDSHAKE_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
"""The other side has said that our key is not allowed."""
HANDSHAKE_DONE = zmq.EVENT_HANDSHAKE_SUCCEEDED
_HANDSHAKES = (
    HANDSHAKE_DONE
    | HANDSHAKE_REFUSED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)

Socket = zmq.Socket[bytes]
Tell = Callable[[str, str, dict[str, Any]], None]


class Trouble(Struct):
    """Handshakes of one route that failed since the last one that succeeded."""

    since: float
    at: float
    """When the last of them failed."""
    reason: str
    failures: int = 0
    told_at: float = 0.0

    def hopeless(self) -> bool:
        """Whether there is no point in going on: it failed often and long, and never well in between."""
        return self.failures >= HOPELESS and time.monotonic() - self.since >= HOPELESS_AFTER


class Doorkeeper:
    """The keys of one process at its sockets.

    Parameters
    ----------
    context : zmq.Context
        Of all sockets of the process.
    security : Security
        Its own key, and those it lets in.
    tell
        Called with level, event and fields when somebody is turned away.

    Raises
    ------
    InsecureSetup
        If the two halves of its own key do not belong together.
    """

    def __init__(self, context: "zmq.Context[Socket]", security: Security, tell: Tell) -> None:
        if public_key(security.own.secret) != security.own.public:
            raise InsecureSetup(f"the two halves of key {short(security.own.public)} do not belong together")
        self.security = security
        self._tell = tell
        self._told: dict[str, float] = {}
        self._front_monitor: Socket | None = None
        self.refused: Counter[str] = Counter()
        """Connections that were not let in, by reason."""
        self.zap: Socket = context.socket(zmq.REP)
        """Readable when `judge` has something to do."""
        self.zap.bind(ZAP_ENDPOINT)

    def guard(self, front: Socket) -> None:
        """Let a socket that will be bound admit allowed keys only."""
        front.set(zmq.CURVE_SERVER, 1)
        front.set(zmq.CURVE_SECRETKEY, self.security.own.secret.encode())
        front.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        self._front_monitor = front.get_monitor_socket(_HANDSHAKES)

    def present(self, dealer: Socket, expected: str) -> Socket:
        """Let a socket that will connect show our key to the expected one's owner; return its monitor."""
        dealer.set(zmq.CURVE_SERVERKEY, expected.encode())
        dealer.set(zmq.CURVE_PUBLICKEY, self.security.own.public.encode())
        dealer.set(zmq.CURVE_SECRETKEY, self.security.own.secret.encode())
        return dealer.get_monitor_socket(_HANDSHAKES)

    def judge(self) -> None:
        """Answer one request of ZAP: whether a key may connect."""
        version, request, domain, address, _, mechanism, *credentials = self.zap.recv_multipart()
        key = ""
        if (domain, mechanism) == (ZAP_DOMAIN, b"CURVE") and [
            len(credential) for credential in credentials
        ] == [32]:
            key = z85.encode(credentials[0]).decode()
        if key and self.security.admission.allows(key):
            answer = [b"200", b"OK", key.encode(), b""]
        else:
            answer = [b"400", b"key not allowed", b"", b""]
            fields = {"key": short(key), "address": address.decode("ascii", "replace")}
            self._turn_away("key not allowed", key, fields)
        self.zap.send_multipart([version, request, *answer])

    def look(self) -> None:
        """Count the handshakes with strangers that have failed since the last look."""
        for event in events(self._front_monitor):
            if event not in (HANDSHAKE_DONE, HANDSHAKE_REFUSED):
                self._turn_away("handshake failed", "", {"because": "no CURVE, or another server key"})

    def close(self) -> None:
        """Close the sockets of its own."""
        for socket in (self.zap, self._front_monitor):
            if socket is not None:
                socket.close(linger=0)

    def _turn_away(self, why: str, who: str, fields: dict[str, Any]) -> None:
        """Count a connection that was not let in, and tell of it, but not too often of the same."""
        self.refused[why] += 1
        now = time.monotonic()
        if now - self._told.get(who, -REMIND_EVERY) < REMIND_EVERY:
            return
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told[who] = now
        self._tell("warning", "turned away", fields | {"why": why, "so_far": self.refused.total()})


def new_key_pair() -> KeyPair:
    """Return a fresh CURVE key pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def public_key(secret: str) -> str:
    """Return the public key that belongs to a secret one."""
    return zmq.curve_public(secret.encode()).decode()


def authenticated(frame: zmq.Frame) -> str:
    """Return the key that was let in on the connection a frame came from."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def events(monitor: Socket | None) -> list[int]:
    """Return what a monitor has seen since the last call.

    The parser of pyzmq would load asyncio into every agent, which takes 70 ms and 4 MB.
    """
    seen = []
    while monitor is not None and monitor.poll(0):
        frames = monitor.recv_multipart(zmq.NOBLOCK)
        seen.append(int(struct.unpack("=hi", frames[0])[0]))
    return seen
