"""Which of many runs, in which order, and what tells them apart.

A filter is a list of terms that must all hold. `FIELD=VALUE`, `!=`, `<`, `<=`, `>`, `>=` compare a column or
a setting; any other word must occur in the name, the game, the DAG or the state. The page of `bnpg watch`
reads the same terms (`templates/catalogue.js`); a test holds both to one table.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from bnpg_protocol.process.settings import unknown

from bnpg.catalogue.entry import NUMBERS, Entry
from bnpg_math.errors import InputError

OWN = ("run", "state", "why", "created")
_TERM = re.compile(r"([A-Za-z_-]+)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_SEARCHED = ("run", "game", "dag", "state")
_NO_DIFFERENCE = frozenset({"evaluate-every", "save-policy", "trace"})


def fields(entries: Iterable[Entry]) -> list[str]:
    """Return what runs can be filtered, sorted and grouped by."""
    settings = dict.fromkeys(name for entry in entries for name in entry.settings)
    return [*OWN, *NUMBERS, *settings]


def choose(entries: Sequence[Entry], terms: Iterable[str]) -> list[Entry]:
    """Return the runs for which all terms hold.

    Raises
    ------
    InputError
        If a term names a field that no run has.
    """
    known = fields(entries)
    chosen = list(entries)
    for term in terms:
        found = _TERM.fullmatch(term)
        if found is None:
            chosen = [entry for entry in chosen if _mentions(entry, term)]
            continue
        name, sign, value = field(found[1], known), found[2], found[3]
        chosen = [entry for entry in chosen if _holds(entry.cell(name), sign, value)]
    return chosen


def order(entries: Sequence[Entry], by: str) -> list[Entry]:
    """Return the runs in ascending order of a field, descending for `-FIELD`; what is missing is last.

    Raises
    ------
    InputError
        If no run has the field.
    """
    name = field(by.removeprefix("-"), fields(entries))
    having = [entry for entry in entries if entry.cell(name) is not None]
    rest = [entry for entry in entries if entry.cell(name) is None]
    numeric = all(_is_number(entry.cell(name)) for entry in having)
    return [
        *sorted(
            having,
            key=lambda entry: entry.cell(name) if numeric else str(entry.cell(name)),
            reverse=by.startswith("-"),
        ),
        *rest,
    ]


def differing(entries: Sequence[Entry]) -> list[str]:
    """Return the settings that are not the same in all of these runs."""
    known = [entry for entry in entries if entry.settings]
    names = dict.fromkeys(name for entry in known for name in entry.settings)
    return [
        name
        for name in names
        if name not in _NO_DIFFERENCE and len({repr(entry.settings.get(name)) for entry in known}) > 1
    ]


def grouped(entries: Sequence[Entry], by: Sequence[str]) -> list[tuple[dict[str, Any], list[Entry]]]:
    """Return the runs that agree in some fields together, in the order in which they come.

    Raises
    ------
    InputError
        If no run has one of the fields.
    """
    known = fields(entries)
    names = [field(name, known) for name in by]
    groups: dict[str, tuple[dict[str, Any], list[Entry]]] = {}
    for entry in entries:
        values = {name: entry.cell(name) for name in names}
        groups.setdefault(repr(values), (values, []))[1].append(entry)
    return list(groups.values())


def middle(entries: Sequence[Entry], number: str) -> float | None:
    """Return the median of a number over the runs that have it."""
    values = [value for entry in entries if (value := entry.numbers.get(number)) is not None]
    return median(values) if values else None


def field(name: str, known: Sequence[str]) -> str:
    """Return a field by its name, with dashes or underscores.

    Raises
    ------
    InputError
        If there is none of that name; the text proposes one that is alike.
    """
    for field in known:
        if field.replace("-", "_") == name.replace("-", "_"):
            return field
    raise InputError(f"{name}: {unknown(name, known).replace('setting', 'column or setting')}")


def _mentions(entry: Entry, word: str) -> bool:
    return any(word.lower() in str(entry.cell(name) or "").lower() for name in _SEARCHED)


def _holds(cell: Any, sign: str, value: str) -> bool:
    if _is_number(cell):
        try:
            wanted = float(value)
        except ValueError:
            return sign == "!="
        return not math.isnan(wanted) and _COMPARE[sign](float(cell), wanted)
    if cell is None:
        return sign == "!=" or (sign == "=" and value == "")
    text = str(cell).lower()
    return _COMPARE[sign](text, value.lower())


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
