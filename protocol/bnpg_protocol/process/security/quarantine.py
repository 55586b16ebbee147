"""Turning a deaf ear to repeat offenders.

Every refused message fills the bucket of its sender by one, every accepted one empties it by one. A full
bucket means quarantine: nothing of this sender is even looked at for a while, longer each time. A peer behind
a network that garbles some of its messages is accepted more often than refused, so it stays in.
"""

from collections import OrderedDict
from dataclasses import dataclass

FULL = 100
"""Refusals, less the accepted messages in between, after which a sender is quarantined."""
FIRST = 5.0
"""Seconds of the first quarantine; doubled each time."""
LONGEST = 300.0
SENDERS = 4096
"""Senders remembered; the one heard longest ago is forgotten first."""


@dataclass(slots=True)
class _Record:
    bucket: int = 0
    sentences: int = 0
    until: float = 0.0


class Quarantine:
    """Refusals by sender: the public key of an authenticated one, else its connection."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def holds(self, sender: str, now: float) -> bool:
        """Whether what this sender says is not looked at."""
        record = self._records.get(sender)
        return record is not None and now < record.until

    def accepted(self, sender: str) -> None:
        """Note a message that was let in."""
        record = self._records.get(sender)
        if record is not None and record.bucket:
            record.bucket -= 1

    def refused(self, sender: str, now: float) -> float:
        """Note a message that was refused; return the seconds of quarantine that begin now, or 0."""
        record = self._records.setdefault(sender, _Record())
        self._records.move_to_end(sender)
        if len(self._records) > SENDERS:
            self._records.popitem(last=False)
        record.bucket += 1
        if record.bucket < FULL:
            return 0.0
        seconds = min(FIRST * 2.0 ** min(record.sentences, 10), LONGEST)
        record.bucket = 0
        record.sentences += 1
        record.until = now + seconds
        return seconds
