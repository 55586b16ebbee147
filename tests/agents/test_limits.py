"""What an agent may do, from the message to the draw."""

import numpy as np
import pytest
from bnpg_agents.limits import choosable, counted, joined, limits_of, played, well_formed
from bnpg_protocol.wire.messages import ObservationsAnnounced

NO_MASK, NO_FLAGS = np.zeros((0, 0), dtype=np.uint8), np.zeros(0, dtype=np.uint8)


def said(available=NO_MASK, alive=NO_FLAGS, lanes=2):
    states = np.zeros(lanes, dtype=np.uint8)
    return ObservationsAnnounced(
        0, 0, 0, 0, states, np.asarray(available, np.uint8), np.asarray(alive, np.uint8)
    )


def test_where_nothing_is_limited_there_are_no_limits():
    assert limits_of(said(), 2) is None
    assert joined([None, None], [2, 2], 2) is None


def test_what_is_left_out_limits_nothing():
    limits = limits_of(said(alive=[1, 0]), 3)
    assert limits.available.tolist() == [[1, 1, 1]] * 2
    whole = joined([None, limits], [2, 2], 3)
    assert whole.alive.tolist() == [1, 1, 1, 0]


def test_who_takes_no_part_does_0_and_learns_nothing():
    limits = limits_of(said([[0, 1], [0, 0]], [1, 0]), 2)
    assert choosable(limits).tolist() == [[0, 1], [1, 1]]
    assert played(np.array([1, 1]), limits).tolist() == [1, 0]
    assert counted(np.array([2.0, 3.0]), limits).tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    ("available", "alive", "holds"),
    [
        (NO_MASK, NO_FLAGS, True),
        ([[1, 0], [0, 1]], NO_FLAGS, True),
        ([[1, 0], [0, 0]], NO_FLAGS, False),
        ([[1, 0], [0, 0]], [1, 0], True),
        ([[1, 2], [0, 1]], NO_FLAGS, False),
        ([[1, 0, 0], [0, 1, 0]], NO_FLAGS, False),
        ([[1, 0]], NO_FLAGS, False),
        (NO_MASK, [1], False),
        (NO_MASK, [1, 2], False),
    ],
)
def test_masks_must_fit_and_leave_the_living_something(available, alive, holds):
    assert well_formed(said(available, alive), 2) is holds
