"""One line an event, on stderr: for people, or as JSON."""

import json
import logging
import sys
import time
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


def open_log(process: str, form: str, level: str = "info") -> logging.Logger:
    """Return the log of a process: `form` is `text` or `json`, `level` the least that is shown."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    log = logging.getLogger(process)
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(level.upper())
    return log


def write_log(log: logging.Logger, level: str, event: str, fields: dict[str, Any]) -> None:
    """Write one event."""
    log.log(logging.getLevelName(level.upper()), event, extra={"fields": fields})
