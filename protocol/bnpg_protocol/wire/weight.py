"""What a message costs whoever keeps it, so that what a peer can make others keep is bounded in bytes.

Numbers of messages alone bound nothing: one may be a hundred bytes or a gibibyte.
"""

import numpy as np

from bnpg_protocol.wire.messages import Message

OVERHEAD = 512
"""Bytes counted for the objects of a message, however little it says."""
EARLY_BYTES = 16 << 20
"""Bytes of messages of an epoch not entered yet that are kept for one sender."""
EARLY_BYTES_OF_ALL = 64 << 20
"""The same for all senders."""
HELD_BYTES = 64 << 20
"""Bytes of messages behind a gap that are kept on one link, the first of them aside."""
WINDOW_BYTES = 256 << 20
"""Bytes of messages that a sender keeps unacknowledged on one link, the first of them aside."""
AHEAD_BYTES = 64 << 20
"""Bytes of actions that are kept of a parent that is ahead, the first of them aside."""


def weight(message: Message) -> int:
    """Return about how many bytes a message takes while it is kept.

    Parameters
    ----------
    message : Message

    Returns
    -------
    int
        The bytes of its arrays and texts, and `OVERHEAD`.
    """
    total = OVERHEAD
    for field in message.__struct_fields__:
        value = getattr(message, field)
        if type(value) is np.ndarray:
            total += value.nbytes
        elif type(value) is str or type(value) is tuple:
            # An element of a tuple is a number, a short text or a pair of them.
            total += len(value) * (1 if type(value) is str else 128)
    return total
