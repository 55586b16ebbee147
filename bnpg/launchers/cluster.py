"""All processes of a run as machines in one process, with the lives and deaths a fault plan gives them."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from bnpg_agents.effects import Adopt, Relive, Store
from bnpg_agents.local_policy import MakePolicy, local_policy
from bnpg_agents.machine import AgentMachine
from bnpg_agents.neighbourhood import COORDINATOR_ROUTE
from bnpg_agents.sealing import Seal
from bnpg_agents.setup import AgentSetup
from bnpg_agents.snapshot import Snapshot
from bnpg_coordinator.effects import Conclude
from bnpg_coordinator.machine import CoordinatorMachine
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_protocol.process.faults.injector import FaultInjector
from bnpg_protocol.process.faults.plan import FaultPlan
from bnpg_protocol.process.recorder import TraceRecorder
from bnpg_protocol.process.simulation import Simulation
from bnpg_protocol.process.transport.memory import MemoryNetwork
from bnpg_protocol.wire import addresses
from bnpg_protocol.wire.addresses import agent_of, process_name
from bnpg_protocol.wire.effects import Effect, Log, Stop
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.events import Event, Observer
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.short_way import ShortWay

COORDINATOR = process_name(addresses.COORDINATOR)
WriteLog = Callable[[str, str, str, dict[str, Any]], None]


class Cluster:
    """A coordinator and its agents on a network in memory.

    What the agents store survives their deaths in `thetas`, as a disk would keep it.

    Parameters
    ----------
    setup
        Called with the generation at each start of the coordinator.
    perform
        Carries out the coordinator's own effects.
    thetas : list of dict from round to Snapshot, one an agent
        What each agent has stored so far.
    identities : list of str
        Digest of the experiment each agent belongs to; empty for a newcomer.
    next_life
        Called with an agent at each of its starts; returns which one it is, from 1.
    next_generation
        The same for the coordinator.
    seed : int, optional
        Decides the order of delivery; None delivers in the order of sending.
    plan : FaultPlan, optional
    patience : float
        Virtual seconds an agent waits without any progress.
    write_log
        Called with (process, level, event, fields).
    trace
        Called with a life at its start; returns the recorder of its trace.
    network : MemoryNetwork, optional
        Instead of one of this seed.
    policy
        Returns the policy at theta_0 that a Welcome asks for.
    seal : Seal, optional
        With what the agents seal their checkpoints.
    sealed_from
        Returns of which round the newest of those that come back must be, at least.
    disks_die : bool
        Whether an agent that dies loses what it has stored.
    validate : bool
        Whether every machine's invariants are checked after every event.
    pause
        Where turns may take the :class:`~bnpg.launchers.short_way.ShortWay`: whether the process is wanted
        for something else meanwhile. Where there is none, or there are faults, a trace or a relay among
        the machines, they do not.
    """

    def __init__(
        self,
        setup: Callable[[int], CoordinatorSetup],
        perform: Callable[[Effect], None],
        thetas: list[dict[int, Snapshot]],
        *,
        identities: list[str] | None = None,
        next_life: Callable[[int], int] | None = None,
        next_generation: Callable[[], int] | None = None,
        seed: int | None = None,
        plan: FaultPlan | None = None,
        patience: float = 600.0,
        write_log: WriteLog | None = None,
        trace: Callable[[int], TraceRecorder] | None = None,
        network: MemoryNetwork | None = None,
        policy: MakePolicy = local_policy,
        seal: Seal | None = None,
        sealed_from: Callable[[], int] = lambda: 0,
        disks_die: bool = False,
        validate: bool = False,
        pause: Callable[[], bool] | None = None,
    ) -> None:
        self._setup = setup
        self._pause = pause if plan is None and trace is None else None
        self._agents: list[AgentMachine] = []
        self._perform = perform
        self.thetas = thetas
        self.identities = identities if identities is not None else [""] * len(thetas)
        counts = [count(1) for _ in thetas]
        generations = count(1)
        self._next_life = next_life if next_life is not None else lambda agent: next(counts[agent])
        self._next_generation = next_generation if next_generation is not None else lambda: next(generations)
        self._generation = 0
        self._plan = plan
        self._patience = patience
        self._write_log = write_log
        self._trace = trace
        self._policy = policy
        self._seal = seal
        self._sealed_from = sealed_from
        self._disks_die = disks_die
        self._recorders: dict[str, TraceRecorder] = {}
        self._writing: TraceRecorder | None = None
        self.deaths = 0
        self._late: set[str] = set()
        self._over = ""
        self._injectors: list[FaultInjector] = []
        self.simulation = Simulation(network or MemoryNetwork(seed), self._revive, validate, self._missed)
        self._start_coordinator()
        for agent in range(len(thetas)):
            self._start_agent(agent)

    @property
    def coordinator(self) -> CoordinatorMachine:
        """The coordinator's machine in its present life."""
        return self._coordinator

    def _start_coordinator(self) -> None:
        self._generation = self._next_generation()
        recorder = self._recorder(COORDINATOR, self._generation)
        setup = self._setup(self._generation)
        short_way = None
        if self._pause is not None and not setup.relay:
            short_way = ShortWay(self._agents, setup.dag, self._pause)
        self._coordinator = CoordinatorMachine(setup, self.simulation.now, recorder, short_way)
        injector = self._injector(COORDINATOR, self._generation)
        self.simulation.add(
            COORDINATOR, COORDINATOR, self._coordinator, self._perform_for_coordinator, injector
        )

    def _perform_for_coordinator(self, effect: Effect) -> None:
        # No folder says that a run is over before its trace does, as where the coordinator is a process.
        if isinstance(effect, Conclude) and self._writing is not None:
            self._writing.flush()
        self._perform(effect)

    def _start_agent(self, agent: int) -> None:
        name, life = process_name(agent), self._next_life(agent)
        address = f"{name}#{life}"
        setup = AgentSetup(
            agent=agent,
            incarnation=life,
            endpoint=address,
            numerics=self._setup(self._generation).numerics,
            held=dict(self.thetas[agent]),
            experiment=self.identities[agent],
            patience=self._patience,
            policy=self._policy,
            seal=self._seal,
            sealed_from=self._sealed_from(),
        )
        self.simulation.network.connect(address, COORDINATOR_ROUTE, COORDINATOR)
        machine = AgentMachine(setup, self.simulation.now, self._recorder(name, life))
        self._agents[agent : agent + 1] = [machine]
        self.simulation.add(name, address, machine, self._performer_of(agent), self._injector(name, life))

    def _performer_of(self, agent: int) -> Callable[[Effect], None]:
        thetas = self.thetas[agent]

        def perform(effect: Effect) -> None:
            match effect:
                case Store(round=round_, snapshot=snapshot):
                    thetas[round_] = snapshot
                    for old in [held for held in thetas if held < round_ - 1]:
                        del thetas[old]
                case Adopt(experiment=experiment):
                    self.identities[agent] = experiment
                case Relive(incarnation=later):
                    if process_name(agent) in self._recorders:
                        self._recorders[process_name(agent)].life = later
                case Log(level=level, event=event, fields=fields):
                    if self._write_log is not None:
                        self._write_log(
                            process_name(agent), "debug" if level == "info" else level, event, fields
                        )
                case _:
                    raise AssertionError(effect)

        return perform

    def struck(self) -> Counter[str]:
        """Return how often each kind of fault struck, over all lives."""
        return sum((injector.struck for injector in self._injectors), Counter())

    def close_traces(self) -> None:
        """Close all traces; those of processes that ended by themselves say so."""
        for name in self._recorders:
            with suppress(StorageFailed):  # a full disk must not hide how the run ended
                self._close(name)

    def _close(self, name: str) -> None:
        recorder, stop = self._recorders[name], self.simulation.stops.get(name)
        if stop is None:
            recorder.abandon()
        else:
            recorder.close(int(stop.code), stop.why)

    def _recorder(self, name: str, life: int) -> Observer | None:
        """Return what records the life of a process.

        What one process did is handed to the kernel before the next one does anything, so that the files
        agree with each other if all of them are killed at once.
        """
        if self._trace is None:
            return None
        if name in self._recorders:
            self._close(name)
        recorder = self._recorders[name] = self._trace(life)

        def observe(event: Event) -> None:
            if self._writing is not recorder:
                if self._writing is not None:
                    self._writing.flush()
                self._writing = recorder
            recorder(event)

        return observe

    def _injector(self, process: str, life: int) -> FaultInjector | None:
        if self._plan is None:
            return None
        self._injectors.append(FaultInjector(self._plan, process, life))
        return self._injectors[-1]

    def _missed(self, name: str) -> bool:
        """Whether an earlier life of the coordinator let an agent go, and the present one waits for it."""
        simulation = self.simulation
        stop, coordinator = simulation.stops[name], simulation.stops.get(COORDINATOR)
        if name == COORDINATOR:
            # As any launcher: who came back after its farewell hears of nobody, and is ended; so is everybody
            # whose coordinator did not end a run that is done.
            left = set(simulation.running)
            for other in left & self._late if stop.code == ExitCode.DONE else left:
                simulation.end(other, stop)
            return False
        if stop.code == ExitCode.STORAGE and coordinator is None:
            self._end_because(f"{name}: {stop.why}")
        let_go = stop.code == ExitCode.DONE and coordinator is None
        return let_go and COORDINATOR in simulation.running and self._coordinator.phase == "gathering"

    def _end_because(self, why: str) -> None:
        """End the run, as any launcher does when a process says that it would end the same way again."""
        simulation = self.simulation
        self._over = why
        if simulation.lives(COORDINATOR):
            if self._coordinator.phase not in ("ending", "ended"):
                ending = self._coordinator.failed(ExitCode.STORAGE, why, simulation.now)
                simulation.tell(COORDINATOR, ending)
            return
        for other in simulation.running:
            simulation.end(other, Stop(ExitCode.STORAGE, why))

    def _revive(self, name: str) -> None:
        self.deaths += 1
        ended = self.simulation.stops.get(COORDINATOR)
        if self._over:
            self.simulation.end(name, Stop(ExitCode.STORAGE, self._over))
            self._end_because(self._over)
        elif name == COORDINATOR:
            self._start_coordinator()
            # As any launcher: a coordinator that died after it let agents go waits for all of them again.
            for agent in range(len(self.thetas)):
                stop = self.simulation.stops.get(process_name(agent))
                if stop is not None and stop.code == ExitCode.DONE:
                    self._start_agent(agent)
        elif ended is not None:
            # It died between its farewell and the end: as any launcher, start nobody when the run is over.
            self.simulation.stops[name] = ended
        else:
            if self._coordinator.phase in ("ending", "ended"):
                self._late.add(name)
            own = agent_of(name)
            assert own is not None, "the coordinator was looked at before"
            if self._disks_die:
                self.thetas[own].clear()
                self.identities[own] = ""
            self._start_agent(own)
