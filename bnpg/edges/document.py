"""Values of edges in JSON and in words."""

import shlex
from pathlib import Path
from typing import Any

from bnpg.edges.measuring import Edges
from bnpg.evaluation.means import Estimate
from bnpg.experiment_plan import edges_text
from bnpg_math.dag import Dag


def as_json(found: Edges) -> dict[str, Any]:
    """Return the values and the proposal as plain values."""
    return {
        "episodes": found.episodes,
        "edges": [
            {
                "parent": value.edge[0],
                "child": value.edge[1],
                **_fields(value.estimate),
                **_exact(value.exact, value.reason),
            }
            for value in found.values
        ],
        "proposal": named(found.proposal),
        "proposal_edges": [list(edge) for edge in found.proposal.edges],
        "proposal_loss": {**_fields(found.loss), **_exact(found.exact_loss, found.reason)},
    }


def as_text(found: Edges, folder: Path, game: str, *, following: bool = True) -> str:
    """Return them for people, with the command that trains the proposal, a smaller graph, if that follows."""
    lines = [f"{game}, {_edges(len(found.values))}, {found.episodes} episodes each way", ""]
    if not found.values:
        return lines[0] + "\n\nThere is no edge to measure."
    lines.append("  what the team loses without it     95 % interval" + _column(found))
    for value in sorted(found.values, key=lambda value: -value.estimate.value):
        exact = value.reason if value.exact is None else f"{value.exact:.4g}"
        lines.append(
            f"    {value.edge[0]} -> {value.edge[1]}  {_interval(value.estimate)}   {exact}".rstrip()
        )
    exact = "" if found.exact_loss is None else f", {found.exact_loss:.4g} by the model"
    exact = f", which by the model {found.reason.removeprefix('it ')}," if found.reason else exact
    lines += [
        "",
        f"  proposal: {named(found.proposal)} ({_edges(len(found.proposal.edges))})",
        f"    loses {_interval(found.loss)}{exact} before it is trained further",
    ]
    if following and len(found.proposal.edges) < len(found.values):
        here = shlex.quote(str(folder))
        lines += ["", "Next", f"  bnpg train --from {here} --dag {named(found.proposal)}"]
    return "\n".join(lines)


def named(dag: Dag) -> str:
    """Return a graph as `--dag` takes it."""
    return edges_text(dag) or "empty"


def _column(found: Edges) -> str:
    known = any(value.exact is not None or value.reason for value in found.values)
    return "   by the model" if known else ""


def _interval(value: Estimate) -> str:
    return f"{value.value:10.4g}   [{value.low:.4g}, {value.high:.4g}]"


def _fields(value: Estimate) -> dict[str, float]:
    return {"value": value.value, "low": value.low, "high": value.high}


def _exact(value: float | None, reason: str) -> dict[str, float | str | None]:
    if reason:
        return {"exact": None, "exact_reason": reason}
    return {} if value is None else {"exact": value}


def _edges(count: int) -> str:
    return f"{count} edge" + "s" * (count != 1)
