"""What a process finds where it starts, and what it needs to find: streams, signals, limits.

Daemons, cron, batch systems and some shells start their children with standard streams that are closed or
lead to a full disk, with signals ignored, with few descriptors. None of that is a reason to fail.
"""

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from bnpg_protocol.process.descriptors import limit, raise_limit
from bnpg_protocol.process.endings import interruptible
from bnpg_protocol.process.faults.shortage import OUT_OF_MEMORY
from bnpg_protocol.process.passing_folder import remove_passing_folders
from bnpg_protocol.process.streams import patient, patient_output
from bnpg_protocol.process.the_end import end_at_once, end_soon, end_with
from bnpg_protocol.wire.exit_codes import ExitCode

SHORTAGES = frozenset(
    {
        errno.EAGAIN,
        errno.EBADF,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ESTALE,
        errno.EPIPE,
        errno.EROFS,
    }
)
"""Errors by which the machine says that it cannot take or give any more: no defect of the program."""

UNUSABLE = frozenset(
    {errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EPERM}
)
"""Errors by which the machine says that a path is none, or none for this user."""

_NO_TEMPORARY = "No usable temporary directory found in"
"""What `tempfile` says on a disk that is full; it tries each folder by writing into it."""
_NO_THREAD = "can't start new thread"
"""What Python says where the machine gives it no thread."""
_AS_MANY = "as many run as this user or container may have (ulimit -u, pids.max)"

SHOW_CURSOR = "\x1b[?25h"
"""What a live display may have hidden of a terminal."""
OURS = threading.Event()
"""Set in a process of this project's own, and not in a program that has only imported it."""


def settle() -> None:
    """Make sure of what every process of this project relies on; called once, before anything else.

    - The first three descriptors are open, so that no socket or file gets the number of a stream, and what is
      meant for people does not end up in it.
    - A standard error that takes nothing ends nothing, and no word is lost because a stream does not block.
    - As many descriptors as the machine allows.
    - Children that end can be asked for their exit codes.
    """
    OURS.set()
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.fileno() == 1:
        sys.stdout = patient_output(sys.stdout)
    sys.stderr = patient(2, forgiving=True)
    raise_limit()
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def shortage(error: OSError) -> str:
    """Return one line about what the machine is short of; the empty text if it is something else."""
    if error.errno == errno.ENOENT and str(error.strerror).startswith(_NO_TEMPORARY):
        tried = str(error.strerror).removeprefix(_NO_TEMPORARY)
        return f"no file can be made in any folder for temporary ones (TMPDIR), tried{tried}"
    if error.errno not in SHORTAGES:
        return ""
    about = "" if error.filename is None else f"{error.filename}: "
    if error.errno == errno.EMFILE:
        return f"{about}too many open files: {limit()} are allowed here (ulimit -n), more are needed"
    if error.errno == errno.EAGAIN:
        if hasattr(error, "characters_written"):  # only who writes into a stream says how far that came
            return "output cannot be written: the stream does not block, and is full"
        return f"{about}no more processes: {_AS_MANY}"
    return f"{about or 'output '}cannot be written: {error.strerror}"


def unusable(error: OSError) -> str:
    """Return one line about a path that cannot be used; the empty text if it is something else."""
    if error.errno == errno.ENOENT and error.filename is None and not _is_somewhere():
        return "the current folder does not exist any more"
    if error.errno not in UNUSABLE or error.filename is None:
        return ""
    return f"{error.filename} cannot be used: {error.strerror}"


def no_defect(error: Exception) -> tuple[ExitCode, str] | None:
    """Return how a process ends by an error of the machine or of a path, and in one line why; else None."""
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return ExitCode.STORAGE, f"no more threads: {_AS_MANY}"
    if not isinstance(error, OSError):
        return None
    if short := shortage(error):
        return ExitCode.STORAGE, short
    path = unusable(error)
    return (ExitCode.USAGE, path) if path else None


def _is_somewhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def leave(why: str, code: ExitCode) -> None:
    """End the process at once: whoever has it in hand lets go of nothing, buffers and locks included.

    Only its temporary folders go with it.
    """
    cursor = SHOW_CURSOR if os.isatty(2) else ""
    try:
        os.write(2, f"{cursor}bnpg: error: {why}\n".encode(errors="replace"))
        remove_passing_folders()
    finally:
        end_at_once(code)


def leave_output() -> str:
    """Hand what is still waiting to standard output; return what is wrong if it takes it not, or nothing."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter would try once more at its end, and end with another code.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        return f"standard output cannot be written: {error.strerror}"
    return ""


def ended(run: Callable[[], int], who: str) -> int:
    """Run a process to its end, and return its exit code; a shortage of the machine is one line."""
    code, why = int(ExitCode.INTERRUPTED), "interrupted"
    try:
        interruptible()
        code, why = _ending(run)
        _end_with(code, who)
    except KeyboardInterrupt:  # before or after the run itself, which ends in order
        _end_with(code, who)
    except Exception:
        if OURS.is_set():
            end_soon(int(ExitCode.INTERNAL), who)
        raise
    if why:
        print(f"{who}: error: {why}", file=sys.stderr)
    return code


def _ending(run: Callable[[], int]) -> tuple[int, str]:
    try:
        return int(run()), ""
    except MemoryError:
        return int(ExitCode.STORAGE), OUT_OF_MEMORY
    except (OSError, RuntimeError) as error:
        known = no_defect(error)
        if known is None:
            raise
        code, why = known
        return int(code), why


def _end_with(code: int, who: str) -> None:
    if OURS.is_set():
        end_with(code, who)
