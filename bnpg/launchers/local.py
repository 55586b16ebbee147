"""The local launcher: one coordinator and N agents as processes on this machine."""

from collections.abc import Callable

from bnpg_coordinator.line import Line
from bnpg_protocol.process.fence import Fence

from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.rendezvous import rendezvous
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.supervisor import Supervisor
from bnpg.launchers.wiring import LocalWiring
from bnpg.run_folder import RunFolder


def launch(
    run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: Callable[[Line], bool | None]
) -> Outcome:
    """Run, or go on with, the run in a folder, and return how it ended.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    fence : Fence
        Through which the processes write.
    on_line
        Called with every line of the run record as it is written.
    """
    with rendezvous(run.path) as meeting_place, LocalPlace() as place:
        wiring = LocalWiring(run, settings, fence, meeting_place)
        return Supervisor(run, settings, on_line, place, place, wiring).run()
