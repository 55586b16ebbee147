"""A random search draws the same points for the same file, and one line names each mistake in it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnpg
from bnpg.cli.sweep import _table
from bnpg.sweeps.grid import Grid, read_grid
from bnpg.sweeps.random_search import Range, uniform
from bnpg.sweeps.task import run_task
from bnpg_math.errors import InputError

SEARCH = """
[base]
game = "climbing"
mode = "exact"
rounds = 2
[random]
samples = 6
learning-rate = {from = 0.01, to = 1, scale = "log"}
regularization = [0, 0.1]
[grid]
initial = ["zeros", "normal"]
"""


@pytest.fixture
def search(here: Path) -> Path:
    Path("search.toml").write_text(SEARCH)
    return Path("search.toml")


def test_the_same_file_draws_the_same_points_and_each_meets_every_combination(search: Path) -> None:
    grid = read_grid(search)
    assert len(grid.runs) == 12
    points = [run.point for run in grid.runs]
    assert points == [run.point for run in read_grid(search).runs]
    # The numbers of one file are the same everywhere, so they can be written down.
    assert points[0] == {"learning-rate": 0.6106, "regularization": 0.1, "initial": "zeros"}
    assert points[1] == points[0] | {"initial": "normal"}
    assert len({run.digest for run in grid.runs}) == 12
    assert grid.varying == ["learning-rate", "regularization", "initial"]


def test_more_samples_keep_the_first_points_and_another_key_draws_others(search: Path) -> None:
    few, many = (
        [run.point for run in read_grid(search, samples).runs if run.point["initial"] == "zeros"]
        for samples in (4, 30)
    )
    assert (len(few), len(many)) == (4, 30)
    assert many[:4] == few
    search.write_text(SEARCH.replace("samples = 6", "samples = 4\nkey = 1"))
    other = [run.point for run in read_grid(search).runs if run.point["initial"] == "zeros"]
    assert not {point["learning-rate"] for point in other} & {point["learning-rate"] for point in many}


def test_another_field_does_not_move_the_values_of_the_others(search: Path) -> None:
    before = [run.point["learning-rate"] for run in read_grid(search).runs]
    search.write_text(SEARCH.replace("[random]", "[random]\nevaluate-every = {from = 1, to = 99}"))
    assert [run.point["learning-rate"] for run in read_grid(search).runs] == before


@given(
    st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.booleans(), st.floats(0, 1, exclude_max=True)
)  # fmt: skip
def test_a_number_is_within_its_range(one: float, other: float, logarithmic: bool, share: float) -> None:
    low, high = sorted((one, other))
    assert low <= Range(low, high, logarithmic, False).at(share) <= high


@pytest.mark.parametrize("logarithmic", [False, True])
def test_all_integers_of_a_range_are_drawn_with_its_weights(logarithmic: bool) -> None:
    shares = [uniform(0, "lanes", count) for count in range(4000)]
    drawn = [Range(1, 4, logarithmic, True).at(share) for share in shares]
    weights = {k: math.log((k + 1) / k, 5) if logarithmic else 0.25 for k in (1, 2, 3, 4)}
    for value, weight in weights.items():
        assert drawn.count(value) == pytest.approx(4000 * weight, rel=0.15)


def test_logarithms_are_level_over_decades() -> None:
    drawn = [Range(0.001, 1, True, False).at(uniform(3, "x", count)) for count in range(3000)]
    counts, _ = np.histogram(np.log10(drawn), [-3, -2, -1, 0])
    assert counts == pytest.approx([1000] * 3, rel=0.12)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("learning-rate = 1", r"random.learning-rate must be a list, or a range .* got 1"),
        ("learning-rate = {from = 1, to = 1}", "from must be below to, got 1 and 1"),
        ("learning-rate = {from = 0, to = 1, scale = 'log'}", "from must be above 0, got 0"),
        ("learning-rate = {from = 0, to = inf}", "from must be below to"),
        ("learning-rate = {from = 0.1}", "missing required field `to`"),
        ("learning-rate = {from = 0.1, to = 1, sclae = 'log'}", "unknown field `sclae`"),
        ("learning-rate = {from = 0.1, to = 1, scale = 'cubic'}", "cubic"),
        ("lanes = {from = 1, to = 2.5}", "must be integers, got 1 and 2.5"),
        ("optimizer = {from = 1, to = 2}", "has no numbers to draw from"),
        ("regularization = [0, 1]\nsamples = 3", "has hardly more than 2 different points"),
        ("regularization = [0, 0]", "random.regularization holds 0 twice"),
        ("regularization = []", "must not be an empty list"),
        ("samples = 3", "draws nothing"),
        ("lanes = [1, 2]\nsamples = 0", "samples and key: "),
        ("lanes = [1, 2]\nsamples = 200000", "makes 200000 runs, expected at most 100000"),
        ("game = ['climbing', 'penalty']", r"game is in both \[base\] and \[random\]"),
        ("learning-rat = [1]", "did you mean 'learning-rate'"),
        ("learning-rate = {from = -2, to = -1}", r"run 0 \(learning-rate -1.*learning-rate"),
    ],
)
def test_a_mistake_is_one_line(here: Path, run: Callable[..., Any], table: str, says: str) -> None:
    Path("g.toml").write_text(f'[base]\ngame = "climbing"\nmode = "exact"\n[random]\n{table}\n')
    with pytest.raises(InputError, match=says):
        read_grid(Path("g.toml"))
    ended = run("sweep", "g.toml")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


def test_it_is_run_and_shown_with_the_best_first(search: Path, run: Callable[..., Any]) -> None:
    search.write_text(SEARCH.replace("regularization = [0, 0.1]", "").replace(', "normal"', ""))
    ended = bnpg.sweep(search, "found", samples=2, jobs=1)
    assert [row.point for row in ended.rows] == [run.point for run in read_grid(search, 2).runs]
    rows = [line for line in _table(ended.aggregates, ranked=True) if line.startswith("  learning-rate")]
    scores = [float(row.split()[-1]) for row in rows]
    assert (len(scores), scores) == (2, sorted(scores, reverse=True))
    other = run("sweep", search, "--out", "found", "--jobs", 1)
    assert (other.code, "random.samples is 2 there and 6 here" in other.err) == (2, True)
    # One that was given other rounds since would make the table a mix.
    grid = read_grid(search, 2)
    folder = Path("found/runs") / grid.runs[0].name
    assert run("resume", folder, "--rounds", 3, "--quiet").code == 0
    said = run_task({"folder": str(folder), "settings": {"launcher": "memory"}, "rounds": 2})
    assert said["why"] == f"{folder} was given 3 rounds since, expected 2: move it away, and it is run again"


def test_the_points_are_listed_before_anything_runs(search: Path, run: Callable[..., Any]) -> None:
    dry = run("sweep", search, "--samples", 3, "--dry-run", "--json")
    assert json.loads(dry.out)["points"] == [run.point for run in read_grid(search, 3).runs]
    assert not Path("sweeps").exists()
    plain = Path("plain.toml")
    plain.write_text('[grid]\ngame = ["climbing"]\n')
    none = run("sweep", plain, "--samples", 3)
    assert (none.code, "has no table [random]" in none.err) == (2, True)


def test_python_draws_the_points_of_the_file(search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Grid] = []
    monkeypatch.setattr("bnpg.api.sweeping.run_sweep", lambda grid, *_, **__: asked.append(grid))
    bnpg.sweep(
        {"initial": ("zeros", "normal")},
        "found",
        base={"game": "climbing", "mode": "exact", "rounds": np.int64(2)},
        random={
            "learning_rate": {"from": np.float64(0.01), "to": 1, "scale": "log"},
            "regularization": (np.int64(0), np.float64(0.1)),
        },
        samples=6,
    )
    assert asked[0].runs == read_grid(search).runs
