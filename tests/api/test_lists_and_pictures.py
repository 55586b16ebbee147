"""Many runs from Python, what a notebook shows, and what counts as the same."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import bnpg
from bnpg.__main__ import main

EXACT = {"mode": "exact", "rounds": 4, "learning_rate": 0.5}


@pytest.fixture
def run(tmp_path: Path) -> bnpg.Run:
    return bnpg.train("climbing", dag="0-1", out=tmp_path / "run", **EXACT)


def test_a_sweep_runs_every_combination_as_the_command_does(tmp_path: Path, run: bnpg.Run) -> None:
    base = {"game": "climbing", **EXACT}
    ended = bnpg.sweep({"dag": ["empty", "0-1"]}, tmp_path / "sweep", base=base, jobs=1)
    assert (ended.runs, ended.done, ended.kept) == (2, 2, 0)
    found = {row.cells["dag"]: row.cells["policy_digest"] for row in ended.rows}
    assert found["0-1"] == run.policy.digest
    assert repr(ended).startswith("<Sweep")
    assert "interquartile mean" in ended._repr_html_()
    again = bnpg.sweep({"dag": ["empty", "0-1"]}, tmp_path / "sweep", base=base, jobs=1)
    assert again.kept == 2


@pytest.mark.parametrize(
    ("grid", "base", "words"),
    [
        ({}, {}, "expected a table"),
        ({"dag": ["empty"]}, {}, "no game"),
        ({"colour": ["red"]}, {}, "colour"),
        ({"game": ["climbing"]}, {"rounds": -1}, "rounds"),
        (
            {"seed": 3},
            {"game": "climbing"},
            r"grid.seed must be a list, got 3; one value belongs in \[base\]",
        ),
        ({"dag": "0-1"}, {"game": "climbing"}, "grid.dag must be a list, got '0-1'"),
        ({3: ["climbing"]}, {}, "grid must have names of settings, got 3"),
        ({"seed": [0]}, ["climbing"], r"base must map names of settings to values, got \['climbing'\]"),
        (
            {"seed": itertools.count()},
            {"game": "climbing"},
            "seed must hold at most 1000000 values",
        ),
        ({"x" * 1000: [1]}, {}, r"'x{1,80}\.\.\.x{1,80}': there is no such setting"),
        ({"seed": ["x" * 1000] * 2}, {"game": "climbing"}, r"grid.seed holds '.{,80}' twice"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused(tmp_path: Path, grid, base, words: str) -> None:
    with pytest.raises(bnpg.InputError, match=words):
        bnpg.sweep(grid, tmp_path / "sweep", base=base)
    assert not (tmp_path / "sweep").exists()


def test_what_is_drawn_must_be_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(bnpg.InputError, match="random must map names of settings to values, got inf"):
        bnpg.sweep({"game": ["climbing"]}, tmp_path / "sweep", random=float("inf"))
    assert not (tmp_path / "sweep").exists()


def test_runs_below_a_folder_are_listed(tmp_path: Path, run: bnpg.Run) -> None:
    bnpg.train("penalty", out=tmp_path / "deep" / "er", **EXACT)
    assert {one.folder.name for one in bnpg.runs(tmp_path)} == {"run", "er"}
    assert "climbing" in [one.name for one in bnpg.games()]
    assert callable(bnpg.sweep)


def test_runs_policies_and_games_are_equal_by_what_they_hold(tmp_path: Path, run: bnpg.Run) -> None:
    same = bnpg.train("climbing", dag="0-1", out=tmp_path / "same", **EXACT)
    other = bnpg.train("climbing", dag="0-1", out=tmp_path / "other", **(EXACT | {"rounds": 3}))
    assert run == same == bnpg.load_run(tmp_path / "run")
    assert run != other
    assert len({run.policy, same.policy, other.policy}) == 2
    assert bnpg.game("climbing") == bnpg.game("climbing") != bnpg.game("penalty")
    assert run != "run"
    assert run.policy != "policy"
    assert len({run, same}) == 1


def test_a_policy_draws_as_its_tables_say(run: bnpg.Run) -> None:
    drawn = run.policy.sample(np.zeros(4000, dtype=int), seed=3)
    assert drawn.shape == (4000, 2)
    assert np.array_equal(drawn, run.policy.sample(np.zeros(4000, dtype=int), seed=3))
    shares = np.bincount(drawn[:, 0], minlength=3) / 4000
    assert np.abs(shares - run.policies[0][0]).max() < 0.04
    for first in range(3):
        seen = drawn[drawn[:, 0] == first, 1]
        expected = run.policies[1][0, first]
        assert np.abs(np.bincount(seen, minlength=3) / max(len(seen), 1) - expected).max() < 0.1
    for wrong in ([1], [-1], [0.5], [[0]]):
        with pytest.raises(bnpg.PolicyError, match="states must be"):
            run.policy.sample(wrong)


def test_episodes_are_those_of_the_command(run: bnpg.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", str(run.folder), "--episodes", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["episodes"]
    played = run.episodes(2)
    assert [list(one.actions) for episode in played for one in episode] == [
        turn["actions"] for episode in told for turn in episode["turns"]
    ]
    assert [one.total for one in played] == [one["return"] for one in told]
    assert (len(played[0]), played[0].over, "reward" in played[0]._repr_html_()) == (1, True, True)


@pytest.mark.parametrize("wrong", [-1, 2.0, float("nan"), "3", None])
def test_numbers_of_episodes_and_steps_that_are_none_are_refused(run: bnpg.Run, wrong: object) -> None:
    with pytest.raises(bnpg.InputError, match="count must be an integer of at least 0, got"):
        run.episodes(wrong)
    for steps in (wrong, 0):
        with pytest.raises(bnpg.InputError, match="steps must be an integer of at least 1, got"):
            run.episodes(1, steps=steps)
    assert run.episodes(0) == []
    assert len(run.episodes(np.int64(2), steps=np.uint8(1))) == 2


def test_a_notebook_shows_tables_and_pictures(tmp_path: Path, run: bnpg.Run) -> None:
    assert "Run of climbing" in run._repr_html_()
    assert "Nash gap" in repr(run.evaluate())
    assert "optimality gap" in run.evaluate()._repr_html_()
    assert run.plot()._repr_png_().startswith(b"\x89PNG")
    run.plot().save(tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text()
    assert run.report() == run.folder / "report.html"
    assert "<html" in run.report(tmp_path / "mine.html").read_text()
    assert "agent" in run.policy._repr_html_()
    assert "-30 to 11" in run.game._repr_html_()
    many = bnpg.Policy(bnpg.Dag(1), [np.zeros((40, 2))])._repr_html_()
    assert many.count("<tr>") == 26
    assert ".. and 16 more" in many
    assert max(map(len, (repr(run), repr(run.policy), repr(run.game), repr(run.plot())))) < 120
