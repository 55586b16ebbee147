"""Runs whose agents are on other hosts: addresses, keys, and a launcher around any place that has hosts.

The run folder is on a disk that all hosts share. A coordinator beside the launcher writes there under which
address it is reached, and agents keep their thetas there. Every process has a key that was made on its own
host; what the coordinator lets in is a roster of their public halves.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from bnpg_agents.options import AgentOptions
from bnpg_coordinator.options import CoordinatorOptions
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.options import ProcessOptions
from bnpg_protocol.process.security.endpoints import leaves_machine
from bnpg_protocol.process.security.keys import COORDINATOR_FILE, ROSTER_FILE, KeyFile, write_key_file
from bnpg_protocol.process.security.roster import KeyRoster, write_roster
from bnpg_protocol.process.transport.curve import new_key_pair
from bnpg_protocol.wire.addresses import agent_of
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.launchers.host import HOST_FOLDER
from bnpg.launchers.launch import OnLine
from bnpg.launchers.local_place import LocalPlace
from bnpg.launchers.place import Order, Place
from bnpg.launchers.rendezvous import rendezvous
from bnpg.launchers.settings import LOGS_FOLDER, LaunchSettings, Outcome
from bnpg.launchers.supervisor import Supervisor
from bnpg.launchers.wiring import coordinating, order_of, sealing, shared_options
from bnpg.run_folder import RunFolder
from bnpg_files.reading import read_text
from bnpg_math.errors import InputError

ENDPOINT_FILE = "coordinator.endpoint"
"""In the run folder: where the coordinator is reached."""
MakePlace = Callable[[str], Place]
"""Returns a place, given the coordinator's public key."""


def launch_on(
    make_place: MakePlace,
    run: RunFolder,
    settings: LaunchSettings,
    fence: Fence,
    on_line: OnLine,
) -> Outcome:
    """Run, or go on with, the run in a folder, with the agents on a place; return how it ended.

    Parameters
    ----------
    make_place : callable
    run : RunFolder
        On a disk that all hosts share.
    settings : LaunchSettings
    fence : Fence
        Through which the coordinator writes; every agent raises its own in its own folder.
    on_line : OnLine
    """
    endpoint = run.path / ENDPOINT_FILE
    with rendezvous(run.path, fence) as private:
        own = new_key_pair()
        write_key_file(private / COORDINATOR_FILE, KeyFile("coordinator", own.public, own.secret))
        fence.discard(endpoint)
        try:
            with make_place(own.public) as place, LocalPlace() as beside:
                wiring = NetworkWiring(run, settings, fence, private, own.public, place)
                return Supervisor(run, settings, on_line, beside, place, wiring).run()
        finally:
            with suppress(StorageFailed):  # that of somebody else, who has the folder now
                fence.discard(endpoint)


class NetworkWiring:
    """TCP between hosts, with keys.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    fence : Fence
    private : Path
        A folder that only this user can read, with the coordinator's key.
    public : str
        The coordinator's public key.
    place : Place
        Where agents are, and their keys are made.
    """

    def __init__(
        self,
        run: RunFolder,
        settings: LaunchSettings,
        fence: Fence,
        private: Path,
        public: str,
        place: Place,
    ) -> None:
        self._run = run
        self._settings = settings
        self._fence = fence
        self._private = private
        self._public = public
        self._place = place
        self._keys: dict[str, str] = {}
        self._since = time.time()
        self._write_roster()

    def orders(self, names: Sequence[str], incarnations: dict[str, int]) -> list[Order]:
        """Return the orders of processes, as they are to be started now, when their keys are made.

        Raises
        ------
        StorageFailed
            If somebody else has taken the run folder over: other processes meet where these would.
        """
        self._fence.check(f"start {', '.join(names)}")
        agents = [name for name in names if agent_of(name) is not None]
        if agents:
            self._keys |= self._place.public_keys(agents)
            self._write_roster()
        return [self._order(name, incarnations.get(name, 0)) for name in names]

    def _write_roster(self) -> None:
        """Write whom the coordinator lets in, which reads it again when an unknown key knocks."""
        keys = {str(agent_of(name)): key for name, key in self._keys.items() if key}
        write_roster(self._private / ROSTER_FILE, KeyRoster(self._public, keys))

    def _order(self, name: str, incarnation: int) -> Order:
        agent = agent_of(name)
        options: ProcessOptions
        options = self._coordinator() if agent is None else self._agent(name, agent, incarnation)
        options = msgspec.structs.replace(options, log_file=self._run.path / LOGS_FOLDER / f"{name}.log")
        return order_of(name, shared_options(options, self._run, self._settings, self._since))

    def _coordinator(self) -> CoordinatorOptions:
        file = self._run.path / ENDPOINT_FILE
        advertise = self._settings.advertise
        host = advertise if not leaves_machine(f"tcp://{advertise}:0") else "0.0.0.0"  # noqa: S104
        # One that is started again listens where the agents look for it first.
        port = read_text(file, InputError, 4096).strip().rsplit(":", 1)[-1] if file.exists() else "*"
        return CoordinatorOptions(
            folder=self._run.path,
            fence=self._fence.path,
            listen=f"tcp://{host}:{port}",
            advertise=advertise,
            endpoint_file=file,
            key=self._private / COORDINATOR_FILE,
            roster=self._private / ROSTER_FILE,
            **coordinating(self._settings),
        )

    def _agent(self, name: str, agent: int, incarnation: int) -> AgentOptions:
        return AgentOptions(
            agent=agent,
            incarnation=incarnation,
            state=self._run.agent(agent),
            **sealing(self._run, self._settings),
            connect=f"@{self._run.path / ENDPOINT_FILE}",
            key=Path(HOST_FOLDER) / f"{name}.key",
        )
