"""Version of the wire protocol; `docs/protocol.md` is the authority and changes in the same commit."""

PROTOCOL_VERSIONS = (2,)
"""Major versions this program speaks, ascending; the highest common one wins."""
JOINING_VERSION = 1
"""Version in the header of a `Hello` and a `Reject`, whatever version is spoken: their fields never change.

So peers of any two versions understand that they do not understand each other.
"""


def common_version(theirs: tuple[int, ...]) -> int | None:
    """Return the highest version both sides speak, or None."""
    shared = set(PROTOCOL_VERSIONS) & set(theirs)
    return max(shared) if shared else None
