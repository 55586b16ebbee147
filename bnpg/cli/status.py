"""`bnpg status`: who is up, where in the run, who is waited for."""

import json
import time
from pathlib import Path
from typing import Any

import click
from bnpg_coordinator import run_files
from bnpg_protocol.wire.letters import shown

from bnpg.cli.options import debug_option, json_option
from bnpg.durations import duration
from bnpg.run_documents import Status, read_document
from bnpg_math.errors import InputError

STALE = 3.0
"""Seconds after which a status that nobody renews means that nobody is there any more."""


@click.command(short_help="Show who is up, where a run is, and who is waited for.")
@click.argument("where", metavar="DIR|ADDRESS")
@json_option
@debug_option
def status(where: str, as_json: bool) -> None:
    """Show the state of a run: from its folder, or from the coordinator's --metrics-listen address.

    \b
    Examples:
      bnpg status runs/first
      bnpg status 127.0.0.1:9000
    """  # noqa: D301 (\b keeps click from wrapping)
    folder = Path(where)
    status = _from_folder(folder) if folder.is_dir() else _from_address(where)
    if as_json:
        click.echo(json.dumps(status))
        return
    click.echo("\n".join(map(shown, _lines(status))))  # whoever wrote it, peers have their words in it


def _from_folder(folder: Path) -> dict[str, Any]:
    file = folder / run_files.STATUS
    try:
        status = read_document(file, Status)
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no status.json: expected the folder of a run that was started"
        ) from None
    age = max(0.0, time.time() - float(status["written"]))
    if status.get("phase") == "ended":
        from bnpg.run_folder import RunFolder

        ended = RunFolder(folder).summary or {}
        status |= {key: ended[key] for key in ("state", "why") if key in ended}
    return status | {"seconds_old": round(age, 1), "up": age < STALE and status.get("phase") != "ended"}


def _from_address(where: str) -> dict[str, Any]:
    from bnpg.watch.answers import fetch

    expected = "expected a run folder, or HOST:PORT given to --metrics-listen"
    try:
        content = fetch(where.removeprefix("http://").rstrip("/"), "/status")
    except OSError as error:
        raise InputError(f"{where}: {expected}: {error}") from None
    try:
        status = dict(json.loads(content)) | {"seconds_old": 0.0, "up": True}
        _lines(status)
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        raise InputError(f"{where}: {expected}; what answers there is no process of a run") from None
    return status


def _lines(status: dict[str, Any]) -> list[str]:
    head = f"{status.get('phase', '?')}: round {status.get('round', '?')}"
    head += f" of {status['rounds']}" if "rounds" in status else ""
    head += f", step {status.get('step', '?')}"
    if not status["up"] and status.get("phase") != "ended":
        head += f"; nobody has renewed this for {duration(status['seconds_old'])}"
    head += f"; {status['state']}: {status['why']}" if "state" in status else ""
    lines = [head]
    if status.get("waiting_for"):
        lines.append(f"waiting for {status['waiting_for']}")
    for agent, state in sorted(status.get("agents", {}).items(), key=lambda item: int(item[0])):
        lines.append(
            f"  agent {agent:>3}  {state['phase']:<9} round {state['round']}, step {state['step']}, "
            f"start {state['incarnation']}, heard {duration(state['heard_seconds_ago'])} before"
        )
    for agent, why in sorted(status.get("rejected", {}).items()):
        who = f"agent {agent}" if int(agent) >= 0 else "an agent without an id"
        lines.append(f"  {who} was rejected ({why})")
    for key, meaning in (("refused", "messages refused"), ("turned_away", "connections turned away")):
        for reason, count in sorted(status.get(key, {}).items()):
            lines.append(f"  {count} {meaning}: {reason}")
    return lines
