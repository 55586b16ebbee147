"""Environments as a Python program gives them: by name, as a function, or as a World."""

import sys
from pathlib import Path
from typing import Any

from bnpg_coordinator.simulator import AT_HAND


def named_environment(env: Any) -> tuple[str, Path, Any]:
    """Return how an experiment names an environment.

    Parameters
    ----------
    env : str, callable or World

    Returns
    -------
    name : str
    folder : Path
        From where a module of that name is found.
    at_hand : object or None
        The environment itself, if no name leads to it.
    """
    if isinstance(env, str):
        return env, Path(), None
    module, path = getattr(env, "__module__", None), getattr(env, "__qualname__", None)
    found = sys.modules.get(module or "")
    if module and found is not None and module != "__main__" and path and path.isidentifier():
        file = getattr(found, "__file__", None)
        if getattr(found, path, None) is env and file is not None:
            up = module.count(".") + (Path(file).name == "__init__.py")
            return f"{module}:{path}", Path(file).parents[up], None
    name = path if isinstance(path, str) else type(env).__name__
    return f"{AT_HAND}{name.replace('<', '').replace('>', '')}", Path(), env
