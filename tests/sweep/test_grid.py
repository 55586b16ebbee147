"""Grid files: what they mean, and one clear line for every mistake."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpg.sweeps import grid
from bnpg.sweeps.grid import plan_of, read_grid
from bnpg_math.errors import InputError


def test_every_combination_is_a_run_and_the_last_field_varies_fastest(grid_file: Path) -> None:
    found = read_grid(grid_file)
    assert [tuple(run.point.values()) for run in found.runs] == [
        (game, dag, seed) for game in ("climbing", "penalty") for dag in ("empty", "0-1") for seed in (0, 1)
    ]
    assert [run.name for run in found.runs][:2] == [
        "0_game-climbing_dag-empty_seed-0",
        "1_game-climbing_dag-empty_seed-1",
    ]
    assert [run.experiment.seed for run in found.runs] == [0, 1] * 4
    assert {run.experiment.rounds for run in found.runs} == {3}
    assert len({run.digest for run in found.runs}) == 8


def test_every_field_of_an_experiment_may_vary(here: Path) -> None:
    axes = {
        "game": '["climbing"]', "mode": '["sampled", "exact"]', "dag": '["line"]', "rounds": "[1]",
        "learning-rate": '[0.5, "certified"]', "regularization": "[0, 0.1]",
        "optimizer": '["ascent"]', "schedule": '["constant"]',
        "step-size": '["fixed"]', "direction": '["gradient"]', "momentum": '["none"]', "lanes": "[2]",
        "barrier": '["uniform"]', "policy": '["table"]',
        "update": '["gradient"]', "epochs": "[5]", "minibatches": "[1]", "clip": "[0.2]", "entropy": "[0]",
        "gae-lambda": "[0.95]", "longest-gradient": "[0.5]", "critic": '["mlp:64,64"]',
        "critic-learning-rate": "[0.001]",
        "parts": "[1]", "horizon": '[3, "geometric"]', "baseline": '["none"]',
        "steps": "[100]", "discount": "[0.99]", "world": '[""]', "encoder": '[""]',
        "team-reward": '["mean"]', "instances": '["kept"]',
        "initial": '["zeros", "normal"]', "seed": "[0]", "sure-steps": "[0]", "certify-samples": "[0]",
            "evaluate-every": "[1]",
        "stop-at-epsilon": "[0]", "stop-gap": '["nash"]',
        "save-policy": "[false, true]", "trace": "[false]",
    }  # fmt: skip
    assert set(axes) == set(grid.FIELDS)
    Path("g.toml").write_text("[grid]\n" + "\n".join(f"{name} = {values}" for name, values in axes.items()))
    assert len(read_grid(Path("g.toml")).runs) == 2**6


def test_files_are_found_from_the_grid_and_their_content_counts(here: Path) -> None:
    Path("sub").mkdir()
    arrays: dict[str, Any] = {"transition": np.ones((1, 2, 2, 1)), "initial": np.ones(1), "gamma": 0.0}
    np.savez("sub/mine.npz", reward=np.eye(2)[None], **arrays)
    Path("sub/g.toml").write_text('[grid]\ngame = ["mine.npz", "climbing"]\n')
    before = read_grid(Path("sub/g.toml"))
    assert plan_of(before.fields(before.runs[0]), before.folder, before.runs[0].digest).game.agents == 2
    np.savez("sub/mine.npz", reward=2 * np.eye(2)[None], **arrays)
    after = read_grid(Path("sub/g.toml"))
    assert before.runs[0].digest != after.runs[0].digest
    assert before.runs[1].digest == after.runs[1].digest
    with pytest.raises(InputError, match="has changed since the sweep began"):
        plan_of(before.fields(before.runs[0]), before.folder, before.runs[0].digest)


LONG = f"0x{'f' * 6000}"
BITS = "expected an integer of at most 1024 bits, got an integer of 24000 bits"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"a table \[grid\]"),
        ("[grid]", r"a table \[grid\]"),
        ("[gird]\nseed = [0]", "got 'gird'"),
        ("seed = [0]", "got 'seed'"),
        ("grid = 3", "got 'grid'"),
        ("[grid", "Expected"),
        ("[grid]\nseed = [0, 1]", "no game"),
        ("[grid]\ngame = []", "grid.game must not be an empty list"),
        ('[grid]\ngame = "climbing"', "grid.game must be a list"),
        ('[base]\ngame = ["climbing"]\n[grid]\nseed = [0]', r"base.game must be one value"),
        ('[base]\ngame = "climbing"\n[grid]\ngame = ["climbing"]', r"game is in both"),
        ('[grid]\ngame = ["climbing"]\nseed = [0, 1, 0]', "grid.seed holds 0 twice"),
        ('[grid]\ngame = ["climbing"]\nseed = [[0]]', "grid.seed must hold plain values"),
        ('[grid]\ngame = ["climbing"]\nlearning_rate = [1]', "did you mean 'learning-rate'"),
        ('[grid]\ngame = ["climbing"]\nsede = [1]', "did you mean 'seed'"),
        ('[grid]\ngame = ["climbing"]\nseed = [0, -1]', r"run 1 \(game climbing, seed -1\).*seed"),
        ('[grid]\ngame = ["climbing"]\nseed = [0, true]', r"run 1 .*seed"),
        ('[grid]\ngame = ["climbing", "climing"]', "run 1 .*did you mean 'climbing'"),
        ('[grid]\ngame = ["climbing"]\ndag = ["0-1", "0-2"]', "run 1 .*dag 0-2"),
        ('[grid]\ngame = ["climbing"]\nmode = ["exakt"]', "run 0 .*mode"),
        (f'[grid]\ngame = ["climbing"]\nseed = [0, {LONG}]', f"grid.seed.1: {BITS}"),
        (f'[base]\ngame = "climbing"\nlanes = {LONG}\n[grid]\nseed = [0]', f"base.lanes: {BITS}"),
        (
            f'[base]\ngame = "climbing"\n[random]\nlanes = {{from = 1, to = {LONG}}}',
            f"random.lanes.to: {BITS}",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_it(here: Path, run: Any, text: str, says: str) -> None:
    Path("g.toml").write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        read_grid(Path("g.toml"))
    assert str(caught.value).startswith("g.toml")
    ended = run("sweep", "g.toml")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert [path.name for path in here.iterdir()] == ["g.toml"]


def test_a_missing_file_and_too_many_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"none.toml: No such file"):
        read_grid(Path("none.toml"))
    monkeypatch.setattr(grid, "LARGEST", 3)
    Path("g.toml").write_text('[grid]\ngame = ["climbing"]\nseed = [0, 1, 2, 3]')
    with pytest.raises(InputError, match="makes 4 runs, expected at most 3"):
        read_grid(Path("g.toml"))
