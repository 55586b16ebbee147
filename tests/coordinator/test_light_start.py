"""What a process of a run of a game does not load when it starts: it would not be ready as soon."""

import subprocess
import sys

import pytest

HEAVY = ("networkx", "scipy", "zmq", "importlib.metadata", "bnpg_coordinator.environments")


@pytest.mark.parametrize("package", ["bnpg_agents", "bnpg_coordinator"])
def test_a_start_loads_nothing_that_only_some_runs_need(package: str) -> None:
    code = f"import {package}.__main__, sys; print([one for one in {HEAVY!r} if one in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_nor_does_a_small_random_game() -> None:
    code = (
        "import bnpg_coordinator.__main__, sys; from bnpg_math.games.registry import game; "
        f"game('random(states=8, agents=3)'); print([one for one in {HEAVY!r} if one in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[]"
