"""What the how-to pages show works as shown, from the top of the page to its end."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.effects import Record

from bnpg.__main__ import main
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.in_memory import setup_of_plan
from bnpg.launchers.cluster import Cluster
from bnpg.sweeps.grid import read_grid

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.M | re.S)
    assert found
    return found


def play(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)  # noqa: S102 (the pages are ours)
    return names


def test_use_from_python(here: Path) -> None:
    names = play("use-from-python.md")
    assert repr(names["run"]) in (PAGES / "use-from-python.md").read_text()
    # Alone and blind to each other, the two learn to push when there is something to push.
    assert names["pushed"].policy.tables[0][0].round(1).tolist() == [0.0, 1.0]
    assert main(["train", "cart.npz", "--rounds", "1", "--launcher", "memory", "--quiet", "--json"]) == 0


class StandIn:
    """A tracker that takes what Weights & Biases and MLflow take, and keeps it."""

    def __init__(self) -> None:
        self.sent: dict[int, dict[str, float]] = {}
        self.said: dict[str, Any] = {}
        self.summary = self.said

    def init(self, *, project: str, mode: str, config: dict[str, Any]) -> "StandIn":
        assert (project, mode) == ("bnpg", "offline")
        self.said |= config
        return self

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        assert all(isinstance(value, float) for value in numbers.values())
        self.sent[step] = numbers

    log_metrics = log

    def finish(self) -> None:
        self.said["finished"] = True

    def set_tracking_uri(self, uri: str) -> None:
        assert uri.startswith("sqlite:///")

    def set_experiment(self, name: str) -> None:
        assert name == "bnpg"

    @contextmanager
    def start_run(self) -> Iterator[None]:
        yield
        self.said["finished"] = True

    def log_params(self, values: dict[str, Any]) -> None:
        self.said |= values

    set_tags = log_params


def test_trackers_get_every_round(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackers = {name: StandIn() for name in ("wandb", "mlflow")}
    for name, tracker in trackers.items():
        monkeypatch.setitem(sys.modules, name, tracker)
    names = play("track-runs-elsewhere.md")
    for tracker in trackers.values():
        assert sorted(tracker.sent) == list(range(31))
        assert tracker.sent[30]["nash_gap"] == names["run"].summary["nash_gap"]
        assert tracker.said["policy_digest"] == names["run"].summary["policy_digest"]
        assert tracker.said["game"] == "climbing"
        assert tracker.said["finished"]
    before = dict(trackers["mlflow"].sent)
    trackers["mlflow"].sent.clear()
    names["records"](names["run"].folder)
    assert trackers["mlflow"].sent == before


def test_games_from_arrays(here: Path) -> None:
    names = play("games-from-arrays.md")
    assert names["ring"].states == 1000
    assert len(names["row"]().actions) == 100
    assert np.allclose(names["game"].transition.to_dense()[3, 0, 1], [0.27, 0.63, 0.03, 0.07])
    assert (
        main(
            [
                "train",
                "ring.npz",
                "--rounds",
                "1",
                "--lanes",
                "8",
                "--evaluate-every",
                "0",
                "--launcher",
                "memory",
                "--quiet",
                "--json",
            ]
        )
        == 0
    )


def test_the_game_of_the_tutorial(here: Path) -> None:
    names = play("../tutorial.md")
    shown = re.search(r'"optimality_gap"\]\)  # (\S+)', (PAGES / "../tutorial.md").read_text())
    assert shown
    assert round(names["run"].summary["optimality_gap"], len(shown[1].partition(".")[2])) == float(shown[1])


def test_games_from_functions(here: Path) -> None:
    names = play("games-from-functions.md")
    assert names["run"].summary["optimality_gap"] < 0.1
    assert names["team"].actions == (2, 2)
    assert names["alone"].states == 2


def test_export(here: Path) -> None:
    words = blocks("export.md", "console")[0].splitlines()[0].split()[2:]
    assert main([*words, "--rounds", "30", "--launcher", "memory", "--quiet", "--no-fsync"]) == 0
    names = play("export.md")
    assert len(names["record"]) == 31
    assert Path("runs/logged-too/metrics.csv").is_file()
    assert names["rows"][0, 0, 2] == names["table"][0, 0, 2]
    assert np.allclose(names["policy"].sum("a1"), 1)
    expected = (names["reward"] * names["policy"]).sum("a1")
    assert expected.dims == ("s", "a0")
    assert list(names["dag"].edges) == [(0, 1)]
    assert (len(names["states"]), len(names["states"].edges)) == (4, 16)


def test_a_policy_and_a_world_of_ones_own(here: Path) -> None:
    names = play("a-policy-of-your-own.md")
    assert set(names["Bounded"](np.zeros((4, 3))).theta) == {"raw"}
    fields = {"game": "relay(agents=2)", "dag": "0-1", "policy": "mlp:1", "update": "ppo"}
    plan = plan_experiment(fields | {"steps": 4, "lanes": 64, "rounds": 12, "evaluate-every": 0})
    setup = msgspec.structs.replace(setup_of_plan(plan), learning_rate=0.1)
    lines: list[float] = []
    cluster = Cluster(
        lambda generation: msgspec.structs.replace(setup, generation=generation),
        lambda effect: lines.append(effect.line.return_mean) if isinstance(effect, Record) else None,
        [{}, {}],
        policy=names["linear"],
    )
    cluster.simulation.run()
    assert set(cluster.thetas[0][12].theta) == {"weight"}
    assert lines[-2] > lines[0] + 0.5


def test_sweep(here: Path) -> None:
    grid, search = blocks("sweep.md", "toml")
    Path("search.toml").write_text(search)
    shown = next(block for block in blocks("sweep.md", "console") if "--dry-run" in block)
    drawn = read_grid(Path("search.toml"), samples=2).runs
    assert shown.splitlines()[1:] == [run.name for run in drawn]
    Path("edge.toml").write_text(grid)
    assert len(read_grid(Path("edge.toml")).runs) == 32
    Path("edge.toml").write_text(
        re.sub(r"seed = .*", "seed = [0]", grid).replace("rounds = 200", "rounds = 2")
    )
    assert main(["sweep", "edge.toml", "--quiet", "--no-fsync"]) == 0
    assert len(play("sweep.md")["table"]) == 4
