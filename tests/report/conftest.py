"""Small runs to report on, and a real browser to look at the reports with."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from bnpg.__main__ import main

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PLAN = """
[[drop]]
probability = 0.05

[[kill]]
process = "agent-1"
phase = "sending"
round = 2

[[partition]]
groups = [["agent-0"], ["coordinator", "agent-*"]]
round = 3
seconds = 0.2
"""


def train(folder: Path, *options: object) -> Path:
    """Train in this process and return the run folder."""
    words = ["train", *options, "--launcher", "memory", "--no-fsync", "--quiet", "--json", "--out", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def exact_run(runs: Path) -> Path:
    """Three fully correlated agents, exact updates with the certified step, the policy saved."""
    options = ("--mode", "exact", "--dag", "complete", "--rounds", 30, "--learning-rate", "certified")
    return train(
        runs / "exact", "coordination(agents=3)", *options, "--regularization", 0.05, "--save-policy"
    )


@pytest.fixture(scope="session")
def sampled_run(runs: Path) -> Path:
    """Two agents that play, under faults, with everything recorded."""
    plan = runs / "plan.toml"
    plan.write_text(PLAN)
    options = (
        "--rounds",
        6,
        "--lanes",
        8,
        "--horizon",
        3,
        "--evaluate-every",
        2,
        "--trace",
        "--faults",
        plan,
    )
    return train(runs / "sampled", "climbing", "--dag", "line", *options)


@pytest.fixture(scope="session")
def bare_run(runs: Path) -> Path:
    """A run that was never evaluated and whose thetas are gone."""
    folder = train(
        runs / "bare", "climbing", "--rounds", 3, "--lanes", 4, "--horizon", 2, "--evaluate-every", 0
    )
    shutil.rmtree(folder / "agents")
    return folder


@pytest.fixture(scope="session")
def two_teams(runs: Path) -> list[Path]:
    """Three seeds each of a team without edges and of a fully correlated one."""
    options = ("--mode", "exact", "--rounds", 40, "--learning-rate", 0.05, "--initial", "normal")
    return [
        train(runs / f"{dag}-{seed}", "climbing", *options, "--dag", dag, "--seed", seed)
        for dag in ("empty", "complete")
        for seed in range(3)
    ]


@dataclass
class Seen:
    """A page in the browser, and all it complained about or asked the network for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Seen]


@contextmanager
def chromium() -> Iterator[Callable[..., BrowserContext]]:
    """Yield what starts a browser with a profile of its own."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail(
            "pages are tested in a real browser: install one (Debian: apt-get install chromium)",
            pytrace=False,
        )
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="bnpg-browser-") as profiles:
        contexts: list[BrowserContext] = []

        def start(**options: object) -> BrowserContext:
            context = playwright.chromium.launch_persistent_context(
                tempfile.mkdtemp(dir=profiles),
                executable_path=executable,
                headless=True,
                args=FLAGS,
                **options,  # type: ignore[arg-type]
            )
            contexts.append(context)
            return context

        try:
            yield start
        finally:
            for context in contexts:
                context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Callable[..., BrowserContext]]:
    """One browser a size and colour scheme, shared by the tests of a module."""
    with chromium() as start:
        started: dict[tuple[int, str], BrowserContext] = {}

        def find(width: int = 1200, scheme: str = "light") -> BrowserContext:
            key = (width, scheme)
            if key not in started:
                started[key] = start(viewport={"width": width, "height": 800}, color_scheme=scheme)
            return started[key]

        yield find


@pytest.fixture
def look(browser: Callable[..., BrowserContext]) -> Iterator[Open]:
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
