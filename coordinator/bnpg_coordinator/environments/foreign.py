"""What others' code raises, told apart from what is ours and described in a line."""


class Hung(BaseException):
    """An environment takes too long. No exception of its own, so that it is not caught by the environment.

    Its text says where.
    """


OURS = (KeyboardInterrupt, Hung)
"""What is raised in the midst of others' code and is not theirs: Ctrl-C, and the alarm of a watch.

All else that comes out of it is what it raised, whatever it is: `asyncio.CancelledError` and what pytest
skips a test by are no `Exception` either. So others' code is called as::

    except OURS:
        raise
    except BaseException as error:
"""


class Unusable(ValueError):
    """What others' code gave cannot be used; the text says what was expected and what came."""


def described(error: BaseException) -> str:
    """Return kind and text of an error in one line, whatever its text does."""
    try:
        text = str(error)
    except OURS:
        raise
    except BaseException:  # it is somebody else's, too
        text = ""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
