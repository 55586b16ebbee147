"""What a launcher is: a function that brings the run in a folder to its end."""

from collections.abc import Callable
from typing import Protocol

from bnpg_coordinator.line import Line
from bnpg_protocol.process.fence import Fence

from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.run_folder import RunFolder

OnLine = Callable[[Line], bool | None]
"""Called with every line of the run record as it is written; True ends the run in order."""


class Launch(Protocol):
    """Starts what a run needs, wherever that is, and lets it work."""

    def __call__(self, run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: OnLine, /) -> Outcome:
        """Run, or go on with, the run in a folder, and return how it ended.

        Parameters
        ----------
        run : RunFolder
            On a disk that all hosts share, where there are several.
        settings : LaunchSettings
        fence : Fence
            Through which all is written; agents on other hosts raise their own in their own folders.
        on_line : OnLine

        Raises
        ------
        InputError
            If there is no such cluster, or this is not inside an allocation.
        """
