"""A network in memory: every link is a queue, and a seed decides which link delivers next.

Each link keeps its own order, as a connection does; which of the links with something to deliver comes next
is drawn from the seed. Without a seed it is the one that has waited longest.
"""

import random
from collections import deque

from msgspec import Struct

from bnpg_protocol.wire.envelope import Envelope


class Delivery(Struct, frozen=True):
    """One envelope at its destination."""

    to: str
    """Name of the node it arrives at."""
    origin: str
    """The route on which the receiver can answer."""
    envelope: Envelope


class MemoryNetwork:
    """Nodes that reach each other under routes, as sockets do under connections.

    Parameters
    ----------
    seed : int, optional
        Decides the order of delivery among links; None delivers in the order of sending.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = None if seed is None else random.Random(seed)  # noqa: S311
        self._routes: dict[tuple[str, str], tuple[str, str]] = {}
        self._queues: dict[tuple[str, str], deque[Delivery]] = {}
        self._waiting: list[tuple[str, str]] = []
        self._sent: deque[Delivery] = deque()

    def connect(self, node: str, route: str, endpoint: str) -> None:
        """Let `node` reach the node named `endpoint` under `route`; that one can answer."""
        back = f"from {node} via {route}"
        self._routes[node, route] = (endpoint, back)
        self._routes[endpoint, back] = (node, route)

    def bury(self, node: str, returns: bool) -> None:
        """Let a node die: what is on its way to it is lost, and what it sent last may be.

        Parameters
        ----------
        node : str
        returns : bool
            Whether others find its successor under the same address; else its routes are forgotten.
        """
        if not returns:
            self._routes = {
                (first, route): (other, back)
                for (first, route), (other, back) in self._routes.items()
                if node not in (first, other)
            }
        self._sent = deque(message for message in self._sent if message.to != node)
        for (sender, _), queue in self._queues.items():
            kept = [message for message in queue if message.to != node]
            if sender == node and self._random is not None:
                kept = kept[: self._random.randint(0, len(kept))]
            queue.clear()
            queue.extend(kept)
        self._waiting = [key for key in self._waiting if self._queues[key]]

    def send(self, node: str, route: str, envelope: Envelope) -> bool:
        """Put an envelope on its way; return False if the route leads nowhere."""
        target = self._routes.get((node, route))
        if target is None:
            return False
        delivery = Delivery(*target, envelope)
        if self._random is None:
            self._sent.append(delivery)
            return True
        key = (node, route)
        queue = self._queues.setdefault(key, deque())
        if not queue:
            self._waiting.append(key)
        queue.append(delivery)
        return True

    def deliver(self) -> Delivery | None:
        """Take the next envelope off the network, or None if nothing is on its way."""
        if self._random is None:
            return self._sent.popleft() if self._sent else None
        if not self._waiting:
            return None
        chosen = self._random.randrange(len(self._waiting))
        key = self._waiting[chosen]
        queue = self._queues[key]
        delivery = queue.popleft()
        if not queue:
            self._waiting[chosen] = self._waiting[-1]
            self._waiting.pop()
        return delivery
