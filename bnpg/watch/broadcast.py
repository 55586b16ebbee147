"""The latest state of the page, for any number of browsers, looked up only while one is there."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from bnpg.watch.source import Sight, Source

LOOK_EVERY = 1.0
"""Seconds between two looks."""
SHARE = 0.1
"""Most of its time that the server spends on looking, however large the run."""
KEEP_ALIVE = 15.0
"""Seconds without news after which a comment keeps the connection open."""


class Broadcast:
    """Looks at a source and lets browsers follow.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sight: Sight | None = None
        self._looked_at = 0.0
        self._pause = LOOK_EVERY
        self._followers = 0
        self._looking = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._stopped = asyncio.Event()

    @property
    def followers(self) -> int:
        """How many follow just now."""
        return self._followers

    async def sight(self) -> Sight:
        """Return a sight that is not older than a moment."""
        if self._sight is None or time.monotonic() - self._looked_at >= self._pause:
            await self._look()
        assert self._sight is not None
        return self._sight

    async def run(self) -> None:
        """Look again and again while somebody follows; until stopped."""
        while not self._stopped.is_set():
            if self._followers:
                await self._look()
            try:
                await asyncio.wait_for(self._stopped.wait(), self._pause)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """End all that follow."""
        self._stopped.set()
        async with self._changed:
            self._changed.notify_all()

    async def follow(self) -> AsyncIterator[str]:
        """Yield server-sent events: everything at first, then what changes; only the latest is ever told."""
        self._followers += 1
        told: dict[str, str] = {}
        try:
            yield "retry: 1000\n\n"
            while not self._stopped.is_set():
                sight = await self.sight()
                for event in _news(sight, told):
                    yield event
                async with self._changed:
                    if self._sight is not sight or self._stopped.is_set():
                        continue
                    try:
                        await asyncio.wait_for(self._changed.wait(), KEEP_ALIVE)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
            self._followers -= 1

    async def _look(self) -> None:
        async with self._looking:
            began = time.monotonic()
            sight = await asyncio.to_thread(self._source.look)
            took = time.monotonic() - began
            self._pause = max(LOOK_EVERY, took * (1 - SHARE) / SHARE)
            self._looked_at = time.monotonic()
            changed = sight != self._sight
            self._sight = sight
        if changed:
            async with self._changed:
                self._changed.notify_all()


def _news(sight: Sight, told: dict[str, str]) -> list[str]:
    """Return the events for what a browser has not been told yet, and note them as told."""
    events = []
    parts: dict[str, tuple[str, dict[str, object]]] = {
        section.name: ("section", {"name": section.name, "html": str(section.html)})
        for section in sight.sections
    }
    parts["/state"] = ("state", {"text": sight.state, "well": sight.well})
    for key, (kind, content) in parts.items():
        data = json.dumps(content)
        if told.get(key) != data:
            told[key] = data
            events.append(f"event: {kind}\ndata: {data}\n\n")
    return events
