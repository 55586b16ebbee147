"""The live page in a real browser, served by the real command."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bnpg.__main__ import main

WAIT = 250_000
"""Milliseconds; a deadline, never a pause."""


def banner(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.getElementById('connection').textContent.includes(text)", arg=text, timeout=WAIT
    )


def test_the_page_follows_a_run_without_reloading(growing: Any, watch: Any, look: Any) -> None:
    growing.line(0)
    growing.status()
    watched = watch(growing.folder)
    page = look(watched.url).page
    banner(page, "live: round 1 of 5")
    assert page.locator("#summary-title").inner_text() == "So far"
    assert page.locator("svg.dag").count() == 1
    page.evaluate("() => { window.same = true; }")
    page.locator("#table-value summary").click()
    page.locator("h1").click()
    growing.line(1)
    growing.status(awaited=[0], waiting_for="the actions of agent 0")
    page.wait_for_function(
        "() => document.querySelector('#now .awaited').dataset.agent === '0'", timeout=WAIT
    )
    page.wait_for_function(
        "() => document.querySelectorAll('#table-value tbody tr').length === 2", timeout=WAIT
    )
    assert page.evaluate("() => document.getElementById('table-value').open")
    assert page.evaluate("() => window.same")
    growing.end()
    banner(page, "the run is over")
    page.wait_for_function(
        "() => document.getElementById('summary-title').textContent === 'What came out'", timeout=WAIT
    )
    page.evaluate("() => document.activeElement.blur()")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()
    assert watched.end() == 0


def test_a_section_somebody_reads_waits_until_they_leave_it(growing: Any, watch: Any, look: Any) -> None:
    growing.line(0)
    growing.status()
    page = look(watch(growing.folder).url).page
    banner(page, "live")
    page.locator("#chart-value .cursor").focus()
    growing.line(1)
    growing.status(round=2)
    banner(page, "live: round 2")
    page.wait_for_function(
        "document.querySelector('#summary strong').textContent.startsWith('1')", timeout=WAIT
    )
    assert page.evaluate("() => document.activeElement.className") == "cursor on"
    assert page.locator("#table-value tbody tr").count() == 1
    # The pending section is put in when the focus leaves, or comes with the next event after that.
    page.locator("#chart-value .cursor").blur()
    page.wait_for_function(
        "() => document.querySelectorAll('#table-value tbody tr').length === 2", timeout=WAIT
    )


def test_the_page_survives_the_end_of_coordinator_and_server(
    growing: Any, watch: Any, look: Any, own_port: int
) -> None:
    growing.line(0)
    growing.status()
    watched = watch(growing.folder, port=own_port)
    seen = look(watched.url)
    page = seen.page
    banner(page, "live: round 1")
    growing.status(written=time.time() - 60)
    banner(page, "no word from the coordinator")
    growing.status(generation=2, round=3)
    banner(page, "live: round 3")
    assert watched.end() == 0
    banner(page, "does not answer")
    watch(growing.folder, port=own_port)
    banner(page, "live: round 3")
    # What the browser itself says of the refused connections in between is no defect of the page.
    seen.complaints[:] = [one for one in seen.complaints if "ERR_" not in one]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_run_that_goes_on_is_accessible(
    growing: Any, watch: Any, look: Any, scheme: str
) -> None:
    growing.line(0)
    growing.status(awaited=[0], waiting_for="the actions of agent 0")
    page = look(watch(growing.folder).url, scheme=scheme).page
    banner(page, "live")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_horizontal_scrolling(growing: Any, watch: Any, look: Any, scheme: str) -> None:
    growing.line(0)
    growing.status()
    page = look(watch(growing.folder).url, width=360, scheme=scheme).page
    banner(page, "live")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_token_is_asked_for(growing: Any, watch: Any, look: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery")
    token.chmod(0o600)
    watched = watch(growing.folder, "--token-file", token)
    for path in ("", "events", "health", "?token=wrong"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(watched.url + path, timeout=30)  # noqa: S310
    page = look(f"{watched.url}?token=correct-horse-battery").page
    assert page.url == watched.url
    banner(page, "the run is starting")
    asked = urllib.request.Request(  # noqa: S310
        f"{watched.url}health", headers={"Authorization": "Bearer correct-horse-battery"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        assert json.loads(answer.read())["well"] is True
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "expected a run folder, a folder of many runs, or HOST:PORT"),
        (["half"], "is not the folder of a run"),
        (["127.0.0.1:1", "--listen", "here"], "--listen must be HOST:PORT"),
        (["127.0.0.1:1", "--token-file", "none"], "--token-file none cannot be read"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("half").mkdir()
    Path("half/experiment.toml").touch()
    assert main(["watch", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert why in err
    assert err.count("\n") == 1
