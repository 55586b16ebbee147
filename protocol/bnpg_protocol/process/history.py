"""The last events of a process: what a crash report shows beside the place in the code."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.envelope import Envelope

KEPT = 24
"""Events that are kept."""


class History:
    """What came in and what was done, the latest last. They are put into words only when somebody asks."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, Envelope | list[Effect]]] = deque(maxlen=KEPT)

    def note(self, now: float, event: Envelope | list[Effect]) -> None:
        """Keep an arrival, or the effects that are carried out because of one."""
        self._events.append((now, event))

    def __str__(self) -> str:
        if not self._events:
            return "nothing had happened before"
        lines = [f"{now:.6f} {words}" for now, event in self._events for words in _in_words(event)]
        return "\n".join(["the last events before:", *(f"  {line}" for line in lines)])

    def add_to(self, error: Exception) -> None:
        """Add the last events to an error that nobody expected, once."""
        if not getattr(error, "__notes__", None):
            error.add_note(str(self))


def _in_words(event: Envelope | list[Effect]) -> Iterator[str]:
    if isinstance(event, Envelope):
        place = f"g={event.generation} e={event.epoch} seq={event.seq} ack={event.ack}"
        yield f"< {name(event.sender)} {place}: {_shown(event.message)}"
        return
    for effect in event:
        if isinstance(effect, Transmit):
            yield f"> {name(effect.to)} seq={effect.envelope.seq}: {_shown(effect.envelope.message)}"
        else:
            yield f"  {_shown(effect)}"


def _shown(fact: Any) -> str:
    """Return a message or an effect in one line, arrays by their shapes."""
    words = [type(fact).__name__]
    for field in fact.__struct_fields__:
        value = getattr(fact, field)
        text = f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)
        words.append(f"{field}={text if len(text) <= 80 else text[:77] + '..'}")
    return " ".join(words)
