"""The local launcher: one coordinator and N agents as processes on this machine."""

from bnpg_protocol.process.fence import Fence

from bnpg.launchers.launch import OnLine
from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.rendezvous import rendezvous
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.supervisor import Supervisor
from bnpg.launchers.wiring import LocalWiring
from bnpg.run_folder import RunFolder


def launch(run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: OnLine) -> Outcome:
    """Run a coordinator and its agents as processes here: a :class:`~bnpg.launchers.launch.Launch`."""
    with rendezvous(run.path, fence) as meeting_place, LocalPlace() as place:
        wiring = LocalWiring(run, settings, fence, meeting_place)
        return Supervisor(run, settings, on_line, place, place, wiring).run()
