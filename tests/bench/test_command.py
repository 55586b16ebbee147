"""`bnpg bench`: what is asked for is measured, and mistakes are told before minutes are spent."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode
from click.testing import CliRunner

from bnpg.cli.bench import LETTERS
from bnpg.cli.root import bnpg
from bnpg.lab.bench import suite
from bnpg.lab.bench.document import Benchmark, Case, Results, Sample
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed
from bnpg_math.errors import InputError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Benchmarks that measure nothing, and what they were asked for; `g` fails."""
    asked: list[tuple[str, str]] = []

    def pretend(letter: str, effort: Effort) -> Benchmark:
        asked.append((letter, effort.sizes))
        if letter == "g":
            raise BenchmarkFailed("an agent ended with code 1")
        case = Case(name="case", parameters={}, samples={"ours": [Sample(seconds=0.5)]})
        return Benchmark(letter=letter, title="Title", about="", unit="a step", cases=[case])

    pretended = {letter: lambda effort, letter=letter: pretend(letter, effort) for letter in suite.BENCHMARKS}
    monkeypatch.setattr(suite, "BENCHMARKS", pretended)
    return asked


def test_the_command_offers_every_benchmark_that_needs_nothing_else() -> None:
    assert tuple(suite.BENCHMARKS) == LETTERS


def test_what_is_asked_for_is_measured_and_kept(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    ran = CliRunner().invoke(
        bnpg, ["bench", "--only", "b,a", "--quick", "--out", str(out), "--json", "-q"], standalone_mode=False
    )
    assert ran.return_value == ExitCode.DONE, ran.output
    assert asked == [("b", "quick"), ("a", "quick")]
    assert msgspec.convert(json.loads(ran.stdout), Results) == suite.read_results(out)
    assert suite.read_results(out).quick


def test_people_are_shown_medians(asked: list[tuple[str, str]]) -> None:
    ran = CliRunner().invoke(bnpg, ["bench", "--only", "a"])
    assert ran.stdout.startswith("a. Title, time a step: median (quartiles)\n  case\n    ours")
    assert "500 ms (500 ms to 500 ms)" in ran.stdout
    assert asked == [("a", "full")]


def test_a_benchmark_that_fails_is_told_and_the_others_are_kept(
    asked: list[tuple[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    ran = CliRunner().invoke(bnpg, ["bench", "--only", "g,f", "--out", str(out)], standalone_mode=False)
    assert ran.return_value == ExitCode.PEER_FAILED
    assert "bnpg: error: g could not be measured: an agent ended with code 1" in ran.stderr
    assert [found.letter for found in suite.read_results(out).benchmarks] == ["f"]


def test_nothing_is_measured_if_the_results_cannot_be_kept(
    asked: list[tuple[str, str]], tmp_path: Path
) -> None:
    ran = CliRunner().invoke(bnpg, ["bench", "--out", str(tmp_path / "missing" / "results.json")])
    assert isinstance(ran.exception, InputError)
    assert "expected a file in a folder" in str(ran.exception)
    assert asked == []


def test_an_unknown_letter_is_named() -> None:
    ran = CliRunner().invoke(bnpg, ["bench", "--only", "a,z"])
    assert ran.exit_code == ExitCode.USAGE
    assert "expected some of 'a', 'b', 'f', 'g', 'h', 'i', 'j', got 'z'" in ran.stderr
