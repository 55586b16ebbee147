"""Browsers are told everything once and then what changes; nobody looks while nobody follows."""

import asyncio
import itertools
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
        told.stop()
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
    told.stop()
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


async def test_followers_that_are_cancelled_again_and_again_leave_the_others_what_they_hear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "REFRESH_EVERY", 60.0)  # the test says when there is something new
    source = ReadStatus()
    told = Broadcast(source)
    running = asyncio.create_task(told.run())

    async def follow() -> None:
        async for _ in told.follow():
            pass

    async def steps(count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def change() -> None:
        with source.lock:
            source.html["two"] += "c"
        await told._refresh()

    with told.place():
        events = told.follow()
        await anext(events)
        for _ in range(3):
            await asyncio.wait_for(anext(events), 20)
        for before, between, news in itertools.product(range(12), range(5), (False, True)):
            goes = asyncio.create_task(follow())
            await steps(before)
            changing = asyncio.create_task(change()) if news else None
            await steps(before if news else 0)
            goes.cancel()
            await steps(between)
            goes.cancel()
            await asyncio.wait([goes], timeout=20)
            assert goes.cancelled()
            if changing is not None:
                await asyncio.wait_for(changing, 20)
                assert heard(await asyncio.wait_for(anext(events), 20)) == ("two", source.html["two"])
    told.stop()
    assert [event async for event in events] == []
    await asyncio.wait_for(running, 20)


async def test_a_look_goes_on_without_the_one_who_asked_for_it_and_no_other_is_taken_meanwhile() -> None:
    class Waiting(ReadStatus):
        def page(self) -> WatchedPage:
            assert go_on.wait(20)
            return super().page()

    go_on = threading.Event()
    source = Waiting()
    told = Broadcast(source)
    gone, stays = asyncio.create_task(told.page()), asyncio.create_task(told.page())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    go_on.set()
    await asyncio.wait_for(stays, 20)
    assert source.looks == 1
