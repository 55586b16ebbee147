"""The text that names a network, `mlp:64,64`, taken apart in one place."""

import re

from bnpg_math.errors import PolicyError

WIDEST = 1024
"""Numbers that a hidden layer may have: numpy is meant for small networks."""
DEEPEST = 8
_FORM = re.compile(r"mlp:([1-9]\d{0,3}(?:,[1-9]\d{0,3})*)")


def parse_hidden(text: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers that a text names.

    Raises
    ------
    PolicyError
        If it names no network, or one that is too wide or too deep.

    Examples
    --------
    >>> parse_hidden("mlp:64,64")
    (64, 64)
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise PolicyError(f"a network must be written mlp:WIDTH,WIDTH,.. such as mlp:64,64, got {text!r:.80}")
    widths = tuple(int(width) for width in match[1].split(","))
    if max(widths) > WIDEST or len(widths) > DEEPEST:
        raise PolicyError(
            f"a network must have 1 to {DEEPEST} hidden layers, each 1 to {WIDEST} wide, got {text!r:.80}"
        )
    return widths
