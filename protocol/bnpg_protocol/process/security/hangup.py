"""SIGHUP, the old sign for: read your configuration again."""

import signal
from types import FrameType, TracebackType


class Hangup:
    """Whether SIGHUP came; while entered, it does not end the process."""

    def __init__(self) -> None:
        self._came = False
        self._previous: signal._HANDLER = None

    def __enter__(self) -> "Hangup":
        self._previous = signal.signal(signal.SIGHUP, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGHUP, self._previous)

    def came(self) -> bool:
        """Whether it came since the last call."""
        came, self._came = self._came, False
        return came

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._came = True
