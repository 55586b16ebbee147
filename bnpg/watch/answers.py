"""What is answered at the address of a coordinator, by whoever is there.

An answer is read for a bounded time and up to a bounded size, and taken only as what a coordinator says: a
page must not come to an end, nor take the memory of its host, because somebody else holds the address.
"""

import io
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import msgspec
from bnpg_coordinator.line import LEARNING, MEASURED, RETURNS
from prometheus_client.parser import text_string_to_metric_families

from bnpg.run_documents import Status
from bnpg_math.dag import MOST_AGENTS, Dag
from bnpg_math.errors import InputError

ANSWER = 3.0
"""Seconds an address has for a whole answer."""
LARGEST = 1 << 24
"""Bytes an answer may have."""
_PART = 1 << 16


def fetch(address: str, path: str) -> bytes:
    """Return what is answered.

    Parameters
    ----------
    address : str
        `HOST:PORT`.
    path : str

    Raises
    ------
    OSError
        If nothing is answered in time, or too much; the text says why.
    """
    until = time.monotonic() + ANSWER
    try:
        connection = HTTPConnection(address, timeout=ANSWER)
        with closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = HTTPResponse(_Said(_all_of(connection, until)))  # type: ignore[arg-type]
            answer.begin()
            content = answer.read()
    except (HTTPException, ValueError, OverflowError) as error:  # the last for lengths beyond all sizes
        raise OSError(f"no answer over HTTP: {error}") from None
    if answer.status != 200:
        raise OSError(f"HTTP status {answer.status}")
    return content


def status_of(content: bytes) -> dict[str, Any]:
    """Return the status that was answered; empty before the first one of a coordinator.

    Raises
    ------
    ValueError
        If it is no status of a coordinator.
    """
    try:
        status = msgspec.json.decode(content, type=dict[str, Any])
        msgspec.convert(status | {"written": 0.0}, Status)
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if status and "round" not in status:
        raise ValueError("it says no round")
    return status


def dag_of(status: dict[str, Any]) -> Dag:
    """Return the DAG that a status tells of; without one, the agents without edges.

    Raises
    ------
    ValueError
        If it is none, or one of more agents than are shown.
    """
    agents = [int(agent) for agent in status.get("agents", {})]
    edges = tuple((int(parent), int(child)) for parent, child in status.get("edges", ()))
    named = [agent + 1 for agent in agents] + [agent + 1 for edge in edges for agent in edge]
    team = max([1, int(status.get("team", 0)), *named])
    if team > MOST_AGENTS:
        raise ValueError(f"{team} agents, expected at most {MOST_AGENTS}")
    try:
        return Dag(team, edges)
    except InputError as error:
        raise ValueError(str(error)) from None


def numbers_of(content: bytes) -> dict[str, float]:
    """Return the measured numbers out of the text that is made for Prometheus.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    numbers: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(content.decode()):
            key = family.name.removeprefix("bnpg_")
            if key in (*MEASURED, *RETURNS, *LEARNING) and family.samples:
                numbers[key] = float(family.samples[0].value)
    except (LookupError, AttributeError, TypeError) as error:  # of the parser, which expects no such text
        raise ValueError(str(error)) from None
    return numbers


def _all_of(connection: HTTPConnection, until: float) -> bytes:
    """Return all that the other side says before it hangs up."""
    said = bytearray()
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.sock.settimeout(left)
        part = connection.sock.recv(_PART)
        if not part:
            return bytes(said)
        said += part
        if len(said) > LARGEST:
            raise OSError(f"more than {LARGEST} bytes")


@dataclass(frozen=True)
class _Said:
    """What was read from a socket, in its place."""

    content: bytes

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002 (that of a socket)
        """Return what is to be read."""
        return io.BytesIO(self.content)
