"""The outside of a sealed checkpoint: what everybody may know of it. What is in it only its agent can read.

Eight bytes that say what it is, the round r of its theta_r as 8 bytes, little-endian, and behind them what
was sealed. The outside is no secret, and is authenticated with the inside.
"""

import struct

from bnpg_protocol.wire.errors import OrderViolation

MAGIC = b"BNPGSEAL"
HEAD = struct.Struct("<8sQ")
LARGEST = 16 * 1024 * 1024
"""Bytes that a sealed checkpoint may have, where a launcher decides."""


def enclosed(round_: int, inside: bytes) -> bytes:
    """Return a sealed checkpoint, given its round and what was sealed."""
    return HEAD.pack(MAGIC, round_) + inside


def round_of(sealed: bytes) -> int:
    """Return the round that a sealed checkpoint is of, as its outside says.

    Raises
    ------
    OrderViolation
        If it is none.
    """
    if len(sealed) <= HEAD.size or not sealed.startswith(MAGIC):
        raise OrderViolation(
            f"no sealed checkpoint: expected {MAGIC.decode()}, a round and more, got {len(sealed)} bytes "
            f"that begin with {sealed[:8]!r}"
        )
    return int(HEAD.unpack_from(sealed)[1])
