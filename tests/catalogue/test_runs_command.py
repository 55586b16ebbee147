"""`bnpg runs`: a table for people, an object for programs, one line where there is nothing to show."""

import json
from pathlib import Path
from typing import Any

import pytest

from bnpg.__main__ import main

Ask = Any


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    def ask(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["runs", *map(str, words)])
        out, err = capfd.readouterr()
        return int(code), out, err

    return ask


def test_the_table_shows_every_run_and_the_settings_that_differ(
    ask: Ask, one_of_each: Path, all_runs: set[str]
) -> None:
    code, out, err = ask(one_of_each)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split("  ")[0] == "run"
    assert {"game", "dag", "seed", "value"} <= set(lines[0].split())
    assert "mode" not in lines[0]
    assert {line.split()[0] for line in lines[1:9]} == all_runs
    assert lines[-1] == f"8 runs in {one_of_each}"


def test_json_is_one_object_whose_missing_numbers_have_reasons(ask: Ask, one_of_each: Path) -> None:
    code, out, _ = ask(one_of_each, "--json", "--filter", "game=climbing", "--sort", "-value", "--limit", 3)
    told = json.loads(out)
    assert code == 0
    assert told["found"] == 8
    values = [run["value"] for run in told["runs"]]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    for run in told["runs"]:
        assert run["return_mean"] is None
        assert run["return_mean_reason"] == "not measured"
        assert run["run_dir"] == str((one_of_each / run["run"]).absolute())
        assert len(run["policy_digest"]) == 64


def test_groups_come_with_their_medians(ask: Ask, one_of_each: Path) -> None:
    code, out, _ = ask(one_of_each, "--group", "game", "--group", "dag", "--json")
    groups = json.loads(out)["groups"]
    assert code == 0
    assert [(one["runs"], one["done"]) for one in groups] == [(2, 2)] * 4
    assert {(one["game"], one["dag"]) for one in groups} == {
        (game, dag) for game in ("climbing", "penalty") for dag in ("empty", "line")
    }
    assert "median value" in ask(one_of_each, "--group", "game")[1]


def test_nothing_to_show_is_said_in_a_line(ask: Ask, one_of_each: Path, tmp_path: Path) -> None:
    assert ask(tmp_path)[:2] == (0, f"no run is in {tmp_path} yet\n")
    assert ask(one_of_each, "--filter", "seed=9")[:2] == (0, f"none of 8 runs in {one_of_each} fits\n")
    assert json.loads(ask(tmp_path, "--json")[1])["runs"] == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere"], "nowhere does not exist; expected a folder with runs in it"),
        (["{runs}", "--filter", "sed=1"], "did you mean 'seed'"),
        (["{runs}", "--sort", "valu"], "did you mean 'value'"),
        (["{runs}", "--group", "colour"], "there is no such column or setting"),
        (["{runs}", "--limit", "0"], "--limit"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(ask: Ask, one_of_each: Path, words: list[str], why: str) -> None:
    code, out, err = ask(*(word.format(runs=one_of_each) for word in words))
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1
