"""Sweeps in an empty folder of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bnpg.__main__ import main

SMALL = """
[base]
rounds = 3
lanes = 8
horizon = 3
evaluate-every = 2
[grid]
game = ["climbing", "penalty"]
dag = ["empty", "0-1"]
seed = [0, 1]
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def grid_file(here: Path) -> Path:
    file = Path("small.toml")
    file.write_text(SMALL)
    return file


@pytest.fixture
def run(here: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ended(int(code), *capfd.readouterr())

    return run
