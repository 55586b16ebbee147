"""Settings that are declared once.

A setting is a field of a Struct whose type carries a `Setting`, which says what it means::

    class Baking(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
        oven_heat: Annotated[int, Meta(ge=0), Setting("How hot it is.", symbol="HEAT", unit="°C")] = 180

Name, type, default and meaning are all there is to know of it. Whatever reads, checks or shows settings asks
here, so that a new one is written in one place: command lines and their help, files, Python signatures,
tables, pages.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.inspect import (
    BoolType,
    CustomType,
    FloatType,
    IntType,
    StrType,
    UnionType,
    VarTupleType,
    type_info,
)

from bnpg_files.quoting import INTEGER_BITS, quoted


@dataclass(frozen=True)
class Setting:
    """What there is to say of a field beside its name, type and default.

    Parameters
    ----------
    meaning : str
        Sentences. What can be typed stands in backticks; another setting stands in braces, by its key:
        ``{oven-heat}``.
    symbol : str
        Stands for a value in help texts, such as ``ETA``.
    unit : str
        Of a number; empty if it has none.
    remark : str
        Follows the default where that is shown, such as ``: never``.
    internal : bool
        Whether programs give it to each other, so that no person is shown it.
    variable : str
        The environment variable that may give it on a person's command line.
    repeated : bool
        Whether its option may be given several times, which joins the texts by commas.
    """

    meaning: str
    _: KW_ONLY
    symbol: str = ""
    unit: str = ""
    remark: str = ""
    internal: bool = False
    variable: str = ""
    repeated: bool = False

    @property
    def facts(self) -> tuple[str, ...]:
        """What else a help text says beside the default."""
        return ()


Of = TypeVar("Of", bound=Setting)
Kind = TypeVar("Kind", bound=Struct)


class SettingError(ValueError):
    """A setting that does not exist, is missing, or has a value that it cannot have.

    Parameters
    ----------
    key : str
    why : str
        What was expected, and what came.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key
        self.why = why


@dataclass(frozen=True)
class Declared(Generic[Of]):
    """A setting with all that its declaration says.

    Parameters
    ----------
    name : str
        As an attribute: ``oven_heat``.
    key : str
        As a key of a file, and as an option without its dashes: ``oven-heat``.
    hint : type
        With its limits, as msgspec checks them.
    default : object
        `msgspec.NODEFAULT` if it must be given.
    setting : Setting
    """

    name: str
    key: str
    hint: Any
    default: Any
    setting: Of

    @cached_property
    def types(self) -> tuple[Any, ...]:
        """The kinds of value that may stand there, as `msgspec.inspect` tells them; in a list, of each."""
        found = type_info(self.hint)
        if isinstance(found, VarTupleType):
            found = found.item_type
        return found.types if isinstance(found, UnionType) else (found,)

    def _has(self, *kinds: type) -> bool:
        return any(isinstance(member, kinds) for member in self.types)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is NODEFAULT

    @property
    def is_flag(self) -> bool:
        """Whether it is either true or false."""
        return self._has(BoolType)

    @cached_property
    def is_list(self) -> bool:
        """Whether it holds any number of values."""
        return isinstance(type_info(self.hint), VarTupleType)

    @property
    def is_number(self) -> bool:
        """Whether it may be a number."""
        return self._has(IntType, FloatType)

    @property
    def is_integer(self) -> bool:
        """Whether the numbers it may be are integers."""
        return self._has(IntType)

    @property
    def is_open(self) -> bool:
        """Whether any text may stand there."""
        return self._has(StrType, CustomType)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words that may stand there, in the order in which they are declared."""
        return _words(self.hint)

    def expected(self, value: Any = None) -> str:
        """Say what may stand there.

        Parameters
        ----------
        value : object
            What was given instead; an upper limit is only mentioned where that is above it, a form of texts
            only where it is one.
        """
        words = [repr(word) for word in self.words]
        if self.is_list:
            return f"some of {', '.join(words)}"
        parts = [
            _number(member, value) for member in self.types if isinstance(member, IntType | FloatType)
        ] + words
        if self.is_flag:
            parts.append("true or false")
        forms = [member.pattern for member in self.types if isinstance(member, StrType)]
        if forms:
            parts.append(f"a text like {forms[0]}" if forms[0] and isinstance(value, str) else "a text")
        if self._has(CustomType):
            parts.append("a path")
        return listed(parts)

    def metavar(self) -> str:
        """Return what stands for a value in a help text."""
        symbol = self.setting.symbol
        if not symbol or symbol in self.words:
            return f"[{'|'.join(self.words)}]" if self.words and not self.is_list else symbol
        return "|".join((symbol, *self.words)) if not self.is_list else symbol

    def meaning(self, spell: Callable[[str], str], typed: Callable[[str], str]) -> str:
        """Return what it means.

        Parameters
        ----------
        spell : callable
            Writes the key of a setting as its readers know it.
        typed : callable
            Writes what can be typed.
        """
        text = re.sub(r"`([^`]+)`", lambda match: typed(match[1]), self.setting.meaning)
        return re.sub(r"\{([^}]+)\}", lambda match: spell(match[1]), text)

    def shown_default(self) -> str:
        """Return the default as a person would type it; empty if there is none."""
        value = self.default
        if value is NODEFAULT or value is None or value == ():
            return ""
        if isinstance(value, bool):
            return self.key if value else f"no-{self.key}"
        if isinstance(value, float):
            return written(value)
        return self.text_of(value)

    def text_of(self, value: Any) -> str:
        """Return a value as the text that is read back to it."""
        return ",".join(map(str, value)) if self.is_list else str(value)

    def arguments(self, value: Any) -> list[str]:
        """Return the words of a command line that give it a value."""
        if self.is_flag:
            return [f"--{self.key}" if value else f"--no-{self.key}"]
        text = self.text_of(value)
        return [f"--{self.key}={text}"] if text.startswith("-") else [f"--{self.key}", text]

    def from_text(self, text: str) -> Any:
        """Return the value that a text stands for, as a command line gives it.

        Raises
        ------
        SettingError
            If it stands for none.
        """
        if self.is_list:
            return self.checked(tuple(dict.fromkeys(word.strip() for word in text.split(","))))
        if text in self.words:
            return text
        for read in [_READERS[type(member)] for member in self.types if type(member) in _READERS]:
            try:
                return self.checked(read(text))
            except ValueError:
                continue
        raise self.wrong(text)

    def checked(self, value: Any) -> Any:
        """Return a value as its type has it: an integer may stand for a number.

        Raises
        ------
        SettingError
            If it cannot have this value.
        """
        try:
            found = msgspec.convert(value, self.hint)
        except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
            raise self.wrong(value) from None
        if (isinstance(found, float) and not math.isfinite(found)) or _is_large(found):
            raise self.wrong(value)
        return found

    def wrong(self, value: Any) -> SettingError:
        """Return the error that it cannot have this value."""
        words = value if isinstance(value, tuple | list) else [value]
        lost = next((word for word in words if isinstance(word, str) and word not in self.words), "")
        got = value
        if self.is_number:
            got = None if isinstance(value, bool) else _as_number(value)
        why = f"expected {self.expected(got)}, got {quoted(lost if self.is_list and lost else value)}"
        return SettingError(self.key, why + did_you_mean(lost, self.words, "; "))


_READERS: dict[type, Callable[[str], Any]] = {IntType: int, FloatType: float, StrType: str, CustomType: Path}


def declared(kind: type[Struct], of: type[Of]) -> tuple[Declared[Of], ...]:
    """Return every setting of a Struct, in the order of its fields.

    Parameters
    ----------
    kind : type
    of : type
        What its settings are declared by.
    """
    assert all(isinstance(field.setting, of) for field in _declared(kind))
    return cast(tuple[Declared[Of], ...], _declared(kind))


@cache
def _declared(kind: type[Struct]) -> tuple[Declared[Any], ...]:
    found = []
    for field in msgspec.structs.fields(kind):
        [setting] = [mark for mark in get_args(field.type)[1:] if isinstance(mark, Setting)]
        found.append(Declared(field.name, field.encode_name, field.type, field.default, setting))
    return tuple(found)


def convert(given: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Return a Struct of declared settings.

    Parameters
    ----------
    given : mapping from key to value
        Whatever is left out has its default.
    kind : type

    Raises
    ------
    SettingError
        If a setting does not exist, is missing, or cannot have its value.
    """
    known = {field.key: field for field in declared(kind, Setting)}
    for key in given:
        if key not in known:
            raise SettingError(key, unknown(key.replace("_", "-"), tuple(known)))
    for field in known.values():
        if field.required and field.key not in given:
            raise SettingError(field.key, "must be given")
    return kind(**{known[key].name: known[key].checked(value) for key, value in given.items()})


def unknown(key: str, known: Sequence[str]) -> str:
    """Say that there is no such setting, and which is meant."""
    choices = f"expected one of {', '.join(known)}"
    return f"there is no such setting; {did_you_mean(key, known) or choices}"


def did_you_mean(word: str, known: Sequence[str], before: str = "") -> str:
    """Return the question whether the nearest of the known words is meant; empty if none is near."""
    close = get_close_matches(word.lower(), known, n=1)
    return f"{before}did you mean {close[0]!r}?" if close else ""


def written(number: float) -> str:
    """Return a number as a person would type it: short, and never another number.

    Examples
    --------
    >>> written(2.0), written(0.1234564), written(1e-9)
    ('2', '0.1234564', '1e-09')
    """
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def listed(parts: Sequence[str]) -> str:
    """Join alternatives as a sentence does."""
    return " or ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


def _words(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in get_args(hint) for word in _words(part))


def _number(kind: IntType | FloatType, value: Any) -> str:
    words = "an integer" if isinstance(kind, IntType) else "a finite number"
    if kind.gt is not None:
        words += f" greater than {kind.gt:g}"
    if kind.ge is not None:
        words += f" of at least {kind.ge:g}"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return words
    if kind.le is not None and value > kind.le:
        words += f" and at most {kind.le}"
    elif value > 0 and _is_large(value):
        words += f" and less than 2^{INTEGER_BITS}"
    return words


def _is_large(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > INTEGER_BITS


def _as_number(value: Any) -> float | None:
    """Return a value as a number; None if it stands for none."""
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
    try:
        return float(value)
    except Exception:  # it may be an object of somebody else's
        return None
