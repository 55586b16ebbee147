"""The server of the live page: one page, one stream of events, nothing that changes anything."""

import asyncio
import errno
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from bnpg_protocol.process.endings import endings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bnpg.report.page import Page, render_page
from bnpg.watch.admission import TokenAdmission
from bnpg.watch.broadcast import Broadcast
from bnpg.watch.many import ManyRuns
from bnpg.watch.source import Source
from bnpg.watch.visitors import BACKLOG, FOLLOWS, READERS, Visitor
from bnpg_math.errors import InputError

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
EVENTS = "text/event-stream"
UNBUFFERED = {"X-Accel-Buffering": "no"}

LONGEST_NUMBER = 18
"""Digits that the number of a run may have in an address."""


class Gate:
    """Lets only requests pass that may, and puts the headers on every answer; a refusal is the last one.

    Parameters
    ----------
    app : ASGI application
    admission : TokenAdmission
    """

    def __init__(self, app: ASGIApp, admission: TokenAdmission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [
                    (key.lower().encode(), value.encode()) for key, value in HEADERS.items()
                ]
                if message["status"] >= 400:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        refused = self._admission.answer(Request(scope))
        await (self._app if refused is None else refused)(scope, receive, marked)


def build_app(source: Source, admission: TokenAdmission) -> tuple[ASGIApp, Broadcast]:
    """Return the application, and what it broadcasts."""
    broadcast = Broadcast(source)

    async def page(request: Request) -> Response:  # noqa: ARG001
        watched = await broadcast.page()
        nonce = secrets.token_urlsafe(16)
        shown = Page(watched.title, watched.subtitle, watched.sections, live=True, scripts=source.scripts)
        return _document(render_page(shown, nonce), nonce)

    async def events(request: Request) -> Response:
        if request.method == "HEAD":  # heads alone: no stream is begun, and no place of a reader is taken
            return Response(media_type=EVENTS, headers=UNBUFFERED)
        if broadcast.followers >= READERS:
            again = {"Retry-After": "5"}
            return PlainTextResponse("as many look on as can; try again later\n", 503, headers=again)
        return _Following(broadcast)

    async def health(request: Request) -> Response:  # noqa: ARG001
        watched = await broadcast.page()
        return JSONResponse({"well": watched.well, "state": watched.state})

    async def nothing(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return PlainTextResponse("there is only /\n", 404)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        looking = asyncio.create_task(broadcast.run())
        yield
        broadcast.stop()
        await looking

    routes = [Route("/", page), Route("/events", events), Route("/health", health)]
    if isinstance(source, ManyRuns):
        routes += _routes(source)
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: nothing})
    return Gate(app, admission), broadcast


class _Following(StreamingResponse):
    """The stream of events to one reader; its place is held before anything is sent."""

    def __init__(self, broadcast: Broadcast) -> None:
        super().__init__(broadcast.follow(), media_type=EVENTS, headers=UNBUFFERED)
        self._place = broadcast.place()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope.setdefault("state", {})[FOLLOWS] = True
        with self._place:
            await super().__call__(scope, receive, send)


def _routes(source: ManyRuns) -> list[Route]:
    """Return what a page of many runs asks for: curves of some of them, and the report of one."""
    drawing = asyncio.Lock()  # one at a time: each may read many files

    async def overlay(request: Request) -> Response:
        asked = request.query_params
        try:
            numbers = [int(number) for number in asked.get("runs", "").split(",") if number]
        except ValueError:
            return PlainTextResponse("runs: expected numbers separated by commas\n", 400)
        try:
            async with drawing:
                html = await asyncio.to_thread(
                    source.overlay, asked.get("measure", ""), numbers, asked.get("group", "")
                )
        except InputError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return HTMLResponse(html)

    async def run(request: Request) -> Response:
        nonce, number = secrets.token_urlsafe(16), request.path_params["number"]
        if not (number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER):
            return PlainTextResponse("there is no such run\n", 404)
        try:
            async with drawing:
                html = await asyncio.to_thread(source.run, int(number), nonce)
        except InputError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse("there is no such run\n", 404) if html is None else _document(html, nonce)

    return [Route("/overlay", overlay), Route("/run/{number}", run)]


def _document(html: str, nonce: str) -> Response:
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def serve(source: Source, admission: TokenAdmission, listening: socket.socket) -> None:
    """Serve until interrupted."""
    app, broadcast = build_app(source, admission)
    config = uvicorn.Config(
        app,
        http=Visitor,
        ws="none",
        backlog=BACKLOG,
        log_level="critical",
        lifespan="on",
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    _Server(config, broadcast).run(sockets=[listening])


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Be silent if there is no descriptor for a visitor: asyncio tries again a second later."""
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)):
        loop.default_exception_handler(context)


class _Server(uvicorn.Server):
    """Ends in order when a signal asks for it: a viewer that is closed was not interrupted in anything."""

    def __init__(self, config: uvicorn.Config, broadcast: Broadcast) -> None:
        super().__init__(config)
        self._broadcast = broadcast

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving; unlike uvicorn's own, do not raise them again afterwards."""
        loop = asyncio.get_running_loop()
        taken = endings()
        for number in taken:
            loop.add_signal_handler(number, self._end, number)
        loop.set_exception_handler(_told)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)

    def _end(self, number: int) -> None:
        # The streams first: they would never end by themselves.
        self._broadcast.stop()
        self.handle_exit(number, None)
