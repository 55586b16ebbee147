"""Reports in a real browser: no errors, nothing asked of a network, all widths, both schemes, keys, axe."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bnpg.__main__ import main

SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory,
    exact_run: Path,
    sampled_run: Path,
    bare_run: Path,
    two_teams: list[Path],
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    subjects = {"exact": [exact_run], "sampled": [sampled_run], "bare": [bare_run], "comparison": two_teams}
    for name, runs in subjects.items():
        assert main(["report", *map(str, runs), "--out", str(folder / f"{name}.html")]) == 0
    return {name: folder / f"{name}.html" for name in subjects}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["exact", "sampled", "bare", "comparison"])
def test_a_page_loads_alone_and_is_accessible(
    pages: dict[str, Path], look: Any, name: str, scheme: str
) -> None:
    seen = look(pages[name], scheme=scheme)
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["exact", "sampled", "bare", "comparison"])
def test_a_phone_needs_no_horizontal_scrolling(pages: dict[str, Path], look: Any, name: str) -> None:
    page = look(pages[name], width=360).page
    for details in page.query_selector_all("summary"):
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_figures_are_there_with_curves_in_sight(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    assert page.locator("figure.chart").count() == 4
    for figure in page.query_selector_all("figure.chart"):
        plot = figure.query_selector(".plot svg").bounding_box()
        line = figure.query_selector(".plot .line").bounding_box()
        assert plot["width"] > 200
        assert line["width"] > 0.9 * plot["width"]
        assert plot["y"] - 1 <= line["y"] <= plot["y"] + plot["height"] + 1
    assert page.locator(".dag .node").count() == 3
    assert page.locator(".dag .edge").count() == 3


def test_the_two_schemes_differ_and_the_button_overrules_them(pages: dict[str, Path], look: Any) -> None:
    def brightness(page: Any) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))

    light, dark = (look(pages["exact"], scheme=scheme).page for scheme in SCHEMES)
    assert brightness(light) > 600
    assert brightness(dark) < 150
    button = dark.get_by_role("button", name="Colours")
    button.click()
    assert button.inner_text() == "Colours: light"
    assert brightness(dark) == brightness(light)


def test_the_keyboard_reads_values_off_a_chart(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    cursor = page.get_by_role("slider", name="Read values: What the team earns")
    cursor.focus()
    page.keyboard.press("Home")
    assert cursor.get_attribute("aria-valuetext") == "round 0: exact value of the policy: 20"
    page.keyboard.press("ArrowRight")
    assert cursor.get_attribute("aria-valuetext").startswith("round 1: ")
    page.keyboard.press("End")
    assert cursor.get_attribute("aria-valuetext").startswith("round 30: ")
    assert "round 30: " in page.locator("#chart-value .reading").inner_text()


def test_the_pointer_reads_values_off_a_chart(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    cursor = page.locator("#chart-value .cursor")
    cursor.hover(position={"x": 2, "y": 50})
    assert page.locator("#chart-value .reading").inner_text().startswith("round 0: ")


def test_heat_maps_turn_over_states_and_before_and_after(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page

    def cells() -> list[float]:
        texts = page.locator(".heatmap").nth(2).locator("td").all_inner_texts()
        return [float(text.replace("−", "-")) for text in texts]

    after = cells()
    assert len(after) == 8
    for k in range(0, 8, 2):
        assert after[k] + after[k + 1] == pytest.approx(1, abs=0.002)
    page.get_by_role("button", name="Next state").click()
    assert "In state 1 " in page.locator(".likeliest").inner_text()
    page.get_by_role("slider", name="State").focus()
    page.keyboard.press("End")
    assert "In state 7 " in page.locator(".likeliest").inner_text()
    assert page.get_by_role("button", name="Next state").is_disabled()
    page.get_by_role("radio", name="before").check()
    assert cells() == [0.5] * 8
    page.get_by_role("radio", name="after").check()
    last = cells()
    page.get_by_role("radio", name="change").check()
    assert cells() == pytest.approx([value - 0.5 for value in last], abs=0.002)


def test_the_keyboard_reaches_everything_and_the_first_stop_skips_to_the_content(
    pages: dict[str, Path], look: Any
) -> None:
    page = look(pages["exact"]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className + document.activeElement.type"))
    reached = {name.replace("undefined", "") for name in reached}
    assert {"cursor on", "nextbutton", "range", "radio", "copybutton"} <= reached


def test_a_differences_table_shows_its_intervals(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["comparison"]).page
    rows = page.locator("table.differences tbody tr")
    assert rows.count() == 3
    assert "Student's t over 3 seeds" in rows.first.inner_text()
    assert page.locator(".whisker .range").count() == 3


def test_another_step_can_be_chosen_and_stepped_to(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["sampled"]).page
    box = page.locator(".steps")
    assert box.locator("figure.timeline .lane").count() == 3
    assert box.locator(".sequence svg line.message").count() == 5
    page.get_by_label("Step", exact=True).select_option("0.0")
    assert "in round 0, step 0" in box.locator("h3").first.inner_text()
    assert page.get_by_role("button", name="Earlier step").is_disabled()
    page.get_by_role("button", name="Later step").click()
    assert "in round 0, step 1" in box.locator("h3").first.inner_text()


def test_the_message_sequence_follows_the_chosen_colours(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["sampled"]).page
    stroke = "getComputedStyle(document.querySelector('.sequence .states line')).stroke"
    light = page.evaluate(stroke)
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours").click()
    assert page.evaluate(stroke) != light
