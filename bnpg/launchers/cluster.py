"""All processes of a run as machines in one process, with the lives and deaths a fault plan gives them."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from agents.effects import Adopt, Store
from agents.machine import COORDINATOR_ROUTE, AgentMachine, AgentSetup
from bnpg_math.arrays import FloatArray
from coordinator.machine import CoordinatorMachine, CoordinatorSetup
from protocol.effects import Effect, Log
from protocol.faults.injector import FaultInjector
from protocol.faults.plan import FaultPlan
from protocol.simulation import Simulation
from protocol.transport.memory import MemoryNetwork

COORDINATOR = "coordinator"
WriteLog = Callable[[str, str, str, dict[str, Any]], None]


class Cluster:
    """A coordinator and its agents on a network in memory.

    What the agents store survives their deaths in `thetas`, as a disk would keep it.

    Parameters
    ----------
    setup
        Called with the generation at each start of the coordinator.
    carry
        Carries out the coordinator's own effects.
    thetas : list of dict from round to theta, one an agent
        What each agent has stored so far.
    identities : list of str
        Digest of the experiment each agent belongs to; empty for a newcomer.
    lives : list of int
        How often each agent was started before; the coordinator's generation is counted by `setup`.
    generation : int
        How often the coordinator was started, this start included.
    seed : int, optional
        Decides the order of delivery; None delivers in the order of sending.
    plan : FaultPlan, optional
    patience : float
        Virtual seconds an agent waits without any progress.
    write_log
        Called with (process, level, event, fields).
    """

    def __init__(
        self,
        setup: Callable[[int], CoordinatorSetup],
        carry: Callable[[Effect], None],
        thetas: list[dict[int, FloatArray]],
        *,
        identities: list[str] | None = None,
        lives: list[int] | None = None,
        generation: int = 1,
        seed: int | None = None,
        plan: FaultPlan | None = None,
        patience: float = 600.0,
        write_log: WriteLog | None = None,
    ) -> None:
        self._setup = setup
        self._carry = carry
        self.thetas = thetas
        self.identities = identities if identities is not None else [""] * len(thetas)
        self.lives = lives if lives is not None else [0] * len(thetas)
        self._generation = generation - 1
        self._plan = plan
        self._patience = patience
        self._write_log = write_log
        self.deaths = 0
        self._injectors: list[FaultInjector] = []
        self.simulation = Simulation(MemoryNetwork(seed), self._revive)
        self._start_coordinator()
        for agent in range(len(thetas)):
            self._start_agent(agent)

    @property
    def coordinator(self) -> CoordinatorMachine:
        """The coordinator's machine in its present life."""
        return self._coordinator

    def _start_coordinator(self) -> None:
        self._generation += 1
        self._coordinator = CoordinatorMachine(self._setup(self._generation), self.simulation.now)
        injector = self._injector(COORDINATOR, self._generation)
        self.simulation.add(COORDINATOR, COORDINATOR, self._coordinator, self._carry, injector)

    def _start_agent(self, agent: int) -> None:
        self.lives[agent] += 1
        name, life = f"agent-{agent}", self.lives[agent]
        address = f"{name}#{life}"
        setup = AgentSetup(
            agent=agent,
            incarnation=life,
            endpoint=address,
            numerics=self._setup(self._generation).numerics,
            held=dict(self.thetas[agent]),
            experiment=self.identities[agent],
            patience=self._patience,
        )
        self.simulation.network.connect(address, COORDINATOR_ROUTE, COORDINATOR)
        machine = AgentMachine(setup, self.simulation.now)
        self.simulation.add(name, address, machine, self._agent_carry(agent), self._injector(name, life))

    def _agent_carry(self, agent: int) -> Callable[[Effect], None]:
        thetas = self.thetas[agent]

        def carry(effect: Effect) -> None:
            match effect:
                case Store(round=round_, theta=theta):
                    thetas[round_] = theta
                    for old in [held for held in thetas if held < round_ - 1]:
                        del thetas[old]
                case Adopt(experiment=experiment):
                    self.identities[agent] = experiment
                case Log(level=level, event=event, fields=fields):
                    if self._write_log is not None:
                        self._write_log(
                            f"agent-{agent}", "debug" if level == "info" else level, event, fields
                        )
                case _:
                    raise AssertionError(effect)

        return carry

    def struck(self) -> Counter[str]:
        """Return how often each kind of fault struck, over all lives."""
        return sum((one.struck for one in self._injectors), Counter())

    def _injector(self, process: str, life: int) -> FaultInjector | None:
        if self._plan is None:
            return None
        self._injectors.append(FaultInjector(self._plan, process, life))
        return self._injectors[-1]

    def _revive(self, name: str) -> None:
        self.deaths += 1
        ended = self.simulation.stops.get(COORDINATOR)
        if name == COORDINATOR:
            self._start_coordinator()
        elif ended is not None:
            # It died between its farewell and the end: as any launcher, start nobody when the run is over.
            self.simulation.stops[name] = ended
        else:
            self._start_agent(int(name.removeprefix("agent-")))
