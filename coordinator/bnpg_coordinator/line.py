"""A line of the run record: a round as `metrics.jsonl` keeps it, in fields, in bytes, chained to the rest.

The chain makes it show that a record was changed: each line ends with 16 hexadecimal digits of BLAKE2s over
those of the line before and its own bytes up to the wall time. The wall time is left out, so that the chains
of two runs of one experiment are equal, to the last line.
"""

from collections.abc import Iterable
from hashlib import blake2s
from typing import Annotated, Any, Self

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bnpg_coordinator.experiment import MOST_ROUNDS
from bnpg_math.arrays.not_finite import finite_fields
from bnpg_math.errors import InputError

GENESIS = "0" * 16
"""What the first line is chained to."""
_TIMED = b',"seconds":'
_CHAINED = b',"chain":"'

Rounds = Annotated[int, Meta(ge=0, le=MOST_ROUNDS)]
Measured = float | UnsetType | None
"""A number; None if it was not finite; UNSET if it was not measured."""
Reason = str | UnsetType
"""Why the number before it is None."""


class Line(Struct, frozen=True, omit_defaults=True):
    """What is recorded of a round, in the order of writing."""

    round: Rounds
    """The round whose policy this is: theta of `round`."""
    value: Measured = UNSET
    """V, exact: of measured rounds, and of every exact one."""
    value_reason: Reason = UNSET
    nash_gap: Measured = UNSET
    """Of measured rounds, exact, as the three that follow."""
    nash_gap_reason: Reason = UNSET
    optimality_gap: Measured = UNSET
    optimality_gap_reason: Reason = UNSET
    objective: Measured = UNSET
    objective_reason: Reason = UNSET
    gradient_norm: Measured = UNSET
    gradient_norm_reason: Reason = UNSET
    return_mean: Measured = UNSET
    """Of the returns of the lanes, in sampled rounds that were played."""
    return_mean_reason: Reason = UNSET
    return_stderr: Measured = UNSET
    """Its standard error; null for a single lane."""
    return_stderr_reason: Reason = UNSET
    explained_variance: Measured = UNSET
    """Share of the variance of the round's returns that the critic foresaw."""
    explained_variance_reason: Reason = UNSET
    kl: Measured = UNSET
    """KL(old || new) of the update that led to this policy: a mean over agents, as the two that follow."""
    kl_reason: Reason = UNSET
    clip_share: Measured = UNSET
    """Share of the steps whose ratio of probabilities lay outside of the clip."""
    clip_share_reason: Reason = UNSET
    entropy: Measured = UNSET
    """Of the policies, in nats."""
    entropy_reason: Reason = UNSET
    step_size: Measured = UNSET
    """Eta of the update of this round, where it is chosen; 0 if it goes back to where momentum came from."""
    step_size_reason: Reason = UNSET
    next_step_size: Measured = UNSET
    """What the next round starts from, as the three that follow; a coordinator that was killed reads it."""
    next_step_size_reason: Reason = UNSET
    momentum: Measured = UNSET
    """With which the next theta is extrapolated."""
    momentum_reason: Reason = UNSET
    momentum_rounds: Rounds | UnsetType = UNSET
    """Rounds since momentum began."""
    origin_objective: Measured = UNSET
    """L of the point that the next theta is extrapolated from."""
    origin_objective_reason: Reason = UNSET
    seconds: Measured = UNSET
    """Wall time spent on the line."""
    chain: str | UnsetType = UNSET
    """Of this line; none in lines of versions before there were chains."""

    def holding(self, **numbers: float | str | None) -> Self:
        """Return the line with more numbers; each that is not finite becomes None, with the reason."""
        return msgspec.structs.replace(self, **finite_fields(numbers))

    @property
    def optimum(self) -> float | None:
        """V*, if it was evaluated and is finite."""
        value, gap = number(self.value), number(self.optimality_gap)
        return None if value is None or gap is None else value + gap

    def after(self, earlier: Self) -> Self:
        """Return what is known after this line: its numbers, and those of an earlier one that it lacks."""
        fields = ((key, getattr(self, key)) for key in self.__struct_fields__)
        known = {key: value for key, value in fields if value is not UNSET and value is not None}
        return msgspec.structs.replace(earlier, **known)

    @property
    def untimed(self) -> Self:
        """What two runs of one experiment have in common: the line without wall time and chain."""
        return msgspec.structs.replace(self, seconds=UNSET, chain=UNSET)


MEASURED = ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm")
"""What an exact evaluation measures."""
RETURNS = ("return_mean", "return_stderr")
"""What a sampled round measures."""
LEARNING = ("kl", "clip_share", "entropy", "explained_variance")
"""How networks with a critic learn."""

_decoder = msgspec.json.Decoder(Line)


def number(value: float | UnsetType | None) -> float | None:
    """Return a number of a line; None if there is none."""
    return None if value is UNSET else value


def encode_line(line: Line, seconds: float, before: str) -> tuple[bytes, Line]:
    """Return a line in bytes, and as it is in them, with its wall time and its chain.

    Parameters
    ----------
    line : Line
    seconds : float
    before : str
        The chain of the line before.
    """
    text = msgspec.json.encode(line.untimed)[:-1]
    chain = _chain(before, text)
    raw = b'%b%b%b%b%b"}\n' % (text, _TIMED, msgspec.json.encode(seconds), _CHAINED, chain.encode())
    return raw, msgspec.structs.replace(line, seconds=seconds, chain=chain)


def decode_line(raw: bytes) -> Line:
    """Return a line from its bytes.

    Raises
    ------
    InputError
        If they are no line of a record; the text says why.
    """
    try:
        return _decoder.decode(raw)
    except (ValueError, RecursionError) as error:
        raise InputError(str(error)) from None


def fields_of(line: Line) -> dict[str, Any]:
    """Return what a line holds of its round, by name; the chain belongs to the file."""
    fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(line, chain=UNSET))
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
        try:
            written = decode_line(raw).chain
        except InputError as error:
            raise InputError(f"line {number}: {error}") from None
        if written is UNSET and before == GENESIS:
            continue
        expected = _chain(before, raw[: max(raw.rfind(_TIMED), 0)])
        if written != expected:
            present = "none" if written is UNSET else f'"{written[:32]}"'
            raise InputError(f"line {number} was changed: its chain must be {expected}, it has {present}")
        before = expected


def _chain(before: str, text: bytes) -> str:
    return blake2s(before.encode() + text, digest_size=8).hexdigest()
