"""Environments that are unusual and right play as plain ones do."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")

from bnpg_coordinator.environments.probe import carried_over, play
from bnpg_coordinator.environments.teams import team
from bnpg_coordinator.environments.world import EnvironmentWorld
from bnpg_coordinator.worlds.interface import WorldFailed

from bnpg.conformance import check_world

sys.path.append(str(Path(__file__).parent))
unusual = importlib.import_module("unusual")

SAME = [
    "Signs",
    "Numbers",
    "Pairs",
    "Members",
    "NumpyRewards",
    "TruthRewards",
    "NoInfos",
    "EmptiesActions",
]
"""They differ from `Plain` in nothing that is played."""
OTHERS = [
    "Nested",
    "OfNoAxis",
    "Nothing",
    "OneAction",
    "Alone",
    "Short",
    "Endless",
    "MaskedNowAndThen",
    "NothingAllowed",
    "GoesAndReturns",
]


def world_of(name: str) -> EnvironmentWorld:
    kind = getattr(unusual, name)
    return EnvironmentWorld(lambda: team(kind(), name), name, 0.9, 20)


@pytest.mark.parametrize("name", SAME)
def test_names_and_kinds_of_numbers_change_nothing(name: str) -> None:
    assert play(world_of(name), 3).digest == play(world_of("Plain"), 3).digest


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_unusual_is_a_world_and_plays_the_same_again(name: str) -> None:
    check_world(world_of(name))
    assert carried_over(lambda: world_of(name), 5) == []


def test_who_may_do_nothing_takes_no_part_and_who_returns_does_again() -> None:
    idle = play(world_of("NothingAllowed"), 3).seen
    alive = np.array([[one[0] for one in idle[time, 0][-2:]] for time in range(6)])
    assert alive[0].all(), "reset() says nothing of masks here"
    assert not alive[1:].any()
    back = play(world_of("GoesAndReturns"), 3).seen
    assert [int(back[time, 0][-1][0]) for time in range(6)] == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("name", ["MaskOfNan", "MaskOfWords"])
def test_a_mask_that_is_none_is_named(name: str) -> None:
    why = "lane 0, step 0, agent a: the mask must hold finite numbers, got"
    with pytest.raises(WorldFailed, match=why):
        play(world_of(name), 3)
