"""Small runs to report on."""

import shutil
from pathlib import Path

import pytest

from bnpg.__main__ import main

PLAN = """
[[drop]]
probability = 0.05

[[kill]]
process = "agent-1"
phase = "sending"
round = 2

[[partition]]
groups = [["agent-0"], ["coordinator", "agent-*"]]
round = 3
seconds = 0.2
"""


def train(folder: Path, *options: object) -> Path:
    """Train in this process and return the run folder."""
    words = ["train", *options, "--launcher", "memory", "--no-fsync", "--quiet", "--json", "--out", folder]
    assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def exact_run(runs: Path) -> Path:
    """Three fully correlated agents, exact updates with the certified step, the policy saved."""
    options = ("--mode", "exact", "--dag", "complete", "--rounds", 30, "--learning-rate", "certified")
    return train(
        runs / "exact", "coordination(agents=3)", *options, "--regularization", 0.05, "--save-policy"
    )


@pytest.fixture(scope="session")
def sampled_run(runs: Path) -> Path:
    """Two agents that play, under faults, with everything recorded."""
    plan = runs / "plan.toml"
    plan.write_text(PLAN)
    options = (
        "--rounds",
        6,
        "--lanes",
        8,
        "--horizon",
        3,
        "--evaluate-every",
        2,
        "--trace",
        "--faults",
        plan,
    )
    return train(runs / "sampled", "climbing", "--dag", "line", *options)


@pytest.fixture(scope="session")
def certified_run(runs: Path) -> Path:
    """A run that ends as soon as a gap is certified, long before its last round."""
    options = ("--mode", "exact", "--dag", "complete", "--step-size", "backtracking", "--rounds", 3000)
    stop = ("--stop-at-epsilon", 2, "--stop-gap", "optimality", "--evaluate-every", 1)
    return train(runs / "certified", "climbing", *options, *stop)


@pytest.fixture(scope="session")
def bare_run(runs: Path) -> Path:
    """A run that was never evaluated and whose thetas are gone."""
    folder = train(
        runs / "bare", "climbing", "--rounds", 3, "--lanes", 4, "--horizon", 2, "--evaluate-every", 0
    )
    shutil.rmtree(folder / "agents")
    return folder


@pytest.fixture(scope="session")
def two_teams(runs: Path) -> list[Path]:
    """Three seeds each of a team without edges and of a fully correlated one."""
    options = ("--mode", "exact", "--rounds", 40, "--learning-rate", 0.05, "--initial", "normal")
    return [
        train(runs / f"{dag}-{seed}", "climbing", *options, "--dag", dag, "--seed", seed)
        for dag in ("empty", "complete")
        for seed in range(3)
    ]
