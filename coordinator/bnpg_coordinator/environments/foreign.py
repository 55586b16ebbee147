"""Running what others wrote: what it prints and raises stays out of the way of what is ours."""

import contextlib
import sys
from collections.abc import Iterator

RAISED = (Exception, SystemExit, GeneratorExit)
"""What others' code may raise and that ends no process of ours; whoever presses Ctrl-C still ends it."""


class Unusable(ValueError):
    """What others' code gave cannot be used; the text says what was expected and what came."""


def described(error: BaseException) -> str:
    """Return kind and text of an error in one line, whatever its text does."""
    try:
        text = str(error)
    except Exception:  # it is somebody else's, too
        text = ""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def printing_aside() -> Iterator[None]:
    """Let what is printed go to stderr: stdout is what somebody asked us for."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
