"""Random values of declared settings, so that a property holds for a setting from the day it is declared."""

from collections.abc import Mapping
from typing import Any

from bnpg_protocol.process.settings import Declared, Setting, declared
from hypothesis import strategies as st
from msgspec import NODEFAULT, Struct
from msgspec.inspect import FloatType, IntType

LARGEST = 10**6
"""Numbers without a limit of their own stay below this."""


def values(setting: Declared[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for all that may stand in a setting, but for free text and paths.

    Parameters
    ----------
    setting : Declared
    """
    words: st.SearchStrategy[Any] = st.sampled_from(setting.words) if setting.words else st.nothing()
    if setting.is_list:
        return st.lists(words, unique=True).map(tuple)
    found = words | (st.booleans() if setting.is_flag else st.nothing())
    for kind in setting.types:
        if isinstance(kind, IntType):
            found |= st.integers(kind.ge, kind.le if kind.le is not None else LARGEST)
        elif isinstance(kind, FloatType):
            low = kind.gt if kind.gt is not None else kind.ge
            high = kind.le if kind.le is not None else LARGEST
            found |= st.floats(low, min(high, LARGEST), exclude_min=kind.gt is not None)
    return found


def structs(
    kind: type[Struct],
    given: Mapping[str, st.SearchStrategy[Any]] | None = None,
    but: frozenset[str] = frozenset(),
) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for settings of a Struct by their keys, some of them left out.

    Parameters
    ----------
    kind : type
    given : mapping from key to strategy
        Instead of the values that the declaration allows; needed for free text.
    but : set of str
        Keys that are always left out.
    """
    chosen = {one.key: values(one) for one in declared(kind, Setting)} | dict(given or {})
    kept = {key: strategy for key, strategy in chosen.items() if key not in but and not strategy.is_empty}
    required = {one.key for one in declared(kind, Setting) if one.default is NODEFAULT} & set(kept)
    return st.fixed_dictionaries(
        {key: kept[key] for key in kept if key in required},
        optional={key: kept[key] for key in kept if key not in required},
    )
