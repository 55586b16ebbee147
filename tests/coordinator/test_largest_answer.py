"""How long a frame that comes in may be: as long as the longest right answer, and not much longer."""

from typing import Any

import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.shell import _largest_answer
from msgspec.structs import replace

from bnpg.lab.testing.in_memory import setup_of


@pytest.mark.parametrize(
    ("fields", "sealed", "bytes_"),
    [
        ({"game": "climbing"}, 0, 131072),
        ({"game": "climbing", "lanes": 1 << 20}, 0, 2 * (1 << 20)),
        ({"game": "climbing"}, 1 << 24, 1 << 24),
        ({"game": "random(states=60, agents=4, actions=6)", "dag": "complete"}, 0, 8 * 60 * 6**4),
        ({"game": "random(states=60, agents=4, actions=6)", "dag": "empty"}, 0, 131072),
    ],
    ids=["small", "many lanes", "sealed", "a large table", "small tables"],
)
def test_it_is_128_kib_or_what_the_largest_answer_needs(
    fields: dict[str, Any], sealed: int, bytes_: int
) -> None:
    setup = replace(setup_of(Experiment(**fields)), largest_sealed=sealed)
    assert _largest_answer(setup) == bytes_
