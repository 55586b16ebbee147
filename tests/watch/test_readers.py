"""However many readers come at the same moment, no more are let in than can be served."""

import asyncio
from pathlib import Path

from starlette.types import Message

from bnpg.watch.admission import TokenAdmission
from bnpg.watch.many import ManyRuns
from bnpg.watch.server import build_app
from bnpg.watch.source import WatchedPage
from bnpg.watch.visitors import READERS

EVENTS = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/events",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


class Still:
    """A source that never changes."""

    scripts: tuple[str, ...] = ()

    def page(self) -> WatchedPage:
        return WatchedPage("title", "", True, "live", ())


async def test_of_many_who_come_at_once_as_many_are_let_in_as_places_are_there_and_leave_them() -> None:
    app, broadcast = build_app(Still(), TokenAdmission(None))
    gone = asyncio.Event()
    answers: list[int] = []

    async def look_on() -> None:
        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        await app(dict(EVENTS), receive, send)

    readers = [asyncio.create_task(look_on()) for _ in range(2 * READERS)]
    while len(answers) < len(readers):
        await asyncio.sleep(0)
    assert sorted(answers) == [200] * READERS + [503] * READERS
    assert broadcast.followers == READERS
    gone.set()
    await asyncio.gather(*readers)
    assert broadcast.followers == 0


async def test_a_run_of_any_number_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    app, _ = build_app(ManyRuns(tmp_path), TokenAdmission(None))
    answers = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    numbers = ("0", "9" * 4_000, "9" * 5_000, "-1", "one", "\u0663")
    for number in numbers:
        await app(EVENTS | {"path": f"/run/{number}"}, receive, send)
    assert answers == [404] * len(numbers)


async def test_who_asks_for_the_heads_of_the_events_is_answered_and_holds_no_place() -> None:
    app, broadcast = build_app(Still(), TokenAdmission(None))
    answer: list[Message] = []

    async def receive() -> Message:
        return await asyncio.Future()

    async def send(message: Message) -> None:
        answer.append(message)

    await asyncio.wait_for(app({**EVENTS, "method": "HEAD"}, receive, send), 20)
    assert (answer[0]["status"], answer[-1].get("more_body", False)) == (200, False)
    assert (b"content-type", b"text/event-stream; charset=utf-8") in answer[0]["headers"]
    assert broadcast.followers == 0
