"""A name with parameters, as a person types it: ``coordination(agents=3, epsilon=0.1)``."""

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from bnpg_files.quoting import INTEGER_BITS, quoted
from bnpg_math.errors import GameError

Arguments = Mapping[str, object]
Builders = Mapping[str, Callable[..., Any]]


def parameters_of(builder: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return what a builder takes, by name."""
    return inspect.signature(builder).parameters


def parse_call(text: str, known: Builders) -> tuple[str, dict[str, object]]:
    """Split a text into a known name and its keyword values, evaluating literals only.

    Parameters
    ----------
    text : str
    known : mapping from name to builder

    Raises
    ------
    GameError
        One line: unknown name (with the nearest known one), no call, or no plain values.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GameError(
            f"game {text[:80]!r} must be a name with parameters, such as coordination(agents=3), "
            "or the path of an .npz file"
        ) from None
    call = tree if isinstance(tree, ast.Call) else None
    head = call.func if call else tree
    if not isinstance(head, ast.Name):
        raise GameError(f"game {text[:80]!r} must be a name with parameters, such as coordination(agents=3)")
    if head.id not in known:
        close = difflib.get_close_matches(head.id.lower(), list(known), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
        raise GameError(f"unknown game {head.id!r}: {hint}")
    arguments: dict[str, object] = {}
    by_name = f"parameters of {head.id} must be given by name, such as {_example(head.id, known[head.id])}"
    if call is not None and call.args:
        raise GameError(by_name)
    for keyword in call.keywords if call else []:
        if keyword.arg is None:
            raise GameError(by_name)
        if keyword.arg in arguments:
            raise GameError(f"{head.id}: {keyword.arg} is given twice")
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise GameError(f"{head.id}: {keyword.arg} must be a plain number") from None
    return head.id, arguments


def checked_arguments(name: str, builder: Callable[..., Any], arguments: Arguments) -> dict[str, int | float]:
    """Match keyword values with what a builder takes, by name and type.

    Raises
    ------
    GameError
        If it takes no such parameter, or one of another type.
    """
    parameters = parameters_of(builder)
    values: dict[str, int | float] = {}
    for key, value in arguments.items():
        if key not in parameters:
            close = difflib.get_close_matches(key, list(parameters), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(parameters)}"
            raise GameError(f"{name} has no parameter {key!r}: {hint}")
        if parameters[key].annotation is int:
            if not isinstance(value, int) or isinstance(value, bool):
                raise GameError(f"{name}: {key} must be an integer, got {quoted(value)}")
            if value.bit_length() > INTEGER_BITS:
                raise GameError(
                    f"{name}: {key} must be an integer of at most {INTEGER_BITS} bits, got {quoted(value)}"
                )
            values[key] = value
        else:
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise GameError(f"{name}: {key} must be a number, got {quoted(value)}")
            try:
                values[key] = float(value)
            except OverflowError:
                raise GameError(f"{name}: {key} must be a float64, got a larger integer") from None
    return values


def _example(name: str, builder: Callable[..., Any]) -> str:
    values = ", ".join(f"{key}={parameter.default}" for key, parameter in parameters_of(builder).items())
    return f"{name}({values})"
