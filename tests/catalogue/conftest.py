"""Folders of runs of every kind: whole, under way, half-written, odd; and very many."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bnpg.__main__ import main

Make = Callable[..., Path]

GAMES, DAGS, SEEDS = ("climbing", "penalty"), ("empty", "line"), (0, 1)
ALL = {f"{game}-{dag}-{seed}" for game in GAMES for dag in DAGS for seed in SEEDS}

TERMS: dict[str, set[str]] = {
    "climbing": {name for name in ALL if name.startswith("climbing")},
    "LINE": {name for name in ALL if "line" in name},
    "game=penalty": {name for name in ALL if name.startswith("penalty")},
    "game!=penalty": {name for name in ALL if name.startswith("climbing")},
    "seed=1": {name for name in ALL if name.endswith("1")},
    "seed<1": {name for name in ALL if name.endswith("0")},
    "seed>=0": ALL,
    "learning-rate=0.05": ALL,
    "learning_rate=0.05": ALL,
    "rounds>4": set(),
    "value>-1e9": ALL,
    "return_mean=": ALL,
    "return_mean>0": set(),
    "return_mean!=3": ALL,
    "seed=many": set(),
    "seed!=many": ALL,
    "state=done": ALL,
    "climbing(agents=5)": set(),
}
"""A term, and the runs of `one_of_each` for which it holds."""


@pytest.fixture(scope="session")
def one_of_each(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no test changes: two games, two graphs, two seeds."""
    folder = tmp_path_factory.mktemp("catalogue") / "runs"
    for game in GAMES:
        for dag in DAGS:
            for seed in SEEDS:
                words = ["train", game, "--mode", "exact", "--dag", dag, "--seed", seed, "--rounds", 4]
                words += ["--initial", "normal", "--learning-rate", 0.05, "--evaluate-every", 1]
                words += ["--launcher", "memory", "--no-fsync", "--quiet", "--json"]
                words += ["--out", folder / f"{game}-{dag}-{seed}"]
                assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """An empty folder for runs that a test changes."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def copied(one_of_each: Path, runs: Path) -> Make:
    """Copy a run, as it is or as if it were not over: under way, or left by everybody long ago."""

    def copy(name: str, source: str = "climbing-line-0", state: str = "done") -> Path:
        # The catalogue passes over what begins with a dot: it sees the run as a whole.
        whole = runs / name
        folder = whole.with_name(f".{whole.name}")
        shutil.copytree(one_of_each / source, folder, copy_function=shutil.copyfile)
        if state != "done":
            for gone in ("summary.json", "certificate.json"):
                (folder / gone).unlink()
            lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
            (folder / "metrics.jsonl").write_bytes(b"".join(lines[:2]))
            # Nobody renews the status while the test looks on.
            written = time.time() + 3600.0 if state == "running" else 1000.0
            status = {"phase": "running", "round": 1, "rounds": 4, "written": written}
            (folder / "status.json").write_text(json.dumps(status))
        if state == "left":
            for file in folder.iterdir():
                os.utime(file, (1000.0, 1000.0))
        return folder.rename(whole)

    return copy


@pytest.fixture(scope="session")
def all_runs() -> set[str]:
    """The names of the runs of `one_of_each`."""
    return ALL


@pytest.fixture(scope="session", params=TERMS)
def term(request: pytest.FixtureRequest) -> tuple[str, set[str]]:
    """A term of a filter, and the runs for which it holds."""
    return request.param, TERMS[request.param]
