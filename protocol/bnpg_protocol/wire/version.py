"""Version of the wire protocol; `docs/protocol.md` is the authority and changes in the same commit."""

PROTOCOL_VERSIONS = (1,)
"""Major versions this program speaks, ascending; the highest common one wins."""


def common_version(theirs: tuple[int, ...]) -> int | None:
    """Return the highest version both sides speak, or None."""
    shared = set(PROTOCOL_VERSIONS) & set(theirs)
    return max(shared) if shared else None
