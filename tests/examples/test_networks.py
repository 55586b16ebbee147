"""`examples/networks`: studies are trained, go on where they were interrupted, and come to their table."""

import csv
import runpy
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import bnpg
from bnpg.experiment_plan import plan_experiment

EXAMPLE = Path(__file__).parents[2] / "examples" / "networks"
Run = Callable[..., str]


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return what is compared; what else the example consists of can be imported beside it."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    parts = ("studies", "training", "outcome", "figure")
    for name in parts:
        sys.modules.pop(name, None)
    yield import_module("studies")
    for name in parts:
        sys.modules.pop(name, None)


@pytest.fixture
def run(
    studies: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")  # as the example does, and back afterwards

    def started(*words: str) -> str:
        options = ["--quick", "--jobs", "1", "--out", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", ["networks", *words, *options])
        runpy.run_path(str(EXAMPLE), run_name="__main__")
        return capsys.readouterr().out

    return started


def test_a_game_and_a_simulator_are_trained_drawn_and_not_trained_again(
    run: Run, studies: ModuleType, tmp_path: Path
) -> None:
    told = run("penalty", "assign")
    assert "penalty(k=-100), 2 seeds, 128 steps" in told
    assert "| line, barrier | " in told
    for name in ("penalty", "assign"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    with (tmp_path / "assign.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["team"], row["seed"]) for row in rows] == [
        (team, seed) for team in ("empty", "line", "complete") for seed in "01"
    ]
    study = studies.STUDIES["assign"]
    again = bnpg.train(study.world, seed=1, **study.options(study.teams[1], True)).summary
    assert again is not None
    assert rows[3]["digest"] == again["policy_digest"]
    # The last lines are lost, as if it had been killed: only they are trained again.
    kept = tmp_path / "assign.jsonl"
    whole = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join(whole[:5]))
    before = (tmp_path / "assign.csv").read_bytes()
    run("assign")
    assert (tmp_path / "assign.csv").read_bytes() == before
    assert kept.read_bytes() == b"".join(whole)


def test_no_interval_is_claimed_of_seeds_that_are_alike(studies: ModuleType) -> None:
    training, outcome = import_module("training"), import_module("outcome")
    study = studies.STUDIES["climbing"]
    results = [
        training.Result(team, seed, {}, "line", greedy, greedy, greedy, drawn, [1.0], [0.0], "")
        for team, values in (("alike", (11.0, 11.0)), ("apart", (7.0, 11.0)))
        for seed, (greedy, drawn) in enumerate(zip(values, (1.0, 2.0), strict=True))
    ]
    told = outcome.table(study, results).splitlines()
    assert told[2] == "| alike | 11 | 11 | 1.5 [-4.853, 7.853] | 2 of 2 [34 %, 100 %] |"
    assert told[3].startswith("| apart | 9 [-16.41, 34.41] | 9 [")
    assert told[3].endswith("| 1 of 2 [9 %, 91 %] |")


def test_a_graph_is_pruned_to_its_budget(run: Run, tmp_path: Path) -> None:
    run("relay", "--seeds", "1")
    with (tmp_path / "relay.csv").open() as file:
        dags = {row["team"]: row["dag"] for row in csv.DictReader(file)}
    assert dags["complete"] == "complete"
    assert dags["3 edges, learned"].count("-") == 3


def test_every_study_can_be_trained_in_full(studies: ModuleType) -> None:
    for study in studies.STUDIES.values():
        for team in study.teams:
            options = study.options(team, False)
            fields = {name.replace("_", "-"): value for name, value in options.items() if name != "fsync"}
            planned = plan_experiment({"game": study.world, **fields})
            assert planned.experiment.rounds == options["rounds"]
