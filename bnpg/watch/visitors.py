"""How many visitors a page takes: whoever holds a place and does not follow the page gives way to the next.

Silent ones go first, then whoever has been there longest, whether or not something is being answered: an
answer that nobody reads never ends. Followers keep their places, which are fewer than all and are given to
whom the page lets in.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 96
"""Connections at once; beyond that the one idle longest ends, or else the oldest that does not follow."""
READERS = 64
"""Connections that follow the page at once; one more is asked to come back later."""
ASK_WITHIN = 10.0
"""Seconds a connection may take until its first request is complete."""
READ_WITHIN = 10.0
"""Seconds a connection may take until it reads on, once as much is waiting for it as is kept."""
FOLLOWS = "follows"
"""What is set in the state of a request that has a place among the readers."""
BACKLOG = 32
"""Connections that wait to be accepted, which happens to all of them at once."""


class Visitor(H11Protocol):
    """One connection to the page."""

    since = 0.0
    """When it was made."""
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in; make room before, by ending one that is there."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self.loop.call_later(ASK_WITHIN, self._hurry)
        if len(self.connections) > MOST:
            others = [other for other in self.connections if isinstance(other, Visitor) and other is not self]
            idle = [other for other in others if other.idle]
            give_way = idle or [other for other in others if not other.follows]
            min(give_way, key=lambda visitor: visitor.since, default=self).leave()

    def pause_writing(self) -> None:
        """Wait for it to read on, but not for ever."""
        super().pause_writing()
        self._stuck = self.loop.call_later(READ_WITHIN, self.leave)

    def resume_writing(self) -> None:
        """Go on: it has read."""
        super().resume_writing()
        self._reads()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._reads()

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def follows(self) -> bool:
        """Whether it has a place among the readers."""
        return not self.idle and FOLLOWS in self.cycle.scope["state"]

    def leave(self) -> None:
        """End the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _hurry(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.leave()

    def _reads(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
