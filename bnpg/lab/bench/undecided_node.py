"""An agent that decides nothing: waits for its messages of a step, and sends as many as an agent does.

`python undecided_node.py AGENT AWAITS READS DRIVER INBOX CHILD ..`: it ends when its standard input ends.
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
from bnpg_protocol.process.transport.interface import Arrival
from bnpg_protocol.process.transport.unix import UnixTransport
from bnpg_protocol.wire.codec import Frame, decode, encode
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import ActionsChosen, Message, StatesAnnounced

from bnpg.lab.bench.bare_node import end_with_parent

RUN = "0" * 32
SILENCE = 30.0
"""Seconds without any message after which something is wrong."""
NOTHING = np.zeros(1, np.uint8)


def states(turn: int) -> Message:
    """Return what is announced in a turn."""
    return StatesAnnounced(0, turn, turn, 0, NOTHING)


def actions(turn: int) -> Message:
    """Return what is chosen in a turn."""
    return ActionsChosen(0, turn, NOTHING)


def frames(sender: int, turn: int, message: Message) -> list[Frame]:
    """Write a message with all that travels with it."""
    return encode(Envelope(RUN, 1, 1, sender, 1, turn + 1, turn, 3 * turn, message))


def arrivals(transport: UnixTransport, reads: bool) -> Iterator[Arrival]:
    """Yield what comes in, read if wished.

    Raises
    ------
    TimeoutError
        If nothing comes.
    """
    heard = time.monotonic()
    while True:
        came = transport.receive(SILENCE)  # returns earlier where a connection is still being made
        for arrival in came:
            if reads:
                decode(arrival.frames)
            yield arrival
        if came:
            heard = time.monotonic()
        elif time.monotonic() >= heard + SILENCE:
            raise TimeoutError("no message came")


def main() -> None:
    """Take part in one step after the other."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    agent, awaits, reads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "reads"
    transport = UnixTransport(f"agent-{agent}", sys.argv[5])
    routes = [str(number) for number in range(len(sys.argv) - 6)] + ["driver"]
    for route, endpoint in zip(routes, [*sys.argv[6:], sys.argv[4]], strict=True):
        transport.connect(route, endpoint)
    written = frames(agent, 0, actions(0))
    transport.send("driver", written)  # it answers on the connection this comes from
    coming = arrivals(transport, reads)
    for turn in itertools.count():
        for _ in range(awaits):
            next(coming)
        message = actions(turn)
        for route in routes:
            transport.send(route, frames(agent, turn, message) if reads else written)


if __name__ == "__main__":
    main()
