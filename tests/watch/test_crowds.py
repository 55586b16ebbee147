"""Neither a crowd that says nothing nor one that looks on ends the page, or keeps Ctrl-C from ending it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest

from bnpg.lab.testing.crowd import Crowd
from bnpg.watch.visitors import MOST, READERS
from tests.watch.conftest import GrowingRun

LOOK_ON = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Page:
    process: "subprocess.Popen[str]"
    address: str

    def answers(self) -> bool:
        """Whether the page is served, within the time that a person would wait."""
        deadline = time.monotonic() + 30.0
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://{self.address}/health", timeout=5) as answer:
                    return bool(answer.status == 200)
            except OSError:
                assert self.process.poll() is None, "the page is gone"
        return False


@pytest.fixture
def page(growing: GrowingRun) -> Iterator[Page]:
    growing.status()
    command = [sys.executable, "-P", "-m", "bnpg", "watch", str(growing.folder), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        ["prlimit", "--nofile=256", *command, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield Page(process, json.loads(process.stdout.readline())["url"].split("/")[2])
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "says"), [(300, b""), (1200, LOOK_ON), (1200, b"nonsense\r\n\r\n")])
def test_a_page_goes_on_whoever_comes_and_ends_at_once_when_it_is_told_to(
    page: Page, number: int, says: bytes
) -> None:
    crowd = Crowd(page.address, number, says)
    try:
        assert page.answers(), "while they are there"
        crowd.leave()
        assert page.answers(), "when they have left"
        crowd = Crowd(page.address, number, says)
        page.process.send_signal(signal.SIGINT)
        _, said = page.process.communicate(timeout=30)
        assert page.process.returncode == 0, said
        assert "Traceback" not in said
    finally:
        crowd.leave()


def test_more_readers_than_can_be_served_are_asked_to_come_back(page: Page) -> None:
    with ExitStack() as readers:
        for _ in range(READERS):
            reader = urllib.request.urlopen(f"http://{page.address}/events", timeout=30)
            assert readers.enter_context(reader).readline() == b"retry: 1000\n"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{page.address}/events", timeout=30)
        assert refused.value.code == 503
        assert refused.value.headers["Retry-After"] == "5"
        assert page.answers(), "to those who only look once"


def test_those_who_ask_and_never_read_keep_nobody_out(page: Page) -> None:
    host, _, port = page.address.partition(":")
    with ExitStack() as crowd:
        for _ in range(MOST + 10):
            one = crowd.enter_context(socket.create_connection((host, int(port)), timeout=30))
            with suppress(OSError):  # it was sent away before
                one.sendall(100 * ASK)  # the answers are more than the kernel keeps for it
        assert page.answers()


def test_a_refusal_is_the_last_answer_on_its_connection(page: Page) -> None:
    host, _, port = page.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stranger, stranger.makefile("rb") as said:
        stranger.sendall(2 * b"GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
        assert said.read().count(b"HTTP/1.1 421") == 1
