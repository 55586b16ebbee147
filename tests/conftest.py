"""What all tests share; fixtures for runs and fake peers come from `bnpg.lab.testing.plugin`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytest_plugins = ["bnpg.lab.testing.plugin"]

# No assertion of times anywhere: a busy machine must not turn a test red.
settings.register_profile("bnpg", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bnpg")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""A browser that talks to nobody but the page."""


@dataclass
class Seen:
    """A page in the browser, and all it complained about or asked the network for."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Seen]


@contextmanager
def chromium() -> Iterator[Callable[..., "BrowserContext"]]:
    """Yield what starts a browser with a profile of its own."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        hint = "pages are tested in a real browser: install one (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(hint, pytrace=False)
        pytest.skip(hint)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="bnpg-browser-") as profiles:
        contexts: list[BrowserContext] = []

        def start(**options: Any) -> "BrowserContext":
            context = playwright.chromium.launch_persistent_context(
                tempfile.mkdtemp(dir=profiles),
                executable_path=executable,
                headless=True,
                args=FLAGS,
                **options,
            )
            contexts.append(context)
            return context

        try:
            yield start
        finally:
            for context in contexts:
                context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Callable[..., "BrowserContext"]]:
    """One browser a size and colour scheme, shared by the tests of a module."""
    with chromium() as start:
        started: dict[tuple[int, str], BrowserContext] = {}

        def find(width: int = 1200, scheme: str = "light") -> "BrowserContext":
            key = (width, scheme)
            if key not in started:
                # Places on a page are asked for before they are clicked: it may not be scrolling meanwhile.
                size = {"width": width, "height": 800}
                started[key] = start(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            return started[key]

        yield find


@pytest.fixture
def look(browser: Callable[..., "BrowserContext"]) -> Iterator[Open]:
    """Open an address; every page must stay free of errors to the end of the test."""
    opened: list[Seen] = []

    def look(address: str | Path, width: int = 1200, scheme: str = "light") -> Seen:
        seen = Seen(browser(width, scheme).new_page())
        opened.append(seen)
        seen.page.on(
            "console",
            lambda message: (
                seen.complaints.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(address.as_uri() if isinstance(address, Path) else address)
        return seen

    yield look
    for seen in opened:
        complaints = list(seen.complaints)
        seen.page.close()
        assert complaints == []


@pytest.fixture
def own_ports() -> Iterator[Callable[[], int]]:
    """Ports of this machine that servers of the test may give up and take again; nobody else gets them."""
    with ExitStack() as stack:

        def hold() -> int:
            held = stack.enter_context(socket.socket())
            # Who says so may bind one address twice as long as only one listens there.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            return int(held.getsockname()[1])

        yield hold


@pytest.fixture
def own_port(own_ports: Callable[[], int]) -> int:
    """One of them."""
    return own_ports()


class Watching:
    """A server of a live page, started by the real command."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@contextmanager
def servers() -> Iterator[Callable[..., Watching]]:
    """Yield what starts `bnpg watch`; the servers end with the context."""
    started: list[subprocess.Popen[str]] = []

    def watch(where: object, *options: object, port: int = 0) -> Watching:
        words = [
            sys.executable,
            "-P",
            "-m",
            "bnpg",
            "watch",
            where,
            "--listen",
            f"127.0.0.1:{port}",
            "--json",
        ]
        process = subprocess.Popen(
            [*map(str, words), *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return Watching(process, json.loads(process.stdout.readline())["url"])

    try:
        yield watch
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=30)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watching]]:
    """Start `bnpg watch`; the servers end with the test."""
    with servers() as start:
        yield start


@pytest.fixture(scope="module")
def watching() -> Iterator[Callable[..., Watching]]:
    """Start `bnpg watch`; the servers end with the module."""
    with servers() as start:
        yield start
