"""Standard streams that may not block, and still lose no word.

Whoever starts a process may share a stream with it that does not block: a terminal or a pipe of a program
that works by events. When it is full, a plain write of Python breaks off in the middle and raises. Here it
waits until there is room, as it would on any other stream; but not without end, since who asked for such a
stream may never look at it again.
"""

import errno
import io
import select
import time
from contextlib import suppress

UNREAD = 30.0
"""Seconds that a stream which does not block may be full until nobody is waited for any more."""
AGAIN = 0.01
"""Seconds until the next try, where a stream says that it has room, and has too little."""


class PatientFile(io.FileIO):
    """A stream that waits for room where the machine would not.

    Parameters
    ----------
    number : int
        The descriptor; it stays open.
    forgiving : bool
        Lose what cannot be written, and say nothing of it.
    """

    def __init__(self, number: int, *, forgiving: bool = False) -> None:
        super().__init__(number, "w", closefd=False)
        self._forgiving = forgiving
        self._patience = UNREAD

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        """Write all of it."""
        left = memoryview(content).cast("B")
        size = len(left)
        try:
            while left:
                left = left[self._some(left) :]
        except OSError:
            if self._forgiving:
                return size
            if len(left) == size:
                raise
        return size - len(left)  # what is left is tried once more, and fails again

    def _some(self, content: memoryview) -> int:
        """Write what there is room for, once there is any; one who took too long is not waited for again."""
        end = time.monotonic() + self._patience
        while (taken := super().write(content)) is None:
            left = end - time.monotonic()
            if left <= 0:
                self._patience = 0.0
                raise BrokenPipeError(errno.EPIPE, f"nobody has read it for {UNREAD:g} s")
            room = select.poll()
            room.register(self.fileno(), select.POLLOUT)
            if room.poll(left * 1000):
                time.sleep(AGAIN)
        self._patience = UNREAD
        return taken


def patient(number: int, *, forgiving: bool = False) -> io.TextIOWrapper:
    """Return a text stream on a descriptor that waits for room; see `PatientFile`."""
    errors = "backslashreplace" if forgiving else "strict"
    return _text(PatientFile(number, forgiving=forgiving), "utf-8", errors, line_buffering=True)


def patient_output(present: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return what takes the place of a process's standard output: alike, but patient."""
    with suppress(OSError):
        present.flush()
    return _text(
        PatientFile(1),
        present.encoding,
        present.errors,
        line_buffering=present.line_buffering,
        write_through=present.write_through,
    )


def _text(
    file: PatientFile, encoding: str, errors: str | None, line_buffering: bool, write_through: bool = False
) -> io.TextIOWrapper:
    buffer = io.BufferedWriter(file)  # type: ignore[type-var]
    return io.TextIOWrapper(
        buffer, encoding, errors, line_buffering=line_buffering, write_through=write_through
    )
