"""Values that somebody gave, as messages quote them: one short line, whatever they are."""

import reprlib
from typing import Any

LONGEST = 80
"""Letters of a quoted value."""
INTEGER_BITS = 1024
"""Bits that an integer of a setting or a document may have: a float64 goes as far, and Python writes them."""


def quoted(value: Any) -> str:
    """Return what stands for a value in a message.

    Arrays, and what is like them, are told by kind, shape and dtype; long or nested containers, texts and
    integers by how they begin.

    Examples
    --------
    >>> import numpy as np
    >>> quoted((0, np.zeros((2, 3)))), quoted("text"), quoted(10**40)
    ('(0, <ndarray of shape (2, 3), float64>)', "'text'", 'an integer of 133 bits')
    """
    text = " ".join(_QUOTES.repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


class _Quotes(reprlib.Repr):
    """Values by how they begin."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = LONGEST
        self.maxtuple = self.maxlist = self.maxset = self.maxfrozenset = self.maxdict = 6

    def repr1(self, x: Any, level: int) -> str:
        """Return what stands for a value within others."""
        shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
        if isinstance(shape, tuple) and shape:  # of a single number there is none
            kind = "" if dtype is None else f", {dtype}"
            return f"<{type(x).__name__} of shape {shape}{kind}>"
        if isinstance(x, bytes | bytearray | memoryview) and len(x) > LONGEST:
            return f"<{type(x).__name__} of {len(x)} bytes>"
        return super().repr1(x, level)

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        """Return an integer: Python writes out none of thousands of digits."""
        if x.bit_length() <= 128:
            return repr(x)
        return f"{'a negative' if x < 0 else 'an'} integer of {x.bit_length()} bits"


_QUOTES = _Quotes()
