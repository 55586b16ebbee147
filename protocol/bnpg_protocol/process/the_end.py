"""The end of a process, which nothing that others left at work puts off for ever.

The interpreter waits at its end for every thread that is no daemon. An environment may have left one, such as
that of a renderer or a server, and it may never end.
"""

import os
import sys
import threading
from contextlib import suppress

from bnpg_protocol.process.endings import leaving
from bnpg_protocol.process.passing_folder import remove_passing_folders

end_at_once = os._exit
"""Ends the process with an exit code; bound before others' code can put something else in its place."""
LINGER = 2.0
"""Seconds that a process of this project's own has to end in, once its exit code is known."""

_known: list[tuple[int, str]] = []
"""The exit code, once it is known, and who tells of what is not waited for."""


def end_with(code: int, who: str) -> None:
    """Hear nothing any more that asks for an end, and see to it that the process ends soon.

    Called where the exit code is known and all is written that is to be written.

    Parameters
    ----------
    code : int
        The exit code.
    who : str
        Begins a line about what is not waited for.
    """
    leaving()
    end_soon(code, who)


def end_soon(code: int, who: str) -> None:
    """See to it that the process ends with a code within `LINGER`; parameters as of :func:`end_with`."""
    _known.append((code, who))
    timer = threading.Timer(LINGER, _end, (code, who))
    timer.daemon = True
    with suppress(RuntimeError, MemoryError):  # no thread is to be had: then it ends when it can
        timer.start()


def end_if_known() -> None:
    """End the process at once with its exit code, if that is known already."""
    if _known:
        _end(*_known[-1])


def _end(code: int, who: str) -> None:
    try:
        main = threading.main_thread()
        others = [one.name for one in threading.enumerate() if one is not main and not one.daemon]
        if others:
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            print(f"{who}: warning: ended without the thread {others[0]!r}{more}", file=sys.stderr)
        remove_passing_folders()
    finally:
        end_at_once(code)
