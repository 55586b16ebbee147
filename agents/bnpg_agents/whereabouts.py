"""Where the coordinator is: an endpoint, or a file that holds it and may say something else later."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bnpg_protocol.process.awake import Awake

from bnpg_files.reading import read_text
from bnpg_math.errors import InputError

_LONGEST = 4096
LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""


class Whereabouts:
    """The endpoint of the coordinator.

    Parameters
    ----------
    connect : str
        An endpoint, or `@FILE`.
    patience : float
        Seconds for the file to appear, in which this process is awake.
    """

    def __init__(self, connect: str, patience: float) -> None:
        self._file = Path(connect[1:]) if connect.startswith("@") else None
        self._patience = patience
        self._look_at = 0.0
        self.endpoint = "" if self._file is not None else connect

    def wait(self, given_up: Callable[[], bool]) -> str | None:
        """Return the endpoint, waiting for the file if need be; None if it does not appear.

        Parameters
        ----------
        given_up
            Whether nobody is interested any more.

        Raises
        ------
        InputError
            If there is something else than a file with a text.
        """
        awake = Awake()
        while not self._read():
            if awake() > self._patience or given_up():
                return None
            time.sleep(0.01)
        return self.endpoint

    def moved(self, now: float) -> str | None:
        """Return where the coordinator is now, if the file says something else than before."""
        if self._file is None or now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY
        before = self.endpoint
        with suppress(InputError):  # whatever is there now, it is no reason to leave a run that goes on
            self._read()
        return self.endpoint if self.endpoint != before else None

    def _read(self) -> bool:
        """Read the file; return whether the endpoint is known."""
        if self._file is not None:
            with suppress(FileNotFoundError):  # a coordinator that is away for a moment has none
                self.endpoint = read_text(self._file, InputError, _LONGEST).strip() or self.endpoint
        return bool(self.endpoint)
