"""A network in memory: every link is a queue, and a seed decides which link delivers next.

Each link keeps its own order, as a connection does; which of the links with something to deliver comes next
is drawn from the seed. Without a seed it is the one that has waited longest.
"""

import random
from collections import deque

from msgspec import Struct

from protocol.envelope import Envelope


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

    def disconnect(self, node: str) -> None:
        """Forget a node that died for good: its routes, and everything on the way to it or from it."""
        self._routes = {
            (one, route): (other, back)
            for (one, route), (other, back) in self._routes.items()
            if node not in (one, other)
        }
        self._prune()

    def interrupt(self, node: str) -> None:
        """Lose everything on the way to a node that died, and from it; others find its successor there."""
        routes = self._routes
        self._routes = {key: far for key, far in routes.items() if node not in (key[0], far[0])}
        self._prune()
        self._routes = routes

    def _prune(self) -> None:
        """Lose what is on its way where no route leads any more."""
        self._sent = deque(one for one in self._sent if self._alive(one))
        for queue in self._queues.values():
            kept = [one for one in queue if self._alive(one)]
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

    def _alive(self, delivery: Delivery) -> bool:
        return (delivery.to, delivery.origin) in self._routes
