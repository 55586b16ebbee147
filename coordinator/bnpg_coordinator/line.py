"""A line of the run record: a round as `metrics.jsonl` keeps it, in fields, in bytes, chained to the rest.

The chain makes it show that a record was changed: each line ends with 16 hexadecimal digits of BLAKE2s over
those of the line before and its own bytes up to the wall time. The wall time is left out, so that the chains
of two runs of one experiment are equal, to the last line.
"""

from collections.abc import Iterable
from hashlib import blake2s
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.errors import InputError

GENESIS = "0" * 16
"""What the first line is chained to."""
_TIMED = b',"seconds":'
_CHAINED = b',"chain":"'

Measured = float | None | UnsetType
"""A number; None if it was not finite; UNSET if it was not measured."""


class Line(Struct, frozen=True, omit_defaults=True):
    """What is recorded of a round. `KEY_reason` says why `KEY` is None."""

    round: int
    """The round whose policy this is: theta of `round`."""
    return_mean: Measured = UNSET
    return_mean_reason: str | UnsetType = UNSET
    return_stderr: Measured = UNSET
    return_stderr_reason: str | UnsetType = UNSET
    value: Measured = UNSET
    value_reason: str | UnsetType = UNSET
    nash_gap: Measured = UNSET
    nash_gap_reason: str | UnsetType = UNSET
    optimality_gap: Measured = UNSET
    optimality_gap_reason: str | UnsetType = UNSET
    objective: Measured = UNSET
    objective_reason: str | UnsetType = UNSET
    gradient_norm: Measured = UNSET
    gradient_norm_reason: str | UnsetType = UNSET
    step_size: Measured = UNSET
    step_size_reason: str | UnsetType = UNSET
    next_step_size: Measured = UNSET
    next_step_size_reason: str | UnsetType = UNSET
    momentum: Measured = UNSET
    momentum_reason: str | UnsetType = UNSET
    momentum_rounds: int | UnsetType = UNSET
    origin_objective: Measured = UNSET
    origin_objective_reason: str | UnsetType = UNSET
    seconds: Measured = UNSET
    """Wall time spent on the line."""
    chain: str | UnsetType = UNSET


_decoder = msgspec.json.Decoder(Line)


def encode_line(fields: dict[str, Any], seconds: float, before: str) -> tuple[bytes, str]:
    """Return a line in bytes, and its chain.

    Parameters
    ----------
    fields : dict
        `round` and what was measured. A number that is not finite becomes null, with the reason beside it.
    seconds : float
    before : str
        The chain of the line before.
    """
    text = msgspec.json.encode(finite_fields(fields))[:-1]
    chain = _chain(before, text)
    return b'%b%b%b%b%b"}\n' % (text, _TIMED, msgspec.json.encode(seconds), _CHAINED, chain.encode()), chain


def decode_line(raw: bytes) -> Line:
    """Return a line from its bytes.

    Raises
    ------
    InputError
        If they are no line of a record; the text says why.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(str(error)) from None


def fields_of(line: Line) -> dict[str, Any]:
    """Return what a line holds of its round, by name; the chain belongs to the file."""
    fields: dict[str, Any] = msgspec.to_builtins(line)
    fields.pop("chain", None)
    return fields


def check_chain(lines: Iterable[bytes]) -> None:
    """Check that nobody has changed a record.

    Lines that were written before there were chains are let pass, as long as no chained one stands before.

    Raises
    ------
    InputError
        Naming the first line that does not follow from those before.
    """
    before = GENESIS
    for number, raw in enumerate(lines, 1):
        written = decode_line(raw).chain
        if written is UNSET and before == GENESIS:
            continue
        expected = _chain(before, raw[: max(raw.rfind(_TIMED), 0)])
        if written != expected:
            found = "none" if written is UNSET else f'"{written[:32]}"'
            raise InputError(f"line {number} was changed: its chain must be {expected}, it has {found}")
        before = expected


def _chain(before: str, text: bytes) -> str:
    return blake2s(before.encode() + text, digest_size=8).hexdigest()
