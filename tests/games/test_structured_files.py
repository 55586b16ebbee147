"""A game keeps its structure in a run folder, so that every launcher and a resumed run play the same."""

import subprocess
import sys

import numpy as np
import pytest

import bnpg
from bnpg_math.errors import GameError
from bnpg_math.games.file import load_game, save_game
from bnpg_math.games.registry import game as built_in

GAMES = [
    "coordination(agents=3, epsilon=0.2)",
    "penalty",
    "random(states=70, agents=4, actions=6)",
    "slotted_aloha",
]


@pytest.mark.parametrize("spec", GAMES)
def test_written_as_it_is_a_game_has_the_same_digest(tmp_path, spec):
    game = built_in(spec)
    save_game(game, tmp_path / "g.npz", whole=False)
    again = load_game(tmp_path / "g.npz")
    assert again.digest == game.digest
    assert type(again.transition) is type(game.transition)


def lamps(**changes):
    press = np.array([[0.9, 0.1], [0.1, 0.9]])
    given = {
        "sizes": (2, 2),
        "actions": (2, 2),
        "components": [bnpg.Component(press, agents=(0,)), bnpg.Component(press, agents=(1,))],
        "reward": np.array([0.0, 0.0, 0.0, 1.0]).reshape(4, 1, 1),
        "initial": np.full(4, 0.25),
        "gamma": 0.9,
    }
    return bnpg.product_game("lamps", **{**given, **changes})


def test_a_product_of_kernels_is_the_game_of_its_tensor():
    game = lamps()
    tensor = game.transition.to_dense()
    assert tensor[0, 1, 0].tolist() == pytest.approx([0.09, 0.01, 0.81, 0.09])
    whole = bnpg.dense_game("lamps", tensor, game.reward, game.initial, 0.9)
    uniform = bnpg.Policy.from_tables(bnpg.Dag(2), [np.full((4, 2), 0.5)] * 2)
    assert bnpg.evaluate(game, uniform).value == pytest.approx(bnpg.evaluate(whole, uniform).value)


def test_every_launcher_plays_the_same_product_of_kernels(tmp_path):
    small = {"rounds": 4, "lanes": 8, "dag": "line"}
    runs = [
        bnpg.train(lamps(), launcher=launcher, out=tmp_path / launcher, **small)
        for launcher in ("memory", "local")
    ]
    assert runs[0].policy.digest == runs[1].policy.digest
    assert "exact arithmetic" in runs[1].summary["certificate"]
    assert bnpg.load_run(tmp_path / "local").game.digest == lamps().digest
    for checked in (["bnpg", "certificate", "check"], ["bnpg.certified.exact_check"]):
        ended = subprocess.run(
            [sys.executable, "-m", *checked, str(tmp_path / "local")],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (2,)}, "expected 1 components, got 2"),
        ({"sizes": (2, 2.5)}, "sizes must be a list of integers"),
        ({"reward": np.zeros((3, 2, 2))}, r"reward must have shape \(4, 2, 2\), got \(3, 2, 2\)"),
        ({"components": [bnpg.Component(np.eye(2))] * 2}, r"kernel of component 0 must have shape \(2,\)"),
    ],
)
def test_what_is_no_product_is_one_line(changes, message):
    with pytest.raises(GameError, match=message) as error:
        lamps(**changes)
    assert "\n" not in str(error.value)


def test_a_file_that_lacks_a_kernel_says_which(tmp_path):
    save_game(lamps(), tmp_path / "g.npz", whole=False)
    with np.load(tmp_path / "g.npz") as arrays:
        kept = {name: arrays[name] for name in arrays if name != "kernel_1"}
    np.savez(tmp_path / "bad.npz", **kept)
    with pytest.raises(GameError, match=r"bad.npz: lacks kernel_1; expected one for each of the sizes"):
        load_game(tmp_path / "bad.npz")
