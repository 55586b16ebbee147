"""Reports in a real browser: no errors, nothing asked of a network, all widths, both schemes, keys, axe."""

import csv
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from bnpg.__main__ import main
from bnpg.report.chart import Chart, Series
from bnpg.report.page import Page, render_page, render_section

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
    # Nor do the settings and what they mean, which have words enough to be cut.
    cut = "[...document.querySelectorAll('.scroll:has(.settings)')].map(e => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(cut) == [False] * (name != "comparison")


def test_figures_are_there_with_curves_in_sight(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    assert page.locator("figure.chart").count() == 4
    for figure in page.query_selector_all("figure.chart"):
        plot = figure.query_selector(".plot svg").bounding_box()
        line = figure.query_selector(".plot .line").bounding_box()
        assert plot["width"] > 200
        assert line["width"] > 0.8 * plot["width"]  # all but the margin of the axis
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


def rounds_in_sight(page: Any, chart: str) -> list[str]:
    """What the reading cursor says at both ends of a chart."""
    cursor = page.locator(f"#chart-{chart} .cursor")
    cursor.focus()
    said = []
    for key in ("Home", "End"):
        page.keyboard.press(key)
        said.append(cursor.get_attribute("aria-valuetext").split(":")[0])
    cursor.blur()
    return said


def test_a_chart_is_zoomed_by_keys_by_buttons_and_by_dragging(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    figure = page.locator("#chart-value")
    everything = figure.get_by_role("button", name="Show all")
    assert everything.is_disabled()
    figure.locator(".cursor").focus()
    page.keyboard.press("Home")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert rounds_in_sight(page, "value") == ["round 5", "round 20"]
    page.keyboard.press("Escape")
    figure.get_by_role("button", name="Zoom out").click()
    assert rounds_in_sight(page, "value") == ["round 0", "round 27"]
    everything.click()
    box = figure.locator(".cursor").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 110, steps=4)
    page.mouse.up()
    first, last = rounds_in_sight(page, "value")
    assert int(first.split()[1]) > 10
    assert int(last.split()[1]) < 30
    everything.click()
    assert rounds_in_sight(page, "value") == ["round 0", "round 30"]


def test_a_curve_can_be_left_out_and_comes_back(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    figure = page.locator("#chart-gaps")
    nash = figure.get_by_role("button", name="Nash gap")
    assert figure.locator(".plot .line.nash").count() == 1
    nash.focus()
    page.keyboard.press("Space")
    assert nash.get_attribute("aria-pressed") == "false"
    assert figure.locator(".plot .line.nash").count() == 0
    figure.locator(".cursor").focus()
    assert "Nash gap" not in figure.locator(".reading").inner_text()
    nash.focus()
    page.keyboard.press("Enter")
    assert figure.locator(".plot .line.nash").count() == 1


def test_both_axes_can_be_logarithmic(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    figure = page.locator("#chart-gaps")
    upright = figure.get_by_role("button", name="Logarithmic vertical axis")
    assert upright.get_attribute("aria-pressed") == "true"
    before = figure.locator(".plot .line.nash path").get_attribute("d")
    upright.click()
    assert upright.get_attribute("aria-pressed") == "false"
    assert figure.locator(".plot .line.nash path").get_attribute("d") != before
    figure.get_by_role("button", name="Logarithmic horizontal axis").click()
    assert rounds_in_sight(page, "gaps") == ["round 10", "round 30"]  # 0 has no logarithm


@pytest.mark.parametrize("kind", ["CSV", "SVG", "PNG"])
def test_a_chart_is_downloaded_as_table_drawing_and_picture(
    pages: dict[str, Path], look: Any, kind: str, tmp_path: Path
) -> None:
    page = look(pages["exact"]).page
    with page.expect_download() as waiting:
        page.locator("#chart-gaps").get_by_role("button", name=f"Download {kind}").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    assert saved.name == f"gaps.{kind.lower()}"
    if kind == "CSV":
        with saved.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["curve"] for row in rows} == {"optimality gap", "Nash gap"}
        assert [int(row["round"]) for row in rows if row["curve"] == "Nash gap"] == [0, 10, 20, 30]
        assert float(rows[0]["value"]) > 0
    elif kind == "SVG":
        root = ElementTree.parse(saved).getroot()  # noqa: S314 (the page made it)
        texts = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "How far it is from the best" in texts
        assert "— Nash gap" in texts
        assert "currentColor" not in {node.get("stroke") for node in root.iter()}
    else:
        assert saved.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("width", [390, 1200, 2560])
def test_charts_fill_their_place_at_every_width_without_a_hole(
    pages: dict[str, Path], look: Any, width: int
) -> None:
    page = look(pages["exact"], width=width).page
    whole = page.locator("#curves .charts").bounding_box()
    figures = [one.bounding_box() for one in page.query_selector_all("#curves figure.chart")]
    for row in {box["y"] for box in figures}:
        beside = [box for box in figures if box["y"] == row]
        assert max(box["x"] + box["width"] for box in beside) == pytest.approx(whole["x"] + whole["width"])
    for figure in page.query_selector_all("#curves figure.chart"):
        box, drawn = figure.bounding_box(), figure.query_selector("svg").bounding_box()
        assert drawn["width"] == pytest.approx(box["width"], abs=2)


def test_on_paper_there_are_curves_and_no_buttons(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["exact"]).page
    page.emulate_media(media="print")
    assert page.locator("#chart-value svg .line").is_visible()
    for unwanted in (".tools", ".cursor", ".copy", ".theme"):
        assert not page.locator(unwanted).first.is_visible()
    page.emulate_media(media="screen")


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
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className + document.activeElement.type"))
    reached = {name.replace("undefined", "") for name in reached}
    assert {"cursor on", "button", "nextbutton", "range", "radio", "copybutton"} <= reached


def test_a_differences_table_shows_its_intervals(pages: dict[str, Path], look: Any) -> None:
    page = look(pages["comparison"]).page
    rows = page.locator("table.differences tbody tr")
    assert rows.count() == 3
    assert "bootstrap over 3 seeds" in rows.first.inner_text()
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


def drawn(folder: Path, look: Any, *series: Series, log: bool = False, floor: float | None = None) -> Any:
    """A page with one chart, opened, with the keyboard on its first point."""
    chart = Chart("one", "Title", "Caption.", "round", "value", series, log=log, floor=floor)
    section = render_section("curves", "Curves", "charts.html.j2", charts=[chart], words=[])
    (folder / "page.html").write_text(render_page(Page("title", "", [section])))
    page = look(folder / "page.html").page
    page.locator("#chart-one .cursor").focus()
    page.keyboard.press("Home")
    return page


def axis(page: Any) -> list[str]:
    """What stands at the ticks of the vertical axis."""
    labels: list[str] = page.locator("#chart-one [aria-label='y-axis tick label'] text").all_text_contents()
    return labels


def test_what_is_below_the_floor_is_drawn_there_and_told_as_it_is(tmp_path: Path, look: Any) -> None:
    gap = Series("gap", "nash", np.arange(3.0), np.array([1.0, 3e-20, 0.0]), dots=True)
    page = drawn(tmp_path, look, gap, log=True, floor=1e-12)
    told = []
    for _ in range(3):
        told.append(page.locator("#chart-one .reading").inner_text())
        page.keyboard.press("ArrowRight")
    assert told == ["round 0: gap: 1", "round 1: gap: 3e-20", "round 2: gap: 0"]
    heights = [dot.bounding_box()["y"] for dot in page.query_selector_all("#chart-one .dots circle")]
    assert heights[0] < heights[1] == heights[2]
    with page.expect_download() as waiting:
        page.locator("#chart-one").get_by_role("button", name="Download CSV").click()
    waiting.value.save_as(tmp_path / "one.csv")
    with (tmp_path / "one.csv").open(newline="") as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == [1.0, 3e-20, 0.0]


@pytest.mark.parametrize(("base", "span"), [(1e9, 0.5), (1e9, 2e-5), (0.0, 3e-12), (1.0, 1e-13)])
def test_a_small_rise_far_from_0_is_drawn_with_labels_that_tell_it(
    tmp_path: Path, look: Any, base: float, span: float
) -> None:
    page = drawn(tmp_path, look, Series("one", "value", np.arange(2.0), np.array([base, base + span])))
    labels = axis(page)
    assert len(labels) > 2
    assert len(set(labels)) == len(labels)
    reading = page.locator("#chart-one .reading")
    first = reading.inner_text().partition("one: ")[2]
    page.keyboard.press("End")
    assert reading.inner_text().partition("one: ")[2] != first
    line = page.query_selector("#chart-one .line").bounding_box()
    assert line["height"] > 100
    left = page.query_selector("#chart-one svg").bounding_box()["x"]
    texts = page.query_selector_all("#chart-one [aria-label='y-axis tick label'] text")
    assert all(text.bounding_box()["x"] >= left for text in texts)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_whether_an_interval_is_read_as_symmetric_does_not_depend_on_the_unit(
    tmp_path: Path, look: Any, unit: float
) -> None:
    x, middle = np.zeros(1), np.array([5.0 * unit])
    skew = Series("skew", "value", x, middle, middle - 4 * unit, middle + unit)
    even = Series("even", "nash", x, middle, middle - 0.1 * unit, middle + 0.1 * unit)
    reading = drawn(tmp_path, look, skew, even).locator("#chart-one .reading").inner_text()
    skewed, _, evened = reading.partition("; even")
    assert " to " in skewed
    assert "±" in evened


def test_a_reading_has_the_digits_that_its_error_asks_for(tmp_path: Path, look: Any) -> None:
    mean, error = np.array([1e9 + 0.12]), np.array([1e-8])
    one = Series("one", "value", np.zeros(1), mean, mean - error, mean + error, error=error)
    assert drawn(tmp_path, look, one).locator("#chart-one .reading").inner_text() == (
        "round 0: one: 1000000000.1200000 ± 1e-8"
    )
