"""Browsers are told everything once and then what changes; nobody looks while nobody follows."""

import asyncio
import json
import threading
from contextlib import ExitStack

import pytest

from bnpg.report.page import Section
from bnpg.watch import broadcast
from bnpg.watch.broadcast import Broadcast
from bnpg.watch.source import WatchedPage


class ReadStatus:
    """A source that is what the test says it is."""

    def __init__(self) -> None:
        self.looks = 0
        self.html = {"one": "a", "two": "b"}
        self.state = "live"
        self.lock = threading.Lock()

    def page(self) -> WatchedPage:
        with self.lock:
            self.looks += 1
            sections = tuple(Section(name, name, html) for name, html in self.html.items())  # type: ignore[arg-type]
            return WatchedPage("title", "", True, self.state, sections)


def heard(event: str) -> tuple[str, str]:
    kind, data = event.strip().split("\n")
    content = json.loads(data.removeprefix("data: "))
    return content.get("name", kind.removeprefix("event: ")), content.get("html", content.get("text"))


async def test_a_follower_hears_everything_and_then_only_what_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "REFRESH_EVERY", 0.01)
    monkeypatch.setattr(broadcast, "SHARE", 1.0)  # a look that takes long on a busy machine delays no other
    source = ReadStatus()
    told = Broadcast(source)
    running = asyncio.create_task(told.run())
    places = ExitStack()
    places.enter_context(told.place())
    events = told.follow()
    try:
        assert await anext(events) == "retry: 1000\n\n"
        first = [heard(await asyncio.wait_for(anext(events), 20)) for _ in range(3)]
        assert first == [("one", "a"), ("two", "b"), ("state", "live")]
        with source.lock:
            source.html["two"] = "c"
        assert heard(await asyncio.wait_for(anext(events), 20)) == ("two", "c")
        with source.lock:
            source.state = "no word"
        assert heard(await asyncio.wait_for(anext(events), 20)) == ("state", "no word")
        another = told.follow()
        await anext(another)
        assert heard(await asyncio.wait_for(anext(another), 20)) == ("one", "a")
        await another.aclose()
    finally:
        places.close()
        await told.stop()
        assert [event async for event in events] == []
        await asyncio.wait_for(running, 20)


async def test_nobody_looks_while_nobody_follows() -> None:
    source = ReadStatus()
    told = Broadcast(source)
    told._pause = 0.001
    running = asyncio.create_task(told.run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert source.looks == 0
    with told.place():
        while source.looks == 0:
            await asyncio.sleep(0.001)
        assert told.followers == 1
    assert told.followers == 0
    await told.stop()
    await asyncio.wait_for(running, 20)


async def test_a_look_that_takes_long_is_taken_less_often() -> None:
    class Slow(ReadStatus):
        def page(self) -> WatchedPage:
            clock.now += 0.5
            return super().page()

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    told = Broadcast(Slow())
    real, broadcast.time = broadcast.time, clock  # type: ignore[assignment]
    try:
        await told.page()
    finally:
        broadcast.time = real
    assert told._pause == 4.5


async def test_a_source_that_raises_leaves_the_last_page_and_is_looked_at_again() -> None:
    class Raising(ReadStatus):
        wrong = False

        def page(self) -> WatchedPage:
            if self.wrong:
                raise TypeError("odd")
            return super().page()

    source = Raising()
    told = Broadcast(source)
    before = await told.page()
    source.wrong, told._pause = True, 0.0
    seen = await told.page()
    assert (seen.well, seen.sections) == (False, before.sections)
    assert "TypeError: odd" in seen.state
    source.wrong, told._pause = False, 0.0
    assert (await told.page()).well
