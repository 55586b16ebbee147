"""What only some need is in extras of the package: which brings what, and how one is said to be missing."""

from importlib.util import find_spec

from bnpg_math.errors import InputError

EXTRAS = {
    "arro3": "report",
    "jinja2": "report",
    "matplotlib": "report",
    "starlette": "report",
    "tensorboardX": "tensorboard",
    "uvicorn": "report",
}
"""The extra that brings a module. Engines and environments name theirs where they are looked for."""


def missing(module: str) -> str:
    """Say that a module is missing, and which extra brings it.

    Parameters
    ----------
    module : str
        One of `EXTRAS`, or a module inside of one.
    """
    top = module.partition(".")[0]
    return f"needs {top}, which is not installed: pip install 'bnpg[{EXTRAS[top]}]'"


def lacks_extra(error: ModuleNotFoundError) -> str:
    """Return which extra would have brought a module that was not found; empty if none does.

    Parameters
    ----------
    error : ModuleNotFoundError
    """
    module = error.name or ""
    return f"this {missing(module)}" if module.partition(".")[0] in EXTRAS else ""


def require(module: str, what: str) -> None:
    """Refuse what needs a module of an extra that is not installed.

    Raises
    ------
    InputError
        One line: what needs which module, and the extra that brings it.
    """
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InputError(f"{what} {missing(module)}")
