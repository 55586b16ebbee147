"""What `bnpg.train` takes and says of it, from the declarations of the settings.

A function that takes declared settings as ``**settings`` gets a signature and a docstring that list them,
each with its default. Type checkers and editors read source, for which `stub.py` writes the same.
"""

import functools
import inspect
import operator
import os
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar, Union, cast

from bnpg_protocol.process.settings import Declared, Setting, declared, did_you_mean
from msgspec import Struct

Function = TypeVar("Function", bound=Callable[..., Any])
MARKER = "{settings}"
"""The line of a docstring in whose place the settings are listed."""


@dataclass(frozen=True)
class Keywords:
    """The declared settings that a function takes.

    Parameters
    ----------
    kinds : sequence of type
        Structs of settings.
    but : tuple of str
        Names that the function deals with by itself.
    defaults : dict from name to value
        Where they are not the declared ones.
    """

    kinds: Sequence[type[Struct]]
    but: tuple[str, ...] = ()
    defaults: Mapping[str, Any] | None = None

    def settings(self) -> dict[str, Declared[Setting]]:
        """Return them by name, with their defaults."""
        found = [field for kind in self.kinds for field in declared(kind, Setting)]
        shown = [field for field in found if not field.setting.internal and field.name not in self.but]
        own = self.defaults or {}
        return {field.name: replace(field, default=own.get(field.name, field.default)) for field in shown}


def takes(keywords: Keywords) -> Callable[[Function], Function]:
    """Return a decorator that shows the settings of a function which takes them as its last parameter.

    What the function names itself keeps its type, and is documented with the settings if it is one of them.
    """

    def show(function: Function) -> Function:
        # A function around it: whoever reads the source for a signature, as Sphinx does, finds no other one.
        @functools.wraps(function)
        def shown(*arguments: Any, **given: Any) -> Any:
            return function(*arguments, **given)

        del shown.__wrapped__
        shown.__signature__ = _signature(function, keywords)  # type: ignore[attr-defined]
        shown.__doc__ = _docstring(function, keywords)
        return cast(Function, shown)

    return show


def unexpected(function: str, name: str, keywords: Keywords) -> TypeError:
    """Return the error that a function takes no such argument."""
    hint = did_you_mean(name, tuple(keywords.settings()), "; ")
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def _signature(function: Callable[..., Any], keywords: Keywords) -> inspect.Signature:
    """Return a signature with the first parameter, the settings, and the function's other parameters."""
    own = inspect.signature(function, eval_str=True)
    (first, *others) = [
        parameter for parameter in own.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD
    ]
    settings = keywords.settings()
    typed = {parameter.name: _without_none(parameter.annotation) for parameter in others}
    shown = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=typed.get(name, _plain(field.hint)),
        )
        for name, field in settings.items()
    ]
    return own.replace(
        parameters=[first, *shown, *(parameter for parameter in others if parameter.name not in settings)]
    )


def _docstring(function: Callable[..., Any], keywords: Keywords) -> str:
    """Return a docstring with an entry for every setting."""
    entries = []
    parameters = _signature(function, keywords).parameters
    for name, field in keywords.settings().items():
        meaning = field.meaning(lambda key: f"`{key.replace('-', '_')}`", lambda typed: f"``{typed}``")
        default = f"{field.default!r}{field.setting.remark}"
        kind = _described(parameters[name].annotation)
        facts = f" ({'; '.join(field.setting.facts)})" if field.setting.facts else ""
        entries += [f"{name} : {kind}, default {default}"]
        entries += textwrap.wrap(
            meaning + facts, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
    return (inspect.getdoc(function) or "").replace(MARKER, "\n".join(entries))


def _without_none(hint: Any) -> Any:
    """Return a type without None, which stands for what is left out and is no value."""
    parts = tuple(part for part in typing.get_args(hint) if part is not type(None))
    return functools.reduce(operator.or_, parts) if type(None) in typing.get_args(hint) else hint


def _plain(hint: Any) -> Any:
    """Return a type without its limits; any iterable does for a tuple."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _plain(parts[0])
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, map(_plain, parts))
    if origin is tuple:
        return typing.Iterable[_plain(parts[0])]  # type: ignore[misc]
    return hint


def _described(hint: Any) -> str:
    """Return a type in the words of a docstring."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        words = [_described(part).strip("{}") for part in parts if part is not type(None)]
        return " or ".join([*([", ".join(words[:-1])] if words[:-1] else []), words[-1]])
    if origin is Literal:
        return f"{{{', '.join(map(repr, parts))}}}"
    if origin is tuple:
        return f"({', '.join(map(_described, parts))})"
    if origin is os.PathLike:
        return "path"
    if origin is not None:
        return "graph" if parts[0] is Any else f"iterable of {_described(parts[0])}"
    return str(hint.__name__)
