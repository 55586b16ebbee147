"""One line an event, on stderr and where it is wanted in a file: for people, or as JSON."""

import json
import logging
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

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


class _File(logging.FileHandler):
    """A file that is appended to; a disk that is full ends no run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do without the line."""


def open_log(process: str, form: str, level: str = "info", file: Path | None = None) -> logging.Logger:
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
        Where lines from `info` on are appended too, and what a defect of the process shows.
    """
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(level.upper())
    log = logging.getLogger(process)
    log.handlers = [shown]
    log.propagate = False
    log.setLevel(shown.level)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
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
        with suppress(OSError), open(file.baseFilename, "a", encoding="utf-8") as last:
            last.write("".join(traceback.format_exception(kind, error, trace)))
        before(kind, error, trace)

    sys.excepthook = show


def write_log(log: logging.Logger, level: str, event: str, fields: dict[str, Any]) -> None:
    """Write one event."""
    log.log(logging.getLevelName(level.upper()), event, extra={"fields": fields})
