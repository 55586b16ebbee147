"""`bnpg watch DIR` in a real browser: a table that follows the runs, and does what people do to tables."""

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bnpg.watch.broadcast import _events
from bnpg.watch.many import ManyRuns

WAIT = 250_000
"""Milliseconds; a deadline, never a pause."""


def holds(page: Any, place: str, words: str) -> None:
    """Wait until a part of the page holds some words."""
    waiting = "([place, words]) => document.querySelector(place).textContent.includes(words)"
    page.wait_for_function(waiting, arg=[place, words], timeout=WAIT)


def found(page: Any, words: str) -> None:
    holds(page, "#found", words)


def names(page: Any) -> list[str]:
    return list(page.locator("#runs-table tbody tr:not(.group) th").all_inner_texts())


@pytest.fixture(scope="module")
def served(one_of_each: Path, watching: Any) -> Any:
    """One server for the tests that change nothing."""
    return watching(one_of_each)


@pytest.fixture
def page(served: Any, look: Any) -> Any:
    page = look(served.url).page
    found(page, "8 of 8 runs")
    return page


def test_the_page_chooses_the_runs_that_the_command_chooses(page: Any, term: tuple[str, set[str]]) -> None:
    text, expected = term
    page.get_by_label("Filter").fill(text)
    found(page, f"{len(expected)} of 8 runs")
    assert set(names(page)) == expected


def test_an_unknown_field_is_said(page: Any) -> None:
    page.get_by_label("Filter").fill("colour=red")
    found(page, "There is no column or setting colour.")


def test_a_head_sorts_both_ways(page: Any) -> None:
    head = page.locator("#runs-table thead").get_by_role("button", name="value", exact=False).first
    head.click()

    def values() -> list[float]:
        column = page.locator("#runs-table thead th").all_inner_texts()
        at = next(k for k, text in enumerate(column) if text.startswith("value"))
        return [
            float(text)
            for text in page.locator(f"#runs-table tbody tr > :nth-child({at + 1})").all_inner_texts()
        ]

    assert values() == sorted(values(), reverse=True)
    page.keyboard.press("Enter")  # the focus is still on the button
    assert values() == sorted(values())
    assert page.locator("#runs-table th[aria-sort=ascending]").inner_text().startswith("value")


def test_groups_have_a_head_with_medians_and_are_selected_as_one(page: Any) -> None:
    page.get_by_label("Group by").select_option("game")
    heads = page.locator("#runs-table tr.group")
    assert heads.count() == 2
    assert "4 runs, median value" in heads.first.inner_text()
    page.get_by_label("Select all with game climbing").check()
    found(page, "4 selected")
    page.wait_for_selector("#overlay .band", timeout=WAIT, state="attached")
    assert page.locator("#overlay .legend button").all_inner_texts() == ["game climbing (4 runs)"]


def test_selected_runs_are_drawn_over_one_another_and_their_settings_compared(page: Any) -> None:
    page.get_by_label("Select climbing-line-0").check()
    page.get_by_label("Select climbing-empty-1").check()
    page.wait_for_function("() => document.querySelectorAll('#overlay svg .line').length >= 2", timeout=WAIT)
    assert set(page.locator("#overlay .legend button").all_inner_texts()) == {
        "climbing-line-0",
        "climbing-empty-1",
    }
    assert page.locator("#settings thead th").all_inner_texts() == ["run", "dag", "seed"]
    rows = page.locator("#settings tbody tr").all_inner_texts()
    assert sorted(row.split() for row in rows) == [
        ["climbing-empty-1", "empty", "1"],
        ["climbing-line-0", "line", "0"],
    ]
    page.locator("#measure").select_option("nash_gap")
    page.wait_for_function(
        "() => document.querySelector('#overlay h3').textContent === 'Nash gap'", timeout=WAIT
    )
    page.get_by_role("button", name="Select none").click()
    page.wait_for_function("() => !document.querySelector('#overlay svg')", timeout=WAIT)


def test_a_run_opens_as_its_report(page: Any) -> None:
    with page.context.expect_page() as opening:
        page.get_by_role("link", name="penalty-line-1").click()
    opened = opening.value
    opened.wait_for_selector("#chart-value svg", timeout=WAIT)
    assert opened.locator("h1").inner_text() == "Run penalty-line-1"
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_with_runs_selected_and_grouped(served: Any, look: Any, scheme: str) -> None:
    page = look(served.url, scheme=scheme).page
    found(page, "8 of 8")
    page.get_by_label("Group by").select_option("dag")
    page.get_by_role("button", name="Select all shown").click()
    page.wait_for_selector("#overlay svg", timeout=WAIT)
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


@pytest.mark.parametrize("width", [390, 2560])
def test_phone_and_wide_screen_need_no_scrolling_of_the_page(served: Any, look: Any, width: int) -> None:
    page = look(served.url, width=width).page
    found(page, "8 of 8")
    page.get_by_role("button", name="Select all shown").click()
    page.wait_for_selector("#overlay svg", timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator("#runs-table").bounding_box()
    assert table["width"] > (0.9 * width if width > 1000 else 0)


def test_runs_begin_grow_and_end_without_a_reload(copied: Any, runs: Path, watch: Any, look: Any) -> None:
    page = look(watch(runs).url).page
    found(page, "No run is here yet")
    page.evaluate("() => { window.same = true; }")
    going = copied("going", state="running")
    found(page, "1 of 1 runs")
    assert "1 of 4" in page.locator("#runs-table tbody").inner_text()
    page.get_by_label("Select going").check()
    page.wait_for_selector("#overlay svg", timeout=WAIT)
    assert page.locator("#overlay table tbody tr").count() == 2
    with (going / "metrics.jsonl").open("ab") as file:
        file.write(b'{"round":2,"value":7.125,"seconds":0.1}\n')
    holds(page, "#runs-table tbody", "7.125")
    page.wait_for_function(
        "() => document.querySelectorAll('#overlay table tbody tr').length === 3", timeout=WAIT
    )
    copied("second")
    found(page, "2 of 2 runs, 1 selected")
    shutil.rmtree(going)
    found(page, "1 of 1 runs, 0 selected")
    assert page.evaluate("() => window.same")


def test_what_is_odd_is_a_row_in_words(copied: Any, runs: Path, watch: Any, look: Any) -> None:
    (copied("half") / "run.json").unlink()
    copied("good")
    page = look(watch(runs).url).page
    found(page, "2 of 2 runs")
    row = page.locator("#runs-table tbody tr", has_text="half")
    assert "unreadable" in row.inner_text()
    assert "it has no run.json" in row.inner_text()
    page.get_by_role("button", name="Select all shown").click()
    page.wait_for_selector("#overlay svg", timeout=WAIT)


def test_a_thousand_runs_are_shown_and_followed(one_of_each: Path, runs: Path, watch: Any, look: Any) -> None:
    source = one_of_each / "climbing-line-0"
    files = {
        name: (source / name).read_text()
        for name in ("experiment.toml", "run.json", "metrics.jsonl", "summary.json")
    }
    for k in range(1000):
        folder = runs / f"run-{k:04d}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text.replace("seed = 0", f"seed = {k}"))
    page = look(watch(runs).url).page
    found(page, "1000 of 1000 runs")
    assert page.locator("#runs-table tbody tr").count() == 1000
    page.get_by_label("Filter").fill("seed>=990")
    found(page, "10 of 1000 runs")
    (runs / "run-0995" / "summary.json").write_text(
        json.dumps(json.loads(files["summary.json"]) | {"value": 77.125, "state": "done"})
    )
    holds(page, "#runs-table tbody", "77.13")
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Select all shown").click()
    holds(page, "#overlay", "at most 40 ")
    page.get_by_label("Group by").select_option("dag")
    holds(page, "#overlay", "at most 400 ")


def test_only_rows_that_changed_are_sent(copied: Any, runs: Path) -> None:
    copied("still")
    going = copied("going", state="running")
    source, sent = ManyRuns(runs), {}  # type: ignore[var-annotated]
    first = _events(source.page(), sent)
    assert len(first) == 2
    (rows,) = (json.loads(event.split("data: ")[1]) for event in first if event.startswith("event: rows"))
    assert {row["run"] for row in rows["changed"]} == {"still", "going"}
    assert _events(source.page(), sent) == []
    with (going / "metrics.jsonl").open("ab") as file:
        file.write(b'{"round":2,"value":7.5,"seconds":0.1}\n')
    (event,) = _events(source.page(), sent)
    told = json.loads(event.split("data: ")[1])
    assert ([row["run"] for row in told["changed"]], told["removed"]) == (["going"], [])


def test_gaps_of_many_runs_are_told_as_they_are(copied: Any, runs: Path) -> None:
    (copied("one") / "metrics.jsonl").write_text(
        '{"round":0,"nash_gap":3e-20,"seconds":0.1}\n{"round":1,"nash_gap":0.0,"seconds":0.1}\n'
    )
    source = ManyRuns(runs)
    source.page()
    told = source.overlay("nash_gap", [0], "")
    assert "one goes from 3·10⁻²⁰ to 0" in told
    assert '"floor": 3e-20' in told


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("overlay?measure=value&runs=x", 400),
        ("overlay?measure=colour&runs=1", 400),
        ("overlay?measure=value&runs=1&group=colour", 400),
        ("run/999", 404),
        ("other", 404),
    ],
)
def test_what_nobody_asks_for_is_refused_in_a_line(served: Any, query: str, code: int) -> None:
    urllib.request.urlopen(served.url, timeout=30).read()  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(served.url + query, timeout=30)  # noqa: S310
    assert refused.value.code == code
    assert refused.value.read().decode().count("\n") == 1


def test_a_name_that_is_markup_stays_text(copied: Any, runs: Path, watch: Any, look: Any) -> None:
    copied("<img src=x onerror=alert(1)>")
    page = look(watch(runs).url).page
    found(page, "1 of 1 runs")
    page.get_by_role("button", name="Select all shown").click()
    page.wait_for_selector("#overlay svg", timeout=WAIT)
    assert page.locator("img").count() == 0
