"""Running command lines in this process, in an empty folder of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpg.__main__ import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(here: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ended(int(code), *capfd.readouterr())

    return run


@pytest.fixture
def refused(run: Run, here: Path) -> Callable[..., str]:
    """A command line that must end with code 2, one line, and nothing left behind; returns the line."""

    def refused(*arguments: object) -> str:
        before = sorted(here.rglob("*"))
        ended = run(*arguments)
        assert (ended.code, ended.out) == (2, ""), ended
        assert ended.err.startswith("bnpg: error: ")
        assert ended.err.endswith("\n")
        assert ended.err.count("\n") == 1
        assert sorted(here.rglob("*")) == before
        return ended.err.removeprefix("bnpg: error: ").strip()

    return refused


@pytest.fixture
def game_arrays() -> dict[str, Any]:
    """A game of 2 states and 2 agents with 2 and 3 actions."""
    generator = np.random.default_rng(0)
    transition = generator.random((2, 2, 3, 2))
    return {
        "transition": transition / transition.sum(axis=-1, keepdims=True),
        "reward": generator.random((2, 2, 3)),
        "initial": np.array([0.25, 0.75]),
        "gamma": np.array(0.5),
    }


@pytest.fixture
def policy_arrays() -> dict[str, Any]:
    """A policy for that game whose second agent leads."""
    generator = np.random.default_rng(1)
    return {
        "edges": np.array([[1, 0]]),
        "theta_0": generator.normal(size=(2, 3, 2)),
        "theta_1": generator.normal(size=(2, 3)),
    }


@pytest.fixture
def game_file(here: Path, game_arrays: dict[str, Any]) -> Path:
    np.savez(here / "mine.npz", **game_arrays)
    return Path("mine.npz")


@pytest.fixture
def policy_file(here: Path, policy_arrays: dict[str, Any]) -> Path:
    np.savez(here / "policy.npz", **policy_arrays)
    return Path("policy.npz")
