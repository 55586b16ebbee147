"""Points of a random search: values drawn from lists and ranges, the same for the same key everywhere.

Every number has an address (key, field, count of the point) of which it is a hash. So fields do not move each
other's values, and the first points stay when more are asked for.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from bnpg_coordinator.experiment import experiment_settings
from msgspec import Meta, Struct, field

from bnpg_files.quoting import quoted
from bnpg_math.errors import InputError

SAMPLES, KEY = "samples", "key"
"""What stands in the table beside fields: how many points, and what they are keyed by."""
DEFAULT_SAMPLES = 20
TRIES = 1000
"""Points that are drawn at the most for each that is asked for, since two may be the same."""
_BITS = 53


class _Range(Struct, forbid_unknown_fields=True):
    """A range as a grid file has it."""

    low: int | float = field(name="from")
    high: int | float = field(name="to")
    scale: Literal["linear", "log"] = "linear"


class _Head(Struct):
    """What stands in the table beside fields."""

    samples: Annotated[int, Meta(ge=1)] = DEFAULT_SAMPLES
    key: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included.

    Parameters
    ----------
    low, high : int or float
    logarithmic : bool
        Whether each decade is as likely as another.
    integer : bool
        Whether only integers are drawn; else numbers of four significant digits.
    """

    low: float
    high: float
    logarithmic: bool
    integer: bool

    def at(self, share: float) -> int | float:
        """Return the number at a share in [0, 1) of the range."""
        low, high = self.low, self.high + 1 if self.integer else self.high
        if self.logarithmic:
            found = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            found = low + share * (high - low)
        # Logarithms of other machines may differ in the last digit, and people read these numbers.
        found = math.floor(found) if self.integer else float(f"{found:.4g}")
        return min(max(found, self.low), self.high)


@dataclass(frozen=True)
class Search:
    """What a table [random] asks for.

    Parameters
    ----------
    samples, key : int
    fields : dict from field to list or Range
    """

    samples: int
    key: int
    fields: dict[str, list[Any] | Range]

    @property
    def document(self) -> dict[str, Any]:
        """The table with its defaults, as it is compared."""
        shown = {
            name: values
            if isinstance(values, list)
            else {"from": values.low, "to": values.high, "scale": "log" if values.logarithmic else "linear"}
            for name, values in self.fields.items()
        }
        return {SAMPLES: self.samples, KEY: self.key, **shown}

    def points(self, where: str) -> list[dict[str, Any]]:
        """Return the points, no two of which are the same.

        Raises
        ------
        InputError
            If there are not so many.
        """
        found: dict[str, dict[str, Any]] = {}
        for count in range(TRIES * self.samples):
            point = {name: self._value(name, values, count) for name, values in self.fields.items()}
            found.setdefault(json.dumps(point), point)
            if len(found) == self.samples:
                return list(found.values())
        raise InputError(
            f"{where}: [random] has hardly more than {len(found)} different points: expected that many "
            f"{SAMPLES} or fewer, got {self.samples}"
        )

    def _value(self, name: str, values: list[Any] | Range, count: int) -> Any:
        share = uniform(self.key, name, count)
        return values[int(share * len(values))] if isinstance(values, list) else values.at(share)


def uniform(key: int, name: str, count: int) -> float:
    """Return the number of an address, in [0, 1), with 53 random bits."""
    word = hashlib.sha256(json.dumps([key, name, count]).encode()).digest()[:8]
    return float((int.from_bytes(word, "big") >> (64 - _BITS)) / 2.0**_BITS)


def search_of(table: Mapping[str, Any], where: str, samples: int | None = None) -> Search:
    """Check a table [random], whose fields and lists are checked already.

    Parameters
    ----------
    table : mapping
    where : str
        How the file is named where something is wrong.
    samples : int, optional
        How many points, instead of what the table says.

    Raises
    ------
    InputError
    """
    try:
        head = msgspec.convert({name: table[name] for name in (SAMPLES, KEY) if name in table}, _Head)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: [random] samples and key: {error}") from None
    fields = {
        name: values if isinstance(values, list) else _range(values, name, where)
        for name, values in table.items()
        if name not in (SAMPLES, KEY)
    }
    if not fields:
        raise InputError(f"{where}: [random] draws nothing; expected a field with a list or a range")
    return Search(samples or head.samples, head.key, fields)


def _range(values: Any, name: str, where: str) -> Range:
    at = f"{where}: random.{name}"
    setting = next(setting for setting in experiment_settings() if setting.key == name)
    if not isinstance(values, dict):
        raise InputError(
            f'{at} must be a list, or a range such as {{from = 0.01, to = 1, scale = "log"}}, '
            f"got {quoted(values)}; one value belongs in [base]"
        )
    if not setting.is_number:
        raise InputError(f"{at} has no numbers to draw from a range; expected a list")
    try:
        given = msgspec.convert(values, _Range)
    except msgspec.ValidationError as error:
        raise InputError(f"{at}: {error}; expected from, to and scale, linear or log") from None
    low, high = given.low, given.high
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"{at}: from must be below to, got {low} and {high}")
    if setting.is_integer and not (isinstance(low, int) and isinstance(high, int)):
        raise InputError(f"{at}: from and to must be integers, got {low} and {high}")
    if given.scale == "log" and low <= 0:
        raise InputError(f"{at}: on a log scale from must be above 0, got {low}")
    return Range(low, high, given.scale == "log", setting.is_integer)
