"""Who is who in a run: the coordinator is -1, agents are 0, 1, .., an agent without an id yet is -2."""

COORDINATOR = -1
UNASSIGNED = -2


def name(peer: int) -> str:
    """Return the name of a peer as people read it.

    Examples
    --------
    >>> name(COORDINATOR), name(3)
    ('coordinator', 'agent 3')
    """
    if peer == COORDINATOR:
        return "coordinator"
    return "an agent without an id" if peer == UNASSIGNED else f"agent {peer}"


def process_name(peer: int) -> str:
    """Return the name of a peer's process: in plans, traces, key files, and of an agent's folder.

    Examples
    --------
    >>> process_name(COORDINATOR), process_name(3), process_name(UNASSIGNED)
    ('coordinator', 'agent-3', 'agent')
    """
    if peer == COORDINATOR:
        return "coordinator"
    return "agent" if peer == UNASSIGNED else f"agent-{peer}"


def agent_of(process: str) -> int | None:
    """Return which agent a process is, by its name; None for the coordinator.

    Examples
    --------
    >>> agent_of("agent-3"), agent_of("coordinator")
    (3, None)
    """
    return None if process == process_name(COORDINATOR) else int(process.removeprefix("agent-"))


def names(peers: "list[int] | tuple[int, ...] | set[int]") -> str:
    """Return several peers as people read them, in ascending order.

    Examples
    --------
    >>> names({3, 1})
    'agents 1, 3'
    """
    if len(peers) == 1:
        return name(next(iter(peers)))
    return "agents " + ", ".join(str(peer) for peer in sorted(peers))
