"""Counter-based random streams: every number is addressed, none is drawn "next".

A stream is named by (seed, purpose, index, round, step) and nothing else. A restarted process, a
late message or another order of evaluation therefore meets the same numbers. The address is laid out
in the 128-bit key and the 256-bit counter of Philox-4x64 (Salmon et al., SC 2011)::

    key     = [seed, purpose * 2**32 + index]
    counter = [0, step, round, 0]

The lowest counter word is left to the generator, which has 2**64 blocks before it would run into the
next step.
"""

from enum import IntEnum, unique
from typing import Any

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.arrays import FloatArray
from bnpg_math.errors import InputError

_WORD = 2**64
_HALF_WORD = 2**32

BLOCK = 4
"""Uniforms that one value of the counter gives."""


@unique
class Purpose(IntEnum):
    """What a stream is for. The numbers are part of the result of a run: never renumber them.

    7 and 8 were used once, and are free for nothing else.
    """

    ACTIONS = 1
    """Actions of agent `index` at a round and step."""
    TRANSITIONS = 2
    """Next states at a round and step; `index` counts the uniforms a lane needs."""
    INITIAL_STATE = 3
    """First states of a round."""
    HORIZON = 4
    """Episode lengths of a round."""
    INITIAL_THETA = 5
    """Logits that agent `index` starts from."""
    GAME = 6
    """Tables of a randomly generated game."""
    ENV_SEED = 9
    """What a simulator draws: bundled ones by round and step, others a seed by round and episode."""
    NET_INIT = 10
    """Weights that the network of agent `index`, or that of the critic, starts from; `step` is the layer."""
    MINIBATCH = 11
    """In which order agent `index`, or the critic, goes through a round; `step` is the pass."""
    EVALUATION = 12
    """Episodes that a policy is judged by, and that nobody has trained on."""


# Building a Philox takes 14 us, setting its state half of one. Idle ones are kept in a free list: pop and
# append are atomic, so two threads can never hold the same generator, and since the whole state is
# overwritten at each use the functions below stay pure for the caller.
_idle: list[np.random.Generator] = []


def _address(seed: int, purpose: Purpose, index: int, round_: int, step: int, block: int = 0) -> Any:
    """State of a Philox at the beginning of a stream; the address is checked here."""
    if not 0 <= seed < _WORD:
        raise InputError(f"seed must be in 0..2**64-1, got {quoted(seed)}")
    if not 0 <= index < _HALF_WORD:
        raise InputError(f"index of a stream must be in 0..2**32-1, got {index}")
    if not (0 <= round_ < _WORD and 0 <= step < _WORD):
        raise InputError(f"round and step of a stream must be in 0..2**64-1, got {round_} and {step}")
    return {
        "bit_generator": "Philox",
        "state": {
            "counter": (int(block), int(step), int(round_), 0),
            "key": (int(seed), int(purpose) * _HALF_WORD + int(index)),
        },
        "buffer": (0, 0, 0, 0),
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }


def generator(
    seed: int,
    purpose: Purpose,
    index: int = 0,
    round: int = 0,  # noqa: A002
    step: int = 0,
) -> np.random.Generator:
    """Generator at the beginning of the stream with this address.

    Parameters
    ----------
    seed : int
        The experiment's seed, in 0..2**64-1.
    purpose : Purpose
        What the numbers are for.
    index : int
        Agent, or another small number within the purpose, in 0..2**32-1.
    round, step : int
        Update and environment step, in 0..2**64-1.

    Returns
    -------
    numpy.random.Generator
        The caller's own; its position is not shared with anyone.

    Raises
    ------
    InputError
        If a part of the address is out of its range.
    """
    bits = np.random.Philox(key=0)
    bits.state = _address(seed, purpose, index, round, step)
    return np.random.Generator(bits)


def uniforms(
    seed: int,
    purpose: Purpose,
    index: int,
    round: int,  # noqa: A002
    step: int,
    count: int,
    first: int = 0,
    out: FloatArray | None = None,
) -> FloatArray:
    """Uniforms number `first` .. `first + count - 1` of a stream, in [0, 1), each with 53 random bits.

    What is drawn for a lane does not depend on the other lanes asked for: living lanes draw the same numbers
    whether or not the dead ones are asked for, and a part of the lanes the same as all at once.

    Parameters
    ----------
    seed, purpose, index, round, step
        The address, as in :func:`generator`.
    count : int
        How many, at least 0.
    first : int
        Where to begin, a multiple of `BLOCK`.
    out : (count,) float, optional
        Where to put them, contiguous; a new array otherwise.

    Returns
    -------
    (count,) float

    Raises
    ------
    InputError
        If a part of the address is out of its range, or `first` is not the beginning of a block.
    """
    if first % BLOCK:
        raise InputError(f"first uniform of a stream must be a multiple of {BLOCK}, got {first}")
    address = _address(seed, purpose, index, round, step, first // BLOCK)
    try:
        borrowed = _idle.pop()
    except IndexError:
        borrowed = np.random.Generator(np.random.Philox(key=0))
    borrowed.bit_generator.state = address
    drawn: FloatArray = borrowed.random(count, out=out)
    _idle.append(borrowed)
    return drawn
