"""From the observations of others to numbers: Box, Discrete, MultiDiscrete, MultiBinary, and what holds them.

The numbers of a dictionary follow its keys, those of a tuple its places. Integers that are bounded on both
sides are counted from their lowest value, so that a space of such numbers is finite.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bnpg_coordinator.environments.foreign import Unusable
from bnpg_coordinator.worlds.interface import Box
from bnpg_math.errors import InputError

Row = NDArray[np.float32]
MASK = "action_mask"
"""Key of an observation, or of an info, under which an environment says which actions are allowed."""
LARGEST_PICTURE = 3
"""Axes from which on integers of one byte are taken for a picture."""
MOST_COUNTED = 1 << 20
"""Values of one number up to which it is counted."""


class Reader(Struct, frozen=True):
    """What turns an agent's observation into numbers."""

    box: Box
    write: Callable[[Any, Row], None]
    """Puts an observation into a row (D,); raises ValueError if it has not the space's shape."""
    masked: bool = False
    """Whether the observation is a dictionary with a mask."""
    start: int | None = None
    """The lowest number, where an observation is one whole number."""
    shape: tuple[int, ...] | None = None
    """Of an observation that is an array whose numbers are taken as they are."""


def reader(space: Any, who: str) -> Reader:
    """Return the reader of a space of Gymnasium.

    Raises
    ------
    InputError
        If there is none for such a space.
    """
    kind = type(space).__name__
    if kind == "Discrete":
        return _discrete(int(space.start), int(space.n))
    if kind == "MultiDiscrete":
        start = np.asarray(space.start).reshape(-1)
        return _array(space.shape, tuple(int(size) for size in space.nvec.reshape(-1)), start)
    if kind == "MultiBinary":
        return _array(space.shape, (2,) * int(np.prod(space.shape)), None)
    if kind == "Box":
        return _box(space, who)
    if kind in ("Dict", "Tuple"):
        items = space.spaces.items() if kind == "Dict" else enumerate(space.spaces)
        parts = [(key, reader(space, f"{who}, {key!r}")) for key, space in items if key != MASK]
        return _joined(parts, masked=kind == "Dict" and MASK in space.spaces)
    raise InputError(
        f"{who} observes a {kind}; expected Box, Discrete, MultiDiscrete, MultiBinary, or a Dict or Tuple of "
        "them"
    )


def whole(observation: Any) -> int:
    """Return an observation of a Discrete space as a number.

    Raises
    ------
    Unusable
        If it is not whole.
    Exception
        If it is none.
    """
    number = int(observation)
    if number != observation:
        raise Unusable(f"the observation must be a whole number, got {observation!r:.60}")
    return number


def _discrete(start: int, size: int) -> Reader:
    def write(observation: Any, row: Row) -> None:
        row[0] = whole(observation) - start

    return Reader(Box(1, (size,)), write, start=start)


def _box(space: Any, who: str) -> Reader:
    shape = tuple(int(length) for length in space.shape)
    if len(shape) >= LARGEST_PICTURE and space.dtype == np.uint8:
        raise InputError(f"{who} observes a picture of shape {shape}, which no policy here can see")
    if space.dtype.kind in "iub":
        low, high = space.low.reshape(-1).astype(np.int64), space.high.reshape(-1).astype(np.int64)
        if low.size and (high - low < MOST_COUNTED).all() and (high >= low).all():
            return _array(shape, tuple(int(size) for size in high - low + 1), low if low.any() else None)
    return _array(shape, (), None)


def _array(shape: tuple[int, ...], sizes: tuple[int, ...], start: NDArray[Any] | None) -> Reader:
    width = int(np.prod(shape))
    if len(shape) == 1 and start is None:

        def write(observation: Any, row: Row) -> None:
            numbers = observation if type(observation) is np.ndarray else np.asarray(observation)
            if numbers.shape != shape:
                raise Unusable(f"the observation must have shape {shape}, got {numbers.shape}")
            row[:] = numbers

    else:

        def write(observation: Any, row: Row) -> None:
            numbers = np.asarray(observation)
            if numbers.shape != shape:
                raise Unusable(f"the observation must have shape {shape}, got {numbers.shape}")
            row[:] = numbers.reshape(-1) if start is None else numbers.reshape(-1) - start

    return Reader(Box(width, sizes), write, shape=shape if start is None else None)


def _joined(parts: list[tuple[Any, Reader]], masked: bool) -> Reader:
    ends = np.cumsum([part.box.width for _, part in parts]).tolist()
    places = [
        (key, part.write, slice(end - part.box.width, end))
        for (key, part), end in zip(parts, ends, strict=True)
    ]
    width = ends[-1] if ends else 0
    countable = all(len(part.box.sizes) == part.box.width for _, part in parts)
    sizes = tuple(size for _, part in parts for size in part.box.sizes) if countable else ()

    def write(observation: Any, row: Row) -> None:
        for key, put, place in places:
            put(observation[key], row[place])

    return Reader(Box(width, sizes), write, masked)
