"""The name of a process as `ps` and its log show it."""

from setproctitle import setproctitle

from bnpg_protocol.wire.addresses import process_name


def title(peer: int) -> str:
    """Return the title of a peer's process.

    Examples
    --------
    >>> title(3)
    'bnpg-agent-3'
    """
    return f"bnpg-{process_name(peer)}"


def set_title(peer: int) -> None:
    """Give this process the title of a peer, visible in `ps` and in its command line."""
    setproctitle(title(peer))
