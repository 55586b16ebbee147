"""One line an event, on stderr and where it is wanted in a file: for people, or as JSON."""

import errno
import json
import logging
import os
import stat
import sys
import time
import traceback
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any

from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import make_folder

_ZONE = time.strftime("%z")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields: dict[str, Any] = getattr(record, "fields", {})
        tail = "".join(f" {key}={_shown(value)}" for key, value in fields.items())
        level = record.levelname.lower()
        return f"{clock}.{int(record.msecs):03d} {level:7} {record.name}: {record.getMessage()}{tail}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
            + f".{int(record.msecs):03d}{_ZONE}"
        )
        line = {
            "time": stamp,
            "level": record.levelname.lower(),
            "process": record.name,
            "event": record.getMessage(),
        }
        return json.dumps(line | getattr(record, "fields", {}), default=str)


def _shown(value: object) -> str:
    text = str(value)
    # A peer's words may be in it: no line break or control character of theirs reaches the log.
    return text if text.isprintable() and text and " " not in text else json.dumps(text)


def _appended(path: str) -> TextIOWrapper:
    """Open a file to append to it; its folder may be from somebody else, so a link leads nowhere.

    Raises
    ------
    OSError
        If it cannot be opened, or is something else than a regular file.
    """
    # Without O_NONBLOCK opening a fifo waits for a reader.
    careful = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | careful, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP and os.path.islink(path):
            raise OSError(errno.ELOOP, "expected a regular file, got a link", path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "expected a regular file, got something else", path)
    return open(descriptor, "a", encoding="utf-8")


class _File(logging.FileHandler):
    """A file that is appended to; a disk that is full ends no run."""

    def _open(self) -> TextIOWrapper:
        return _appended(self.baseFilename)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do without the line."""


def open_log(
    process: str, form: str, level: str = "info", file: Path | None = None, fence: Fence | None = None
) -> logging.Logger:
    """Return the log of a process.

    Parameters
    ----------
    process : str
        Its name in every line.
    form : str
        `text` or `json`.
    level : str
        The least that is shown on stderr.
    file : Path, optional
        Where lines from `info` on are appended too, and what a defect of the process shows. A link
        is not followed, and nothing but a regular file is written to.
    fence : Fence, optional
        Without which the folder of the file may not be made.
    """
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(level.upper())
    log = logging.getLogger(process)
    log.handlers = [shown]
    log.propagate = False
    log.setLevel(shown.level)
    if file is not None:
        try:
            make_folder(file.parent, False, fence)
            kept = _File(file, encoding="utf-8")
        except OSError as error:
            why = {"file": str(file), "why": error.strerror}
            log.warning("no log is kept", extra={"fields": why})
        else:
            kept.setLevel(logging.INFO)
            log.handlers.append(kept)
            log.setLevel(min(shown.level, kept.level))
            _keep_defects(kept)
    for handler in log.handlers:
        handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    return log


def _keep_defects(file: logging.FileHandler) -> None:
    """Write what an exception that nobody caught shows into a file too."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        with suppress(OSError), _appended(file.baseFilename) as last:
            last.write("".join(traceback.format_exception(kind, error, trace)))
        before(kind, error, trace)

    sys.excepthook = show


def write_log(log: logging.Logger, level: str, event: str, fields: dict[str, Any]) -> None:
    """Write one event."""
    log.log(logging.getLevelName(level.upper()), event, extra={"fields": fields})
