"""The page says what the results say."""

from pathlib import Path

import pytest
from msgspec import structs

from benchmarks.page import PAGE, ROOT, TARGETS, make_page
from bnpg.lab.bench.document import Benchmark, Case, Messages, Results, Sample, Target
from bnpg.lab.bench.machine import this_machine
from bnpg.lab.bench.suite import read_results


def results() -> Results:
    case = Case(
        name="line of 5",
        parameters={},
        samples={
            "ours": [Sample(seconds=0.003, cpu_seconds=0.004, switches=12.0, steal=0.25)] * 3,
            "ring": [Sample(seconds=0.001, steal=0.25)] * 3,
        },
        targets={"ring": Target(sense="at most", ratio=1.5)},
        limits={"seconds": 2.0},
        left_out={"Ray actors": "no module"},
        messages=Messages(by_kind={"ActionsChosen": 9.0}, bytes_by_kind={"ActionsChosen": 100.0}),
        lanes=600,
    )
    found = Benchmark(letter="a", title="One step", about="How.", unit="a step", cases=[case], seconds=61.0)
    return Results(
        bnpg="1.2.3",
        written="2026-01-02T03:04:05+00:00",
        quick=False,
        machine=this_machine(),
        benchmarks=[found],
        not_measured={"g": "no keys"},
    )


def test_the_page_holds_every_number(tmp_path: Path) -> None:
    make_page(results(), tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "Measured 2026-01-02 with bnpg 1.2.3" in page
    targets = (tmp_path / TARGETS).read_text(encoding="utf-8")
    assert "| a | line of 5: time of ours over ring | at most 1.5: missed | 3.00 (3.00 to 3.00) |" in targets
    assert "| a | line of 5: the time | at most 2 s: met | 3 ms |" in targets
    assert "at most 1.5" not in page
    row = "| line of 5<br>9 messages, 900 B a step | ours | 3 ms (3 ms to 3 ms) |  | 0.20 | 4 ms |"
    assert f"{row} 12.0 | 25.0 % |" in page
    assert "|  | ring | 1 ms (1 ms to 1 ms) | 3.00 (3.00 to 3.00) | 0.60 |" in page
    assert "Ray actors | not measured: no module" in page
    assert "**g** could not be measured: no keys" in page


def test_every_row_of_a_table_has_as_many_cells_as_its_heading(tmp_path: Path) -> None:
    make_page(results(), tmp_path / "page.md")
    tables = [block for block in (tmp_path / "page.md").read_text().split("\n\n") if block.startswith("|")]
    tables += [block for block in (tmp_path / TARGETS).read_text().split("\n\n") if block.startswith("|")]
    assert len(tables) >= 2
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_the_page_of_the_documents_is_made_from_the_results_that_are_kept(tmp_path: Path) -> None:
    make_page(read_results(ROOT / "benchmarks" / "results.json"), tmp_path / "benchmarks.md")
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    assert (tmp_path / TARGETS).read_text(encoding="utf-8") == (PAGE.parent / TARGETS).read_text("utf-8")
    assert (tmp_path / "images" / "benchmarks-growth.png").exists()
    assert (PAGE.parent / "images" / "benchmarks-growth.png").exists()


def grown() -> Results:
    """Results with a case that says what a user gets, and transports beside it."""
    plain = results()
    growing = Case(
        name="5 agents, line",
        parameters={"grows": "agents", "dag": "line"},
        samples={"ours": [Sample(seconds=0.002)] * 3},
        lanes=600,
    )
    transports = Case(
        name="a world",
        parameters={},
        samples={"ipc": [Sample(seconds=0.003)] * 3, "unix": [Sample(seconds=0.001)] * 3},
        ours="ipc",
    )
    plain.benchmarks += [
        Benchmark(letter="e", title="Growth", about="How.", unit="a step", cases=[growing]),
        Benchmark(letter="i", title="Transports", about="How.", unit="a step", cases=[transports]),
    ]
    return plain


def test_the_page_opens_with_what_a_user_gets(tmp_path: Path) -> None:
    make_page(grown(), tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    first = page.split("## ")[1]
    assert first.startswith("What you get")
    assert "| 5 agents, line, 1 lane | 500 | 300 k |" in first
    assert "| a world | ipc | 3.00 (3.00 to 3.00) |" in first


def test_of_what_was_measured_on_a_busy_machine_only_ratios_are_shown(tmp_path: Path) -> None:
    busy = grown()
    load = 10.0 * busy.machine.cores
    stamps = {"measured": "2026-03-04T00:00:00+00:00", "load": load}
    busy.benchmarks = [structs.replace(found, **stamps) for found in busy.benchmarks]
    make_page(busy, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"Measured 2026-03-04 under a load average of {load:.1f}. The machine was busy" in page
    assert "| line of 5 | ours | 3.00 (3.00 to 3.00) |" in page
    assert "| a world | ipc | 3.00 (3.00 to 3.00) |" in page
    assert "2 ms" not in page
    assert "300 k" not in page
    assert "the time | at most" not in (tmp_path / TARGETS).read_text(encoding="utf-8")


@pytest.mark.parametrize(("others", "busy"), [(0.02, False), (0.3, True)])
def test_what_others_kept_busy_says_more_than_the_load_of_our_own_benchmark_before(
    tmp_path: Path, others: float, busy: bool
) -> None:
    found = grown()
    cores = found.machine.cores
    stamps = {"measured": "2026-03-04T00:00:00+00:00", "load": 10.0 * cores, "others": others * cores}
    found.benchmarks = [structs.replace(one, **stamps) for one in found.benchmarks]
    make_page(found, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"Measured 2026-03-04, while others kept {others * cores:.2f} cores busy." in page
    assert ("The machine was busy" in page) == busy
    assert ("300 k" in page) != busy
