"""What type checkers and editors read of `bnpg.train`, which takes its settings as they are declared.

``make stub`` writes it beside the function, and a test compares.
"""

import inspect
import os
import textwrap
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union

from bnpg.api.train import train

_HEAD = """# Written by `make stub` from the declarations of the settings.

import os
from collections.abc import Callable, Iterable
from typing import Any, Literal

from bnpg.api.recorded import Run
from bnpg_math.dag import Dag
from bnpg_math.games.game import Game
from bnpg_math.policies.joint import Policy
"""


def stub(function: Callable[..., Any]) -> str:
    """Return the source of a stub: what type checkers and editors read of a function."""
    lines = [f"def {function.__name__}("]
    keyword_only = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            lines.append("    *,")
        default = "" if parameter.default is parameter.empty else f" = {_source_of(parameter.default)}"
        lines.append(f"    {parameter.name}: {_source(parameter.annotation)}{default},")
    returns = _source(inspect.signature(function).return_annotation)
    doc = textwrap.indent(f'"""{inspect.getdoc(function)}\n"""', "    ", lambda line: bool(line.strip()))
    body = "\n".join([*lines, f") -> {returns}:", doc])
    return f"{_HEAD}\n{body}\n"


def _source(hint: Any) -> str:
    """Return a type as source."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Ellipsis:
        return "..."
    if hint is None or hint is type(None):
        return "None"
    if origin in (Union, types.UnionType):
        return " | ".join(map(_source, parts))
    if origin is Literal:
        return f"Literal[{', '.join(map(_source_of, parts))}]"
    if isinstance(hint, list):
        return f"[{', '.join(map(_source, hint))}]"
    if origin is not None:
        return f"{_source(origin)}[{', '.join(map(_source, parts))}]"
    return "os.PathLike" if hint is os.PathLike else str(hint.__name__)


def _source_of(value: Any) -> str:
    """Return a value as source, as this project formats it."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def main() -> None:
    """Write the stub of `bnpg.train`."""
    Path(__file__).with_name("train.pyi").write_text(stub(train), "utf-8")


if __name__ == "__main__":
    main()
