"""What a process of a run of a game does not load when it starts: it would not be ready as soon."""

import pytest

from bnpg.lab.testing.imports import loaded_by

HEAVY = ("networkx", "scipy", "zmq", "importlib.metadata", "bnpg_coordinator.environments")


@pytest.mark.parametrize("package", ["bnpg_agents", "bnpg_coordinator"])
def test_a_start_loads_nothing_that_only_some_runs_need(package: str) -> None:
    assert loaded_by(f"import {package}.__main__", HEAVY) == []


def test_nor_does_a_small_random_game() -> None:
    program = "import bnpg_coordinator.__main__; from bnpg_math.games.registry import game"
    assert loaded_by(f"{program}; game('random(states=8, agents=3)')", HEAVY) == []
