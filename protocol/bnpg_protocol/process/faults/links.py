"""What a fault plan is about is there: its processes, and its links, of which a relay leaves some out."""

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

from bnpg_protocol.process.faults.plan import FaultPlan, Partition, PlanError, ProcessFault
from bnpg_protocol.wire.addresses import COORDINATOR, process_name

Edge = tuple[int, int]
_OF_LINKS = ("delay", "drop", "duplicate", "reorder", "corrupt", "partition")
_OF_PROCESSES = ("pause", "kill", "exhaust")
MOST_SHOWN = 6
"""Links that an error names."""


def check_links(plan: FaultPlan, where: str, edges: Iterable[Edge], links: Iterable[Edge]) -> None:
    """Refuse a plan with a fault that is only about edges over which nothing is sent.

    Parameters
    ----------
    plan : FaultPlan
    where : str
        What the plan is called in the error.
    edges : iterable of (parent, child)
        Of the DAG.
    links : iterable of (sender, receiver)
        Those of them that there are.

    Raises
    ------
    PlanError
        Naming the first such fault, and what it is about.
    """
    there = set(links)
    missing = [edge for edge in edges if edge not in there]
    agents = sorted({agent for edge in (*there, *missing) for agent in edge})
    with_coordinator = [(COORDINATOR, agent) for agent in agents]
    present = [_both(edge) for edge in (*sorted(there), *with_coordinator)]
    absent = [_both(edge) for edge in missing]
    for what, fault in _faults(plan, _OF_LINKS):
        if any(_strikes(fault, *pair) for ways in present for pair in ways):
            continue
        struck = [ways[0] for ways in absent if any(_strikes(fault, *pair) for pair in ways)]
        if struck:
            having = [ways[0] for ways in present[: len(there)]]
            raise PlanError(
                f"{where}: {what} must be about a link that there is with --relay on ({_named(having)}, and "
                f"those with the coordinator), got only {_named(struck)}, whose actions are handed on; "
                f"choose another link, or --relay off"
            )


def about_nobody(plan: FaultPlan, agents: int) -> list[str]:
    """Return what of a plan is about a process that a run does not have, a line each.

    Parameters
    ----------
    plan : FaultPlan
    agents : int
        How many the run has.
    """
    names = [process_name(peer) for peer in (COORDINATOR, *range(agents))]
    strange = []
    for what, fault in _faults(plan, (*_OF_LINKS, *_OF_PROCESSES)):
        for pattern in _processes(fault):
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                there = f"{names[0]} and {names[1]} to {names[-1]}"
                strange.append(f"{what} is about {pattern}, and the run has {there} only")
    return strange


def _processes(fault: Any) -> list[str]:
    """Return the names and patterns of processes that a fault is about."""
    if isinstance(fault, Partition):
        return [pattern for group in fault.groups for pattern in group]
    return [fault.process] if isinstance(fault, ProcessFault) else [fault.sender, fault.to]


def _faults(plan: FaultPlan, sections: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for section in sections:
        for number, fault in enumerate(getattr(plan, section)):
            yield f"[[{section}]] {number + 1}", fault


def _both(edge: Edge) -> tuple[tuple[str, str], tuple[str, str]]:
    first, other = map(process_name, edge)
    return (first, other), (other, first)


def _strikes(fault: Any, sender: str, to: str) -> bool:
    """Whether a fault is about what one process sends another, whenever that is."""
    matches = getattr(fault, "separates", None) or fault.joins
    return bool(matches(sender, to))


def _named(pairs: list[tuple[str, str]]) -> str:
    shown = [f"{sender} -> {to}" for sender, to in pairs[:MOST_SHOWN]]
    return ", ".join([*shown, *([".."] if len(pairs) > MOST_SHOWN else [])]) or "none"
