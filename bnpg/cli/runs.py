"""`bnpg runs`: a table of many runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnpg.cli.options import debug_option, integer, json_option
from bnpg.measures import named

if TYPE_CHECKING:
    from bnpg.catalogue.entry import Entry

_MEASURED = named("value", "optimality_gap", "nash_gap", "return_mean")
_WIDEST = 36


@click.command(short_help="List runs: filter, sort, group, and show what tells them apart.")
@click.argument("folder", metavar="[DIR]", default="runs", type=click.Path(path_type=Path))
@click.option(
    "--filter", "terms", multiple=True, metavar="TERM",
    help="Only runs for which FIELD=VALUE, !=, <, <=, > or >= holds, or whose name, game, DAG or state has "
    "this word; may be given several times.",
)  # fmt: skip
@click.option(
    "--sort", metavar="[-]FIELD", help="Order by a column or setting; - turns it round.  [newest first]"
)
@click.option(
    "--group", multiple=True, metavar="FIELD", help="A line for the runs that agree in FIELD, with medians."
)
@click.option("--limit", type=integer(1), metavar="N", help="Show so many at most.")
@json_option
@debug_option
def runs(
    folder: Path,
    terms: tuple[str, ...],
    sort: str | None,
    group: tuple[str, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    """List the runs below a folder, newest first, with the settings that differ among them.

    Runs of sweeps below it are found too. `bnpg watch DIR` shows the same as a page that follows the runs.

    \b
    Examples:
      bnpg runs
      bnpg runs sweeps/edge --filter game=climbing --sort=-value
      bnpg runs --filter state=done --group game --group dag
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.catalogue.catalogue import Catalogue
    from bnpg.catalogue.selection import choose, grouped, order

    entries = Catalogue(folder).entries()
    chosen = choose(entries, terms) if entries else []
    chosen = order(chosen, sort) if sort and chosen else chosen
    shown = chosen[:limit]
    groups = grouped(chosen, group) if group and chosen else []
    if as_json:
        document: dict[str, Any] = {
            "dir": str(folder.absolute()),
            "found": len(entries),
            "runs": [entry.document() for entry in shown],
        }
        if group:
            document["groups"] = [_group(values, members) for values, members in groups]
        click.echo(json.dumps(document))
        return
    if not chosen:
        none = f"none of {len(entries)} runs in {folder} fits" if entries else f"no run is in {folder} yet"
        click.echo(none)
        return
    lines = _group_table(groups) if group else _table(shown)
    click.echo("\n".join(lines))
    rest = "" if len(shown) == len(chosen) or group else f", {len(shown)} shown"
    fitting = "" if len(chosen) == len(entries) else f" of {len(entries)}"
    click.echo(f"\n{len(chosen)}{fitting} run{'s' * (len(chosen) != 1)} in {folder}{rest}")


def _group(values: dict[str, Any], members: "list[Entry]") -> dict[str, Any]:
    from bnpg.catalogue.selection import middle

    row: dict[str, Any] = dict(values) | {"runs": len(members)}
    row["done"] = sum(entry.state == "done" for entry in members)
    for name in _MEASURED:
        row[name] = middle(members, name)
        if row[name] is None:
            row[f"{name}_reason"] = "no run measured it"
    return row


def _table(entries: "list[Entry]") -> list[str]:
    from bnpg.catalogue.selection import differing

    settings = ["game", *(name for name in differing(entries) if name not in ("game", "rounds"))]
    measured = [name for name in _MEASURED if any(entry.numbers[name] is not None for entry in entries)]
    rows = [["run", "state", *settings, "rounds", *(_MEASURED[name] for name in measured)]]
    for entry in entries:
        rounds, total = entry.numbers["rounds"], entry.numbers["rounds_total"]
        done = "-" if rounds is None else f"{rounds:.0f}" + ("" if rounds == total else f" of {total:.0f}")
        cells = [_cell(entry.cell(name)) for name in settings]
        rows.append(
            [entry.name, entry.state, *cells, done, *(_cell(entry.numbers[name]) for name in measured)]
        )
    lines = _aligned(rows)
    lines += [f"  {entry.name}: {entry.why}" for entry in entries if entry.state == "unreadable"]
    return lines


def _group_table(groups: "list[tuple[dict[str, Any], list[Entry]]]") -> list[str]:
    summaries = [_group(values, members) for values, members in groups]
    measured = [name for name in _MEASURED if any(row[name] is not None for row in summaries)]
    names = list(groups[0][0])
    rows = [[*names, "runs", "done", *(f"median {_MEASURED[name]}" for name in measured)]]
    rows += [[_cell(row[name]) for name in (*names, "runs", "done", *measured)] for row in summaries]
    return _aligned(rows)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 2]}.."
