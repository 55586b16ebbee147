"""The list of who may connect to this process, and as whom each may speak.

A key that owns an agent id speaks as that agent and as nobody else. A key that is *enrolled* may ask for an
id; the one it is given is its own from then on. The list can change while connections live: every message is
judged by the list of the moment, so a revoked key is silenced at once.
"""

from collections.abc import Callable, Iterable

from bnpg_protocol.wire.addresses import UNASSIGNED, name
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import CheckpointsRequested, Hello


class Admission:
    """An allow-list of public keys.

    Parameters
    ----------
    owners : dict from public key to address
        Keys that belong to somebody.
    enrolled : iterable of str
        Keys that may ask for an id.
    look_again
        Called when an unknown key knocks; returns the keys enrolled by now.
    read_again
        Called when an unknown key knocks; returns whom all keys belong to now, or None if nothing changed.
    """

    def __init__(
        self,
        owners: dict[str, int] | None = None,
        enrolled: Iterable[str] = (),
        look_again: Callable[[], Iterable[str]] | None = None,
        read_again: Callable[[], dict[str, int] | None] | None = None,
    ) -> None:
        self._owners = dict(owners or {})
        self._enrolled = frozenset(enrolled)
        self._look_again = look_again
        self._read_again = read_again

    @property
    def owners(self) -> dict[str, int]:
        """Whom each key belongs to."""
        return dict(self._owners)

    def replace(self, owners: dict[str, int], enrolled: Iterable[str] = ()) -> None:
        """Change the whole list; keys that are not on it any more are refused from now on."""
        self._owners = dict(owners)
        self._enrolled = frozenset(enrolled)

    def allows(self, key: str) -> bool:
        """Whether a connection with this key is let in."""
        if key not in self._owners and key not in self._enrolled and self._look_again is not None:
            self._enrolled = frozenset(self._look_again())
        if key not in self._owners and self._read_again is not None:
            owners = self._read_again()
            self._owners = self._owners if owners is None else dict(owners)
        return key in self._owners or key in self._enrolled

    def owner(self, key: str) -> int | None:
        """Return whom a key belongs to; -2 if it is only enrolled so far, None if it is not on the list."""
        owner = self._owners.get(key)
        if owner is None and key in self._enrolled:
            return UNASSIGNED
        return owner

    def key_of(self, agent: int) -> str:
        """Return the key that owns an agent id, or the empty text."""
        return next((key for key, owner in self._owners.items() if owner == agent), "")

    def bind(self, key: str, agent: int) -> bool:
        """Let an enrolled key own an id from now on; return whether that is new."""
        if self._owners.get(key) == agent:
            return False
        self._owners[key] = agent
        return True

    def objection(self, key: str, envelope: Envelope) -> str:
        """Return why an envelope that came with this key is refused; the empty text if it is not."""
        owner = self.owner(key)
        if owner is None:
            return "a key that is not allowed (any more)"
        if owner == envelope.sender:
            return ""
        if isinstance(envelope.message, Hello | CheckpointsRequested) and UNASSIGNED in (
            owner,
            envelope.sender,
        ):
            # Who it will be is decided by the membership, which knows the key too.
            return ""
        if owner == UNASSIGNED:
            return "a key without an id may only say Hello"
        return f"speaks for another: the key belongs to {name(owner)}"
