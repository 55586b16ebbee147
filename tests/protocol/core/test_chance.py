"""Random numbers and next states of few lanes: the core comes to what NumPy and the worlds come to."""

import math
from typing import Any

import numpy as np
import pytest
from bnpg_coordinator.lanes import Episodes
from bnpg_coordinator.worlds.table import TablePlay, TableWorld
from bnpg_protocol import core
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bnpg.lab.testing.lockstep import same
from bnpg_math.chance.prefetch import PrefetchedUniforms
from bnpg_math.chance.streams import Purpose
from bnpg_math.games.game import Game
from bnpg_math.games.transitions import product
from bnpg_math.games.transitions.dense import DenseTransition
from bnpg_math.games.transitions.interface import Transition
from bnpg_math.games.transitions.product import Component, ProductTransition
from bnpg_math.games.transitions.sparse import SparseTransition
from bnpg_math.games.transitions.stateless import StatelessTransition

pytestmark = pytest.mark.skipif(core.name() == core.PYTHON, reason="the core is not compiled here")

KINDS = (StatelessTransition, DenseTransition, ProductTransition)


@given(
    seed=st.integers(0, 2**64 - 1),
    purpose=st.sampled_from(Purpose),
    first=st.integers(0, 2**32 - 8),
    round_=st.integers(0, 2**62),
    time=st.integers(0, 2**62),
    block=st.integers(0, 2**40),
    lanes=st.integers(1, 256),
)
@settings(max_examples=100, deadline=None)
def test_uniforms_are_those_of_numpy_at_any_address(
    seed: int, purpose: Purpose, first: int, round_: int, time: int, block: int, lanes: int
) -> None:
    from bnpg_protocol.core._steady import uniforms_of

    streams = PrefetchedUniforms(seed, purpose, range(first, first + 2))
    expected = streams.take(round_, time, 4 * block, lanes)
    for number in range(2):
        assert uniforms_of(streams, number, round_, time, 4 * block, lanes) == expected[number].tolist()


def rows(dice: np.random.Generator, *shape: int) -> Any:
    weights = dice.random(shape) * (dice.random(shape) < 0.7)
    weights[..., dice.integers(shape[-1])] += 0.1
    return weights / weights.sum(axis=-1, keepdims=True)


def transition(kind: str, dice: np.random.Generator) -> Any:
    """Return a random transition: of 300 states where two bytes are needed."""
    actions = (2, 3)
    if kind == "stateless":
        return StatelessTransition(rows(dice, *actions, 300))
    if kind == "dense":
        return DenseTransition(rows(dice, 5, *actions, 5))
    if kind == "many actions":
        return StatelessTransition(rows(dice, 16, 17, 4))
    if kind == "sparse":
        return SparseTransition(csr_array(rows(dice, 30, 5)), actions)
    parts = [
        Component(rows(dice, 3, 2, 3), components=(0,), agents=(0,)),
        Component(rows(dice, 2, 3, 7), agents=(0, 1)),
        Component(rows(dice, 3, 3, 20), components=(0,), agents=(1,)),
        Component(rows(dice, 2), agents=()),
    ]
    return ProductTransition((3, 7, 20, 2), actions, parts)


def episodes(kernel: Transition, seed: int, lanes: int) -> Episodes:
    states = kernel.states
    game = Game("g", kernel, np.zeros((states, *kernel.actions)), np.full(states, 1 / states), 0.9)
    play = TablePlay(TableWorld(game), seed, 3, lanes)
    return Episodes(play, np.sort(np.random.default_rng(seed).integers(2, 6, lanes))[::-1].copy(), 4)


@pytest.mark.parametrize("kind", ["stateless", "dense", "product", "merged product", "many actions"])
@pytest.mark.parametrize("lanes", [1, 3, 9])
def test_turns_go_on_as_without_the_core(kind: str, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts of four lanes, of which fewer and fewer live on; every attribute is compared."""
    from bnpg_protocol.core._steady import advanced

    if kind == "product":
        monkeypatch.setattr(product, "_LARGEST_MERGED", 1)
    dice = np.random.default_rng(lanes)
    kernel = transition(kind, dice)
    both = [episodes(kernel, 11, lanes) for _ in range(2)]
    by_core = 0
    while not both[0].done:
        turn = both[0].turns[both[0].taken]
        chosen = [dice.integers(0, many, len(turn.seen)).astype(np.uint8) for many in kernel.actions]
        goes_on = turn.time + 1 < both[0]._steps and both[0]._alive[turn.time + 1] > turn.lane
        if goes_on and advanced(KINDS, both[0], chosen):
            by_core += 1
        else:
            both[0].advance(chosen)
        both[1].advance(chosen)
        same(*both, "episodes")
    assert by_core > 0
    assert by_core == len(both[0].turns) - math.ceil(lanes / 4)


def test_a_transition_it_does_not_know_is_left_to_python_with_nothing_changed() -> None:
    from bnpg_protocol.core._steady import advanced

    kernel = transition("sparse", np.random.default_rng(1))
    both = [episodes(kernel, 11, 1) for _ in range(2)]
    chosen = [np.zeros(1, np.uint8), np.ones(1, np.uint8)]
    assert not advanced(KINDS, both[0], chosen)
    same(*both, "episodes")
