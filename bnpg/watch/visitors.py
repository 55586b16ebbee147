"""How many visitors a page takes: silent ones give way to those who ask, and readers are bounded."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 96
"""Connections at once; beyond that the one that has been idle longest ends."""
READERS = 64
"""Connections that follow the page at once; one more is asked to come back later."""
ASK_WITHIN = 10.0
"""Seconds a connection may take until its first request is complete."""
BACKLOG = 32
"""Connections that wait to be accepted, which happens to all of them at once."""


class Visitor(H11Protocol):
    """One connection to the page."""

    since = 0.0
    """When it was made."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in; make room before, by ending the connection that has been idle longest, or this one."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self.loop.call_later(ASK_WITHIN, self._hurry)
        if len(self.connections) > MOST:
            idle = [other for other in self.connections if isinstance(other, Visitor) and other.idle]
            min(idle, key=lambda visitor: visitor.since, default=self).leave()

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def leave(self) -> None:
        """End the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _hurry(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.leave()
