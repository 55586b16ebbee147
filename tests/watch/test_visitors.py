"""Who gives way at the page, on a clock that stands still until it is told to go on."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from bnpg.watch.visitors import FOLLOWS, MOST, READ_WITHIN, Visitor


class Clock:
    """What a visitor knows of the event loop."""

    def __init__(self) -> None:
        self._now = 0.0
        self._calls: list[tuple[float, Callable[[], None], SimpleNamespace]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, call: Callable[[], None]) -> SimpleNamespace:
        handle = SimpleNamespace(cancelled=False)
        handle.cancel = lambda: setattr(handle, "cancelled", True)
        self._calls.append((self._now + seconds, call, handle))
        return handle

    def go_on(self, seconds: float) -> None:
        self._now += seconds
        due = [one for one in self._calls if one[0] <= self._now]
        self._calls = [one for one in self._calls if one[0] > self._now]
        for _, call, handle in due:
            if not handle.cancelled:
                call()


class Connection:
    """A transport that notes whether it was ended."""

    ended = False

    def abort(self) -> None:
        self.ended = True

    close = abort

    def is_closing(self) -> bool:
        return self.ended

    def get_extra_info(self, _: str) -> None:
        return None


class House:
    """A server, and the visitors that came to it."""

    def __init__(self) -> None:
        async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
            raise AssertionError("nothing is asked for")

        self.clock = Clock()
        self._config = uvicorn.Config(nothing, http=Visitor, log_config=None)
        self._config.load()
        self._state = ServerState()

    def enter(self, *, answering: bool = False, follows: bool = False) -> Visitor:
        visitor = Visitor(self._config, self._state, {}, self.clock)  # type: ignore[arg-type]
        visitor.connection_made(Connection())  # type: ignore[arg-type]
        if answering or follows:
            visitor.cycle = SimpleNamespace(  # type: ignore[assignment]
                response_complete=False,
                scope={"state": {FOLLOWS: True} if follows else {}},
                message_event=asyncio.Event(),
            )
        self.clock.go_on(0.001)
        return visitor


def ended(visitor: Visitor) -> bool:
    return bool(visitor.transport.is_closing())


@pytest.fixture
def house() -> House:
    return House()


def test_the_one_idle_longest_gives_way_before_any_that_is_answered(house: House) -> None:
    answered = [house.enter(answering=True) for _ in range(MOST - 2)]
    silent = [house.enter() for _ in range(2)]
    newest = house.enter(answering=True)
    assert [ended(one) for one in silent] == [True, False]
    assert not any(ended(one) for one in (*answered, newest))


def test_where_all_are_answered_the_oldest_that_does_not_follow_gives_way(house: House) -> None:
    followers = [house.enter(follows=True) for _ in range(MOST // 2)]
    answered = [house.enter(answering=True) for _ in range(MOST - len(followers))]
    newest = [house.enter(answering=True) for _ in range(3)]
    assert [ended(one) for one in answered[:4]] == [True, True, True, False]
    assert not any(ended(one) for one in (*followers, *answered[4:], *newest))


@pytest.mark.parametrize("follows", [False, True])
def test_who_does_not_read_what_it_asked_for_is_ended(house: House, follows: bool) -> None:
    visitor = house.enter(answering=True, follows=follows)
    visitor.pause_writing()
    house.clock.go_on(READ_WITHIN / 2)
    assert not ended(visitor)
    house.clock.go_on(READ_WITHIN / 2)
    assert ended(visitor)


def test_who_reads_now_and_then_stays(house: House) -> None:
    visitor = house.enter(answering=True)
    for _ in range(5):
        visitor.pause_writing()
        house.clock.go_on(READ_WITHIN * 0.9)
        visitor.resume_writing()
    assert not ended(visitor)


def test_one_that_has_left_is_not_waited_for(house: House) -> None:
    visitor = house.enter(answering=True)
    visitor.pause_writing()
    visitor.connection_lost(ConnectionResetError())
    house.clock.go_on(READ_WITHIN)
    assert not ended(visitor), "it is gone already"
