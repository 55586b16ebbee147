"""What is used, but not quite as it came, is told once: on the command line, and from Python."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnpg

TOLD = "sum to 1 only within the precision of their numbers and were divided by their sums"
TRAIN = ("--mode", "exact", "--rounds", "2", "--quiet", "--no-fsync", "--launcher", "memory")


@pytest.fixture
def single(here: Path, game_arrays: dict[str, Any]) -> Path:
    """A game file whose probabilities were kept in single precision."""
    rows = np.array([0.1, 0.9], dtype=np.float32)
    np.savez("single.npz", **game_arrays | {"transition": 0 * game_arrays["transition"] + rows})
    return here / "single.npz"


def test_a_command_says_it_once_and_a_run_is_of_the_divided_rows(
    run: Callable[..., Any], single: Path
) -> None:
    ended = run("train", single, *TRAIN, "--out", "a", "--save-policy")
    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert line.startswith("bnpg: warning: game single: ")
    assert TOLD in line
    ended = run("evaluate", single, "--policy", "a/policy.npz", "--json")
    assert (ended.code, ended.err.count(TOLD)) == (0, 1)
    with pytest.warns(bnpg.InputWarning, match=TOLD):
        game = bnpg.game(single)
    assert bnpg.load_run("a").game.digest == game.digest
    bnpg.save_game(game, "divided.npz")
    ended = run("train", "divided.npz", *TRAIN, "--out", "b", "--save-policy")
    assert (ended.code, ended.err) == (0, "")
    assert bnpg.load_run("b").game.digest == game.digest
    assert Path("a/policy.npz").read_bytes() == Path("b/policy.npz").read_bytes()


def test_python_warns_in_the_line_of_the_caller(single: Path) -> None:
    arrays = {**np.load(single)}
    asked: list[Callable[[], Any]] = [
        lambda: bnpg.game(single),
        lambda: bnpg.dense_game("g", **arrays),
        lambda: bnpg.train(str(single), mode="exact", rounds=0, out="run"),
    ]
    for call in asked:
        with pytest.warns(bnpg.InputWarning, match=TOLD) as caught:
            call()
        assert [(Path(one.filename).name, TOLD in str(one.message)) for one in caught] == [
            ("test_notices.py", True)
        ]


def test_a_game_that_is_used_as_it_came_is_not_spoken_of(game_arrays: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not bnpg.dense_game("g", **game_arrays).notices
