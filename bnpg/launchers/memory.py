"""The memory launcher: all machines of a run in this process, over a network in memory."""

import time
from pathlib import Path

import msgspec
from bnpg_agents.checkpoint import CheckpointFolder, load_snapshots
from bnpg_agents.sealing import Seal
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator import run_files
from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.effect_performer import effect_performer
from bnpg_coordinator.effects import Conclude
from bnpg_coordinator.line import Line
from bnpg_coordinator.loading import prepare_setup, recorded_critics, recorded_lines
from bnpg_coordinator.membership import newest_common
from bnpg_coordinator.run_record import RunRecord, recorded_rounds
from bnpg_coordinator.sealed_folder import read_sealed
from bnpg_protocol.process.allocation import keep_freed_memory
from bnpg_protocol.process.asked_to_end import AskedToEnd
from bnpg_protocol.process.endings import noting
from bnpg_protocol.process.faults.plan import read_plan
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.process.log import open_log, write_log
from bnpg_protocol.process.recorder import TraceRecorder
from bnpg_protocol.process.security.seal_key import read_seal_key
from bnpg_protocol.wire.effects import Effect, Stop
from bnpg_protocol.wire.exit_codes import ExitCode
from bnpg_protocol.wire.sealed import LARGEST

from bnpg.launchers.cluster import COORDINATOR, Cluster
from bnpg.launchers.launch import OnLine
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.wiring import least_sealed
from bnpg.one_thread import one_thread
from bnpg.run_folder import RunFolder
from bnpg_files.reading import read_bytes

STORE_EVERY = 1.0
"""Seconds between two storings of all agents' thetas: one process, they are lost together or not at all."""


def launch(run: RunFolder, settings: LaunchSettings, fence: Fence, on_line: OnLine) -> Outcome:
    """Run everybody in this process: a :class:`~bnpg.launchers.launch.Launch`."""
    keep_freed_memory()
    with one_thread():
        return _MemoryRun(run, settings, fence, on_line).run()


class _MemoryRun:
    def __init__(
        self,
        run: RunFolder,
        settings: LaunchSettings,
        fence: Fence,
        on_line: OnLine,
    ) -> None:
        folder = run.path
        self._on_line = on_line
        self._log = open_log("bnpg", settings.log_format, settings.log_level)
        self._record = RunRecord(folder, settings.fsync, fence)
        self._settings = settings
        self._world = run.world
        workers = settings.environment_workers
        if workers:
            from bnpg_coordinator.environments.workers import over_workers

            home = Path("" if run.simulator is None else run.simulator.folder)
            self._world = over_workers(run.world, workers, run.experiment, settings.patience, home)
        setup = prepare_setup(
            folder,
            run.identity["run"],
            run.experiment,
            self._world,
            run.world_digest,
            run.dag,
            0,
            settings.patience,
        )
        # Turns that are played at once hand nothing on: a relay is for those that go over the network.
        networked = bool(settings.faults) or setup.experiment.trace
        setup = msgspec.structs.replace(setup, relay=settings.relay == "on" and networked)
        self._asked_to_end = AskedToEnd()
        largest = LARGEST if settings.seal else 0
        self._store_at = time.monotonic() + STORE_EVERY
        agents = range(setup.dag.agents)
        # They are stored now and then, but sealed in every round: what is sealed is the newer one.
        kept = read_sealed(folder, largest)
        held = [load_snapshots(run.agent(agent)).keys() or {0} for agent in agents]
        newest = list(map(max, held))
        sealed = bool(kept) and all(max(kept.get(agent, [-1])) >= newest[agent] for agent in agents)
        self._folders = [CheckpointFolder(run.agent(agent), settings.fsync, fence) for agent in agents]
        identities = [folder.identity() for folder in self._folders]
        self._stored: dict[int, dict[int, Snapshot]] = {}
        self._fence = fence
        self._note: Path | None = None
        """Says that all are stored for the first time: nobody held more than what all begin with."""
        reached = recorded_rounds(folder / run_files.RECORD)
        self._base = newest_common(held, reached)
        """Round from which the run goes on if this process is killed while it stores the next ones."""
        if not settings.seal and not any(newest):
            self._note = folder / run_files.STORING
        self._critics: dict[int, CriticState] = recorded_critics(folder, setup.experiment)
        """The critic's last two states, as lost or stored as the agents' are."""
        self._known = [identity is not None for identity in identities]
        perform = effect_performer(
            self._record,
            setup,
            lambda *event: write_log(self._log, *event),
            self._look,
            self._keep_critic,
        )

        def carry_out(effect: Effect) -> None:
            if isinstance(effect, Conclude):
                # A run that says it is done has its policy on the disk, and shows that it has ended.
                self._store()
                self._write_status()
            perform(effect)

        self._cluster = Cluster(
            lambda generation: msgspec.structs.replace(
                setup,
                generation=generation,
                restarts=settings.on_lost_state == "restart",
                recorded=recorded_lines(folder, setup.experiment),
                reached=recorded_rounds(folder / run_files.RECORD),
                largest_sealed=largest,
                sealed=read_sealed(folder, largest),
                critics=dict(self._critics),
            ),
            carry_out,
            [_taken_over(folder, sealed) for folder in self._folders],
            identities=["" if identity is None or sealed else identity[1] for identity in identities],
            next_life=lambda agent: self._folders[agent].next_incarnation(),
            next_generation=self._record.next_generation,
            plan=read_plan(folder / settings.faults) if settings.faults else None,
            write_log=lambda process, level, event, fields: write_log(
                self._log, level, event, {"process": process} | fields
            ),
            trace=(lambda life: TraceRecorder(run.trace, life, fence=fence))
            if setup.experiment.trace
            else None,
            seal=Seal(read_seal_key(Path(settings.seal))) if settings.seal else None,
            sealed_from=lambda: least_sealed(run, settings),
            pause=self._wanted,
        )

    def run(self) -> Outcome:
        """Run to the end."""
        simulation = self._cluster.simulation
        try:
            with noting(self._asked_to_end.asked):
                self._until_stopped()
        finally:
            self._asked_to_end.answered()
            if self._settings.environment_workers:
                from bnpg_coordinator.environments.workers import close_world

                close_world(self._world)
            self._cluster.close_traces()
            self._store()
            self._write_status()
            self._record.close()
        stop = simulation.stops.get(COORDINATOR, Stop(ExitCode.INTERNAL, "the coordinator never ended"))
        if stop.code == ExitCode.DEADLINE:
            # Who waited for an agent that was not let in, or could not go on, waited in vain.
            gone = (ExitCode.REJECTED, ExitCode.PROTOCOL)
            lost = [stop for stop in simulation.stops.values() if stop.code in gone]
            if lost:
                stop = lost[0]
                self._record.conclude("failed", stop.why, 0, {})  # not that it waited, but why in vain
        return Outcome(stop.code, stop.why, 1)

    def _until_stopped(self) -> None:
        simulation = self._cluster.simulation
        while simulation.running:
            while not self._wanted():
                if not simulation.step():
                    return
                if self._asked_to_end.pending:
                    break
            if self._asked_to_end.pending and COORDINATOR in simulation.running:
                self._asked_to_end.answered()
                ending = self._cluster.coordinator.end(ExitCode.INTERRUPTED, "interrupted", simulation.now)
                simulation.tell(COORDINATOR, ending)
            if time.monotonic() >= self._store_at:
                self._store()
                self._store_at = time.monotonic() + STORE_EVERY

    def _keep_critic(self, round_: int, state: CriticState) -> None:
        self._critics = {held: critic for held, critic in self._critics.items() if held == round_ - 1}
        self._critics[round_] = state
        if self._settings.seal:
            # The agents go on with what was sealed last, and not with what they stored now and then.
            self._record.write_critic(round_, state)

    def _store(self) -> None:
        """Store every agent's last two thetas, and the critic beside them.

        Until all have theirs, nobody gives up that of the round with which the run would go on meanwhile.
        """
        cluster = self._cluster
        common = newest_common(cluster.thetas)
        if self._note is not None and common is not None:
            # Stale as soon as another coordinator has gone on with the run.
            generation = read_bytes(self._note.with_name(run_files.GENERATION))
            write_atomically(self._note, generation, self._settings.fsync, self._fence)
        for round_, state in sorted(self._critics.items()):
            self._record.write_critic(round_, state, self._base)
        for agent, folder in enumerate(self._folders):
            if cluster.identities[agent] and not self._known[agent]:
                folder.adopt(agent, cluster.identities[agent])
                self._known[agent] = True
            if common is None:
                continue  # some have not begun, or hold more than they are going on with
            # With what is kept that is as many as one file holds.
            later = max((round_ for round_ in cluster.thetas[agent] if round_ != common), default=common)
            thetas = {round_: cluster.thetas[agent][round_] for round_ in sorted({common, later})}
            if thetas != self._stored.get(agent):
                for round_, theta in thetas.items():
                    folder.write(round_, theta, self._base)
                folder.rest()
                self._stored[agent] = thetas
        if common is None:
            return
        self._base = common
        if self._note is not None:
            self._fence.discard(self._note)
            self._note = None

    def _write_status(self) -> None:
        cluster = self._cluster
        status = cluster.coordinator.status(cluster.simulation.now)
        self._record.write_status(time.monotonic(), lambda: status, at_once=True)

    def _wanted(self) -> bool:
        """Whether the process is wanted for something else than the run's next event."""
        return self._asked_to_end.pending or time.monotonic() >= self._store_at

    def _look(self, line: Line) -> None:
        if self._on_line(line):
            self._asked_to_end.asked()


def _taken_over(folder: CheckpointFolder, sealed: bool) -> dict[int, Snapshot]:
    """Return what an agent's folder holds. No file stays open: of many agents they would be many.

    That is nothing if it goes on with what is sealed.
    """
    held = folder.take_over()
    folder.rest()
    return {} if sealed else held
