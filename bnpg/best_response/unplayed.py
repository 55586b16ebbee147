"""What bounds of Nash gaps leave out, in a sentence."""

from collections.abc import Iterable


def sentences(reasons: Iterable[str | None]) -> list[str]:
    """Return of what game the gaps are those, of the reasons that there are."""
    return sorted({f"The gaps are those {reason}." for reason in reasons if reason})
