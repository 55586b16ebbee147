"""How sides take turns, and what is computed from their samples."""

from pathlib import Path

import pytest

from bnpg.lab.bench.document import Benchmark, Case, Results, Sample, Target, spread_of
from bnpg.lab.bench.effort import TINY, Effort
from bnpg.lab.bench.machine import this_machine
from bnpg.lab.bench.measured_run import BenchmarkFailed
from bnpg.lab.bench.suite import check_mixable, merged, read_results, run_suite, write_results
from bnpg.lab.bench.turns import take_turns
from bnpg_math.errors import InputError


def case(ours: list[float], rival: list[float]) -> Case:
    samples = {
        "ours": [Sample(seconds=one) for one in ours],
        "rival": [Sample(seconds=one) for one in rival],
    }
    return Case(name="case", parameters={}, samples=samples)


def results(*letters: str, quick: bool = False) -> Results:
    found = [
        Benchmark(letter=one, title=one, about="", unit="a step", cases=[case([1.0], [2.0])])
        for one in letters
    ]
    return Results(bnpg="1", written="2026-01-01", quick=quick, machine=this_machine(), benchmarks=found)


def test_sides_take_turns_and_every_other_repetition_the_other_way_round() -> None:
    order: list[str] = []

    def side(name: str) -> Sample:
        order.append(name)
        return Sample(seconds=float(len(order)))

    samples = take_turns({name: lambda name=name: side(name) for name in "abc"}, 3)
    assert "".join(order) == "abccbaabc"
    assert [sample.seconds for sample in samples["b"]] == [2, 5, 8]
    assert all(0.0 <= sample.steal <= 1.0 for one in samples.values() for sample in one)


def test_a_case_that_takes_too_long_is_not_repeated_more_often_than_the_spread_needs() -> None:
    samples = take_turns({"ours": lambda: Sample(seconds=1.0)}, 100, budget=0.0)
    assert len(samples["ours"]) == 3


def test_what_is_kept_of_earlier_results_says_when_and_under_which_load_it_was_measured() -> None:
    earlier, later = results("a", "b"), results("b")
    earlier.machine.load, later.written = 0.25, "2026-02-02"
    kept, again = merged(earlier, later).benchmarks
    assert (kept.letter, kept.measured, kept.load) == ("a", "2026-01-01", 0.25)
    assert again.letter == "b"
    third = results("b")
    third.machine.load = 30.0
    # Each names what it was measured with, not what this environment happens to have.
    later.machine.packages = {"numpy": "2"}
    third.machine.packages, earlier.machine.packages = {"numpy": "3"}, {"ray": "1", "numpy": "2"}
    whole = merged(merged(earlier, later), third)
    assert whole.benchmarks[0] == kept
    assert whole.machine.packages["ray"] == "1"
    assert whole.machine.packages["numpy"] == "3"


def test_ratios_are_taken_within_a_repetition() -> None:
    # The machine was ten times as slow in the second repetition, for both: the ratio does not see it.
    measured = case([2.0, 20.0, 2.2], [1.0, 10.0, 1.0])
    assert measured.pairs("rival") == pytest.approx([2.0, 2.0, 2.2])
    assert measured.ratio("rival").median == pytest.approx(2.0)


def test_the_spread_is_median_and_quartiles() -> None:
    spread = spread_of([5.0, 1.0, 2.0, 3.0, 4.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 3.0, 4.0)


def test_a_target_has_a_direction() -> None:
    assert Target(sense="at most", ratio=1.5).met(1.5)
    assert not Target(sense="at most", ratio=1.5).met(1.6)
    assert not Target(sense="at least", ratio=5.0).met(4.9)


def test_results_survive_the_disk(tmp_path: Path) -> None:
    before = results("a", "b")
    write_results(before, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == before


@pytest.mark.parametrize(
    ("text", "message"), [("{}", "no results of benchmarks"), ("not json", "no results of benchmarks")]
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_results(tmp_path / "results.json")


def test_measuring_one_benchmark_again_keeps_the_others() -> None:
    earlier, later = results("a", "b", "c"), results("b")
    later.benchmarks[0].title = "again"
    assert [found.title for found in merged(earlier, later).benchmarks] == ["a", "again", "c"]


def test_results_of_another_machine_or_effort_are_not_mixed() -> None:
    earlier = results("a")
    check_mixable(earlier, quick=False)
    with pytest.raises(InputError, match="another effort"):
        check_mixable(earlier, quick=True)
    earlier.machine.processor = "abacus"
    with pytest.raises(InputError, match="another machine: processor 'abacus'"):
        check_mixable(earlier, quick=False)


def test_a_benchmark_that_fails_is_named_and_the_others_go_on() -> None:
    def fails(effort: Effort) -> Benchmark:
        raise BenchmarkFailed("nobody came")

    def works(effort: Effort) -> Benchmark:
        return results("b").benchmarks[0]

    seen: list[str] = []
    found = run_suite({"a": fails, "b": works}, TINY, lambda one: seen.append(one.letter))
    assert found.not_measured == {"a": "nobody came"}
    assert [one.letter for one in found.benchmarks] == seen == ["b"]
