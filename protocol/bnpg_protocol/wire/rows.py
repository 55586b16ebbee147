"""What is said of the actions that one agent sends another in the turns of a round, where there is a relay.

The child keeps a digest of what it acted on and tells it the coordinator with its own actions; the
coordinator keeps the same digest of what it heard of everybody at first hand. Before a signal goes out the
two must agree.
"""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 16
"""Bytes of a digest."""
_NARROW: np.dtype[Any] = np.dtype(np.uint8)
_WIDE: np.dtype[Any] = np.dtype("<u2")


def row_type(choices: int) -> "np.dtype[Any]":
    """Return the type of the rows on a link, whose agents have at most so many actions."""
    return _NARROW if choices <= 256 else _WIDE


class RowsDigest:
    """BLAKE2b, of `SIZE` bytes, over the rows of the turns of a round, one turn behind the other.

    Rows are of the type that `row_type` says, in C order. How many rows and lanes a turn has follows from the
    link and from the turn, and is no part of it.
    """

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=SIZE)

    def add(self, rows: "NDArray[np.integer[Any]]") -> None:
        """Take in the rows of the next turn, an array (agents, lanes)."""
        self._hash.update(rows.tobytes())

    def add_bytes(self, rows: "memoryview") -> None:
        """Take in the rows of the next turn, which lie one behind the other in their type."""
        self._hash.update(rows)

    @property
    def value(self) -> bytes:
        """The digest of the turns so far."""
        return self._hash.digest()
