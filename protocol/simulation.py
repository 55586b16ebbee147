"""All machines of a run in one process, in virtual time.

Nothing waits for real: when no envelope is on its way, the clock jumps to the next moment a machine asked
for. So an hour of silence costs nothing, and a run depends on the order of delivery only.
"""

from collections.abc import Callable

from protocol.effects import Connect, Effect, Stop, Transmit
from protocol.errors import StorageFailed
from protocol.exit_codes import ExitCode
from protocol.machine import Machine
from protocol.transport.memory import MemoryNetwork

Carry = Callable[[Effect], None]


class Simulation:
    """Machines on a network in memory.

    Parameters
    ----------
    network : MemoryNetwork
        Decides the order of delivery.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.now = 0.0
        self.delivered = 0
        self.stops: dict[str, Stop] = {}
        """How the processes that ended have ended."""
        self._machines: dict[str, Machine] = {}
        self._carry: dict[str, Carry] = {}

    @property
    def running(self) -> list[str]:
        """Names of the processes that have not ended."""
        return list(self._machines)

    def add(self, name: str, machine: Machine, carry: Carry) -> None:
        """Start a process; `carry` carries out the effects that only its own shell knows."""
        self._machines[name] = machine
        self._carry[name] = carry
        self.stops.pop(name, None)

    def kill(self, name: str) -> None:
        """End a process as SIGKILL does: nothing of it is left but what it stored."""
        del self._machines[name]
        self.network.disconnect(name)

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Deliver and let time pass until all processes have ended, or `until` says so."""
        while self._machines and not (until is not None and until()):
            if not self.step():
                return

    def step(self) -> bool:
        """Deliver one envelope, or let time pass; return False if nothing can ever happen again."""
        delivery = self.network.deliver()
        if delivery is None:
            return self._let_time_pass()
        machine = self._machines.get(delivery.to)
        if machine is not None:
            self.delivered += 1
            self._act(delivery.to, machine.receive(delivery.envelope, delivery.origin, self.now))
        return True

    def tell(self, name: str, effects: list[Effect]) -> None:
        """Carry out effects that a machine returned to somebody outside."""
        self._act(name, effects)

    def _let_time_pass(self) -> bool:
        times = {name: machine.next_event() for name, machine in self._machines.items()}
        due = [time for time in times.values() if time is not None]
        if not due:
            return False
        self.now = max(self.now, min(due))
        for name, time in times.items():
            if time is not None and time <= self.now and name in self._machines:
                self._act(name, self._machines[name].tick(self.now))
        return True

    def _act(self, name: str, effects: list[Effect]) -> None:
        send = self.network.send
        for effect in effects:
            if isinstance(effect, Transmit):
                send(name, effect.route, effect.envelope)
            elif isinstance(effect, Connect):
                self.network.connect(name, effect.route, effect.endpoint)
            elif isinstance(effect, Stop):
                self.stops[name] = effect
                self._machines.pop(name, None)
                return
            else:
                try:
                    self._carry[name](effect)
                except StorageFailed as error:
                    self._act(name, self._machines[name].failed(ExitCode.STORAGE, str(error), self.now))
                    return


