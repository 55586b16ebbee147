"""`bnpg export --to marl-eval`: the layout that marl-eval asks for, without holes."""

import json
from pathlib import Path
from typing import Any

import pytest

import bnpg
from bnpg.__main__ import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(out: str, **settings: Any) -> bnpg.Run:
    given: dict[str, Any] = {"dag": "line", "rounds": 4, "lanes": 8, "horizon": 3, "evaluate_every": 2}
    return bnpg.train("coordination(agents=2)", out=out, **given | settings)


def exported(*words: str) -> Any:
    assert main(["export", *words, "--to", "marl-eval", "--out", "raw.json"]) == 0
    return json.loads(Path("raw.json").read_text())


def test_runs_are_laid_out_by_environment_task_algorithm_and_seed():
    runs = [train(f"run-{seed}", seed=seed) for seed in (0, 1)]
    data = exported("run-0", "run-1")
    assert list(data) == ["bnpg"]
    assert list(data["bnpg"]) == ["coordination(agents=2)"]
    (algorithm,) = data["bnpg"]["coordination(agents=2)"].items()
    assert algorithm[0] == "gradient table line"
    assert list(algorithm[1]) == ["seed_0", "seed_1"]
    for run, steps in zip(runs, algorithm[1].values(), strict=True):
        assert list(steps) == ["step_0", "step_1", "absolute_metrics"]
        assert [steps[f"step_{k}"]["step_count"] for k in (0, 1)] == [0, 2 * 8 * 3]
        for k, line in ((0, run.lines[0]), (1, run.lines[2])):
            assert steps[f"step_{k}"]["return"] == [line["return_mean"]]
            assert steps[f"step_{k}"]["nash_gap"] == [line["nash_gap"]]
        assert run.summary is not None
        assert steps["absolute_metrics"] == {
            "return": [run.summary["return_mean"]],
            "value": [run.summary["value"]],
            "nash_gap": [run.summary["nash_gap"]],
            "optimality_gap": [run.summary["optimality_gap"]],
        }


def test_of_a_simulator_the_return_of_drawn_actions_on_episodes_of_their_own_ends_it():
    run = bnpg.train("relay", rounds=2, lanes=16, steps=5, out="run", save_policy=True)
    (steps,) = exported("run", "--algorithm", "mine")["bnpg"]["relay"]["mine"].values()
    assert [steps[f"step_{k}"]["step_count"] for k in (0, 1)] == [0, 16 * 5]
    assert run.summary is not None
    assert steps["absolute_metrics"] == {"return": [run.summary["drawn_return_mean"]]}


def test_exact_rounds_are_their_own_steps():
    train("run", mode="exact", rounds=2, evaluate_every=1)
    (steps,) = exported("run", "--algorithm", "mine")["bnpg"]["coordination(agents=2)"]["mine"].values()
    assert [steps[f"step_{k}"]["step_count"] for k in (0, 1, 2)] == [0, 1, 2]
    assert "return" not in steps["absolute_metrics"]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_what_would_leave_holes_is_refused(capsys: pytest.CaptureFixture[str]):
    train("whole")
    train("longer", seed=1, rounds=6)
    train("exact", seed=2, mode="exact")
    train("unmeasured", seed=3, mode="exact", evaluate_every=0)
    to = ("--to", "marl-eval")
    assert "longer measured 3 times, whole 2 times" in refused(capsys, "whole", "longer", *to)
    assert "exact measured nash_gap, optimality_gap, value, whole" in refused(capsys, "whole", "exact", *to)
    assert "whole: gradient table line with seed 0 is there already" in refused(capsys, "whole", "whole", *to)
    Path("raw.json").touch()
    assert "raw.json exists" in refused(capsys, "whole", *to, "--out", "raw.json")
    assert "takes one run, got 2" in refused(capsys, "whole", "longer", "--to", "safetensors")
    assert "give --to marl-eval too" in refused(capsys, "whole", "--to", "safetensors", "--algorithm", "x")
    assert not Path("marl-eval.json").exists()
