"""A trace in the JSON format of ui.perfetto.dev and chrome://tracing: slices, and flows for messages."""

import json
from typing import Any

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
            if event.kind in ("send", "receive"):
                entries.append(_flow(process, event))
    return json.dumps({"traceEvents": entries, "displayTimeUnit": "ms"})


def _slice(process: int, event: TraceEvent) -> dict[str, Any]:
    name = event["kind"] if "kind" in event.fields else event.kind
    arguments = {key: value for key, value in event.fields.items() if key not in ("t", "h", "k")}
    start = event["t"] * 1e6
    return {
        "ph": "X", "pid": process, "tid": 0, "ts": start, "dur": _SLICE, "name": name, "cat": event.kind,
        "args": arguments,
    }  # fmt: skip


def _flow(process: int, event: TraceEvent) -> dict[str, Any]:
    sends = event.kind == "send"
    ends = (event.process, event["peer"]) if sends else (event["peer"], event.process)
    identity = f"{ends[0]}>{ends[1]}:{event['g']}.{event['e']}.{event['seq']}"
    flow = {
        "ph": "s" if sends else "f", "pid": process, "tid": 0, "ts": event["t"] * 1e6 + 1, "id": identity,
        "name": event["kind"], "cat": "message",
    }  # fmt: skip
    return flow if sends else flow | {"bp": "e"}
