"""All that a run has left in its folder, in a form in which two runs of one experiment are the same."""

import json
import re
from pathlib import Path
from typing import Any

from bnpg_agents.checkpoint import SLOTS_FILE, load_latest
from bnpg_coordinator.sealed_folder import FOLDER as SEALED_FOLDER
from bnpg_protocol.wire.sealed import round_of

_DIFFER = re.compile(
    r"(agents/agent-\d+/incarnation|generation|status\.json|run\.json|trace/.*|trace-heads\.json)"
)
"""What counts lives, tells the time, or tells of every life."""


def content(folder: Path) -> dict[str, Any]:
    """Return all that a run has left, but for what two runs of one experiment differ in."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or _DIFFER.fullmatch(name):
            found[name.split("/", maxsplit=1)[0]] = None
        elif name == "metrics.jsonl":
            found[name] = [_without(json.loads(line)) for line in path.read_text().splitlines()]
        elif name == "summary.json":
            found[name] = _without(json.loads(path.read_text()))
        elif name == "metrics.csv":
            rows = [row.split(",") for row in path.read_text().splitlines()]
            found[name] = [[*row[:1], *row[2:]] for row in rows]
        elif path.name == SLOTS_FILE:
            # Which earlier rounds are there too depends on how often it was stored.
            thetas = load_latest(path.parent)
            found[name] = (max(thetas), thetas[max(thetas)].tobytes())
        elif path.parent.name == SEALED_FOLDER:
            found[name] = round_of(path.read_bytes())  # the rest depends on which life sealed it
        else:
            found[name] = path.read_bytes()
    return found


def _without(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in ("seconds", "core", "run", "run_dir")}
