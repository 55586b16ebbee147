"""`bnpg games`, `bnpg games show` and `bnpg games export`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpg_math.games.registry import BUILDERS, game


def test_every_game_is_listed(run: Any) -> None:
    ended = run("games")
    assert (ended.code, ended.err) == (0, "")
    for name in BUILDERS:
        assert f"{name}(" in ended.out


def test_the_list_for_machines(run: Any) -> None:
    ended = run("games", "--json")
    games = {row["name"]: row for row in json.loads(ended.out)["games"]}
    assert set(games) == set(BUILDERS)
    climbing = games["climbing"]
    assert (climbing["agents"], climbing["states"], climbing["actions"]) == (2, 1, [3, 3])
    assert games["coordination"]["parameters"] == {"agents": 3, "epsilon": 0.1, "gamma": 0.95}
    assert all(row["description"] for row in games.values())
    for row in games.values():
        arguments = ", ".join(f"{name}={value}" for name, value in row["parameters"].items())
        assert game(f"{row['name']}({arguments})").agents == row["agents"]


@pytest.mark.parametrize("spec", ["coordination(agents=2)", "climbing", "random(seed=3)"])
def test_an_export_is_the_same_game(run: Any, here: Path, spec: str) -> None:
    assert run("games", "export", spec, "game.npz").code == 0
    original, read = game(spec), game("game.npz")
    assert np.array_equal(read.reward, original.reward)
    assert np.array_equal(read.initial, original.initial)
    assert read.gamma == original.gamma
    assert np.array_equal(read.transition.to_dense(), original.transition.to_dense())
    assert [path.name for path in here.iterdir()] == ["game.npz"]


def test_an_export_for_machines(run: Any, here: Path) -> None:
    ended = run("games", "export", "climbing", "game.npz", "--json")
    result = json.loads(ended.out)
    assert result["file"] == str(here / "game.npz")
    assert (result["agents"], result["states"], result["actions"]) == (2, 1, [3, 3])
    assert result["bytes"] == (here / "game.npz").stat().st_size


def test_an_export_never_overwrites(refused: Any, here: Path) -> None:
    (here / "game.npz").write_text("precious")
    (here / "link.npz").symlink_to("nowhere")
    assert "exists" in refused("games", "export", "climbing", "game.npz")
    assert "exists" in refused("games", "export", "climbing", "link.npz")
    assert (here / "game.npz").read_text() == "precious"


@pytest.mark.parametrize(("spec", "agents"), [("climbing", 2), ("coordination(agents=4)", 4)])
def test_a_game_is_described(run: Any, spec: str, agents: int) -> None:
    row = json.loads(run("games", "show", spec, "--json").out)
    assert (row["agents"], row["joint_actions"]) == (agents, int(np.prod(row["actions"])))
    assert row["reward_min"] == game(spec).reward.min()
    ended = run("games", "show", spec)
    assert (ended.code, ended.err) == (0, "")
    assert f"{agents} agents" in ended.out
    assert row["description"]


def test_a_file_is_described_too(run: Any, here: Path) -> None:
    assert run("games", "export", "climbing", "game.npz").code == 0
    assert "rewards -30 to 11" in run("games", "show", "game.npz").out


def test_of_a_simulator_another_command_is_named(refused: Any) -> None:
    assert "bnpg env check" in refused("games", "show", "relay")
