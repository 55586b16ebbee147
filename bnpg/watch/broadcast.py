"""The latest state of the page, for any number of browsers, looked up only while one is there."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from bnpg.watch.source import Source, WatchedPage

REFRESH_EVERY = 1.0
"""Seconds between two states of the page."""
SHARE = 0.1
"""Most of its time that the server spends on refreshing, however large the run."""
KEEP_ALIVE = 15.0
"""Seconds without news after which a comment keeps the connection open."""


class Broadcast:
    """Looks at a source and lets browsers follow.

    Browsers go at any moment, and what answers them is cancelled there, more than once: no follower holds
    anything that another one waits for.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._page: WatchedPage | None = None
        self._refreshed_at = 0.0
        self._pause = REFRESH_EVERY
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        """Of the page as it is; set once there is another one, which gets its own."""
        self._stopped = asyncio.Event()

    @property
    def followers(self) -> int:
        """How many follow just now."""
        return self._followers

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold the place of one that follows: it counts from here on, not from its first event."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def page(self) -> WatchedPage:
        """Return a page that is not older than a moment."""
        if self._page is None or time.monotonic() - self._refreshed_at >= self._pause:
            await self._refresh()
        assert self._page is not None
        return self._page

    async def run(self) -> None:
        """Look again and again while somebody follows; until stopped."""
        while not self._stopped.is_set():
            if self._followers:
                await self._refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._stopped.wait()

    def stop(self) -> None:
        """End all that follow."""
        self._stopped.set()
        self._news.set()

    async def follow(self) -> AsyncIterator[str]:
        """Yield server-sent events: everything at first, then what changes; only the latest is ever sent."""
        sent: dict[str, str] = {}
        yield "retry: 1000\n\n"
        while not self._stopped.is_set():
            page = await self.page()
            for event in _events(page, sent):
                yield event
                await asyncio.sleep(0)  # or who is gone is written to until asyncio complains
            if self._page is not page or self._stopped.is_set():
                continue
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await self._news.wait()
            except TimeoutError:
                yield ": still here\n\n"

    async def _look(self) -> WatchedPage:
        try:
            return await asyncio.to_thread(self._source.page)
        except Exception as error:  # the next look may do better, and nobody looks again after an end
            return WatchedPage.troubled(self._page, f"this cannot be shown: {type(error).__name__}: {error}")

    async def _refresh(self) -> None:
        """Look, or wait for the look that is being taken; it goes on if whoever waits for it is gone."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._publish())
        await asyncio.shield(self._looking)

    async def _publish(self) -> None:
        began = time.monotonic()
        page = await self._look()
        took = time.monotonic() - began
        self._pause = max(REFRESH_EVERY, took * (1 - SHARE) / SHARE)
        self._refreshed_at = time.monotonic()
        before, self._page = self._page, page
        if page != before:
            self._news.set()
            if not self._stopped.is_set():
                self._news = asyncio.Event()


def _events(page: WatchedPage, sent: dict[str, str]) -> list[str]:
    """Return the events for what a browser has not been sent yet, and note them as sent."""
    events = []
    parts: dict[str, tuple[str, dict[str, object]]] = {
        section.name: (
            "section",
            {"name": section.name, "title": section.title, "html": str(section.html)},
        )
        for section in (page.sections if page.rows is None else ())  # with rows they stay as they are
    }
    parts["/state"] = ("state", {"text": page.state, "well": page.well})
    for key, (kind, content) in parts.items():
        data = json.dumps(content)
        if sent.get(key) != data:
            sent[key] = data
            events.append(f"event: {kind}\ndata: {data}\n\n")
    if page.rows is not None:
        events += _row_news(page.rows, sent)
    return events


def _row_news(rows: dict[str, str], sent: dict[str, str]) -> list[str]:
    """Return at most one event: the rows that a browser does not have as they are, and those that went."""
    changed = [text for name, text in rows.items() if sent.get(f"/row/{name}") != text]
    removed = [key for key in sent if key.startswith("/row/") and key.removeprefix("/row/") not in rows]
    for key in removed:
        del sent[key]
    sent |= {f"/row/{name}": text for name, text in rows.items()}
    if not changed and not removed and "/rows" in sent:
        return []
    sent["/rows"] = ""  # a page that has heard of no row yet is told so too
    gone = json.dumps([key.removeprefix("/row/") for key in removed])
    return [f'event: rows\ndata: {{"changed": [{", ".join(changed)}], "removed": {gone}}}\n\n']
