"""A trace in the JSON format of ui.perfetto.dev and chrome://tracing: slices, and flows for messages."""

import json
from typing import Any

import msgspec
from bnpg_protocol.process.trace_line import MessageLine, ReceiveLine, SendLine

from bnpg.trace.reading import Life, TraceEvent

_SLICE = 20
"""Microseconds a slice is drawn long: events have a time, not a duration."""


def perfetto_json(lives: list[Life]) -> str:
    """Return all events of a trace, a track a process life, an arrow a message."""
    entries: list[dict[str, Any]] = []
    for process, life in enumerate(lives):
        name = f"{life.process} (life {life.life})"
        entries.append({"ph": "M", "pid": process, "tid": 0, "name": "process_name", "args": {"name": name}})
        for event in life.events:
            entries.append(_slice(process, event))
            if isinstance(event.line, SendLine | ReceiveLine):
                entries.append(_flow(process, event.process, event.line))
    return json.dumps({"traceEvents": entries, "displayTimeUnit": "ms"})


def _slice(process: int, event: TraceEvent) -> dict[str, Any]:
    line = event.line
    name = line.kind if isinstance(line, MessageLine) else event.verb
    arguments = {key: value for key, value in msgspec.to_builtins(line).items() if key not in ("t", "k")}
    return {
        "ph": "X", "pid": process, "tid": 0, "ts": line.time * 1e6, "dur": _SLICE, "name": name,
        "cat": event.verb, "args": arguments,
    }  # fmt: skip


def _flow(process: int, name: str, line: SendLine | ReceiveLine) -> dict[str, Any]:
    sends = isinstance(line, SendLine)
    sender, receiver = (name, line.peer) if sends else (line.peer, name)
    identity = f"{sender}>{receiver}:{line.generation}.{line.epoch}.{line.seq}"
    flow = {
        "ph": "s" if sends else "f", "pid": process, "tid": 0, "ts": line.time * 1e6 + 1, "id": identity,
        "name": line.kind, "cat": "message",
    }  # fmt: skip
    return flow if sends else flow | {"bp": "e"}
