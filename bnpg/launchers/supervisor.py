"""What keeps a run going on any place: who is started again, and what an exit code means.

It only starts and restarts processes. One that dies is started again, and so is an agent that somebody else
told to end, with a limit on deaths without progress; how the run goes on is between the coordinator and the
agents. The run's progress is read from its record, so nothing depends on the supervisor being quick, or being
there at all.
"""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from bnpg_coordinator import run_files
from bnpg_coordinator.line import Line
from bnpg_protocol.process.asked_to_end import AskedToEnd
from bnpg_protocol.process.endings import noting
from bnpg_protocol.process.log import open_log, write_log
from bnpg_protocol.wire import addresses
from bnpg_protocol.wire.addresses import agent_of, process_name
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers.launch import OnLine
from bnpg.launchers.place import LOST, Handle, Place
from bnpg.launchers.settings import LaunchSettings, Outcome
from bnpg.launchers.signals import heeding_children
from bnpg.launchers.tail import Tail
from bnpg.launchers.wiring import Wiring
from bnpg.run_folder import RunFolder

LOOK_EVERY = 0.02
"""Seconds between two looks at the processes and the record."""
DEATHS = 5
"""Deaths of one process without a new round in between after which the run is given up."""
GRACE = 8.0
"""Seconds the processes have to end by themselves."""
JOINING = 30.0
"""Seconds an agent that takes the place of a silent one has to join."""
COORDINATOR = process_name(addresses.COORDINATOR)


class Supervisor:
    """Looks after the processes of a run from its start to its end.

    Parameters
    ----------
    run : RunFolder
    settings : LaunchSettings
    on_line
        Called with every line of the run record as it is written; True ends the run in order.
    beside : Place
        Where the coordinator is started: on this host, so that the run folder is here.
    place : Place
        Where the agents are started; may be the same.
    wiring : Wiring
    pause
        Waits between two looks.
    """

    def __init__(
        self,
        run: RunFolder,
        settings: LaunchSettings,
        on_line: OnLine,
        beside: Place,
        place: Place,
        wiring: Wiring,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._settings = settings
        self._beside = beside
        self._place = place
        self._wiring = wiring
        self._pause = pause
        self._log = open_log("bnpg", settings.log_format, settings.log_level)
        self._on_line = on_line
        self._tail = Tail(run.path / run_files.RECORD, self._look)
        self._agents = run.agents
        self._processes: dict[str, Handle] = {}
        self._deaths: dict[str, int] = {}
        self._before: float | None = None
        """When the lives of the coordinator before its present one had last spoken of themselves."""
        self._interrupts = 0
        self._asked_to_end = AskedToEnd()
        self._known: dict[str, int] = {}
        """Which life of a process was the last, at least, by name."""
        self._said: dict[str, float | None] = {}
        """When the coordinator had last spoken of itself as an agent was found to have ended, by its name."""
        self._replaced: dict[str, tuple[int, float]] = {}
        """Incarnations of agents that were silent, and when they were replaced."""

    def run(self) -> Outcome:
        """Start everything, keep it running, and end everything."""
        with closing(self._tail):
            with heeding_children(), noting(self._note):
                try:
                    self._start(*self._names())
                    code, why = self._watch()
                finally:
                    self._asked_to_end.answered()
                    self._end_all()
                    self._asked_to_end.answered()  # who asks while all end already is answered by that
            self._tail.read()
        return Outcome(code, why, 1 + self._agents)

    def _names(self) -> list[str]:
        return [COORDINATOR, *map(process_name, range(self._agents))]

    def _watch(self) -> tuple[ExitCode, str]:
        """Look after the processes until the coordinator ends the run."""
        told = False
        while True:
            self._place.look()
            if self._tail.read():
                self._deaths.clear()
            if self._interrupts and not told:
                told = True
                self._asked_to_end.answered()
                self._processes[COORDINATOR].end()
            if self._interrupts > 1:
                return ExitCode.INTERRUPTED, "interrupted"
            for name, process in list(self._processes.items()):
                status = process.poll()
                if status is None:
                    continue
                ended = self._ended(name, status)
                if ended is not None:
                    return ended
            self._look_after_the_gone()
            if self._settings.replace_after and not self._interrupts:
                self._replace_the_silent()
            self._pause(LOOK_EVERY)

    def _ended(self, name: str, status: int) -> tuple[ExitCode, str] | None:
        """Decide what the end of a process means; None if the run goes on."""
        if name == COORDINATOR and status in set(ExitCode):
            return ExitCode(status), ""
        if self._interrupts or (name != COORDINATOR and status == ExitCode.DONE):
            self._processes.pop(name).abandon()  # it holds the other end of a lifeline
            self._said[name] = self._last_status().get("written")
            return (ExitCode.INTERRUPTED, "interrupted") if name == COORDINATOR else None
        how = self._how(name, status)
        if status > 0 and status in set(ExitCode) - {ExitCode.INTERNAL, ExitCode.INTERRUPTED}:
            # A process that says why it ends would end the same way again.
            joined = str(agent_of(name)) in self._status().get("agents", {})
            self._wait_for_coordinator(interrupted=joined and status != ExitCode.REJECTED)
            return ExitCode(status), f"{name} {self._rejection(name) or how}"
        if self._settings.on_loss == "fail":
            return ExitCode.PEER_FAILED, f"{name} {how}, and on-loss is fail"
        self._deaths[name] = self._deaths.get(name, 0) + 1
        if self._deaths[name] >= DEATHS:
            return ExitCode.PEER_FAILED, f"{name} {how} and died {DEATHS} times without a round in between"
        write_log(self._log, "warning", "restarted", {"process": name, "because": how})
        self._start(name)
        return None

    def _how(self, name: str, status: int) -> str:
        if status == LOST:
            return f"was lost with {self._processes[name].where or 'its host'}"
        if status == ExitCode.INTERRUPTED:
            return "was told to end"
        return f"was killed by signal {-status}" if status < 0 else f"ended with code {status}"

    def _look_after_the_gone(self) -> None:
        """Do what is to be done because agents have ended: the coordinator let them go, or nobody did.

        It lets them go one by one. If it dies in between, its next life knows nothing of that, and waits for
        all of them again. And when nobody is left it need not wait for a farewell that never comes.
        """
        coordinator = self._processes.get(COORDINATOR)
        gone = [name for name in self._names() if name not in self._processes]
        if coordinator is None or not gone:
            return
        status = self._status()
        phase = status.get("phase")
        if phase == "gathering" and not self._interrupts:
            # What it said before an agent ended is of a time when all were there: a short run
            # is over before it speaks again.
            missed = [name for name in gone if self._said.get(name) != status["written"]]
            self._start(*missed)
        elif phase == "ending" and len(self._processes) == 1:
            coordinator.abandon()

    def _replace_the_silent(self) -> None:
        """Start those elsewhere of whom the coordinator has heard nothing for too long.

        Their host may be gone or only cut off, which nobody here can know. So the next life has a larger
        incarnation: to the coordinator, the neighbours and the state folder the old one is nobody any more.
        """
        after, now = self._settings.replace_after, time.monotonic()
        for number, agent in self._status().get("agents", {}).items():
            name, incarnation = process_name(int(number)), int(agent["incarnation"])
            silent = float(agent["heard_seconds_ago"])
            replaced, since = self._replaced.get(name, (0, 0.0))
            if silent < after or name not in self._processes:
                continue
            if incarnation <= replaced and now - since < max(after, JOINING):
                continue  # who takes its place is on the way
            where = self._processes[name].where
            silence = {"process": name, "silent_seconds": round(silent, 1), "host": where}
            write_log(self._log, "warning", "replaced", silence)
            self._replaced[name] = (incarnation, now)
            self._processes[name].kill()
            self._start(name)

    def _status(self) -> dict[str, Any]:
        """Return what the coordinator has last said of itself in its present life; empty if nothing yet."""
        # When it was written tells lives apart, and not which was later: clocks jump.
        status = self._last_status()
        return status if status.get("written") not in (None, self._before) else {}

    def _last_status(self) -> dict[str, Any]:
        """Return what any coordinator has last said of itself; empty if nothing that can be read."""
        with suppress(ValueError):
            return self._run.status or {}
        return {}

    def _note_incarnations(self) -> None:
        """Remember which life of each agent any coordinator has seen: the next one must be a later one."""
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # an old or half-understood status
            for number, agent in self._last_status()["agents"].items():
                name = process_name(int(number))
                self._known[name] = max(int(agent["incarnation"]), self._known.get(name, 0))

    def _rejection(self, name: str) -> str:
        """Return why the coordinator did not let an agent in; the empty text if that was not so."""
        why = self._status().get("rejected", {}).get(str(agent_of(name)))
        return f"was rejected ({why})" if why else ""

    def _wait_for_coordinator(self, interrupted: bool) -> None:
        """Give the coordinator a moment to end the run in order and to record why, if it was told at all."""
        coordinator = self._processes.get(COORDINATOR)
        if coordinator is None:
            return
        if coordinator.wait(GRACE if interrupted else 0.0) is None:
            coordinator.end()
            coordinator.wait(GRACE)

    def _start(self, *names: str) -> None:
        """Start processes: everything that one place starts, it starts at once."""
        for name in names:
            if name in self._processes:
                self._processes[name].abandon()
        self._note_incarnations()
        if COORDINATOR in names:
            self._before = self._last_status().get("written")
        together: list[tuple[Place, list[str]]] = []
        for name in names:
            place = self._beside if name == COORDINATOR else self._place
            known = next((group for other, group in together if other is place), None)
            if known is None:
                together.append((place, [name]))
            else:
                known.append(name)
        for place, group in together:
            later = {name: self._known[name] + 1 for name in group if name in self._known}
            orders = self._wiring.orders(group, later)
            # Status is written now and then, so what was started counts too.
            self._known |= {name: later.get(name, 1) for name in group}
            self._processes.update(zip(group, place.start(orders), strict=True))

    def _end_all(self) -> None:
        """Leave no process behind: tell them that nobody looks after them, wait, and kill who goes on."""
        for process in self._processes.values():
            process.abandon()
        deadline = time.monotonic() + GRACE
        for process in self._processes.values():
            if process.wait(max(0.0, deadline - time.monotonic())) is None:
                process.kill()
                process.wait(GRACE)

    def _note(self) -> None:
        self._interrupts += 1
        self._asked_to_end.asked()

    def _look(self, line: Line) -> None:
        if self._on_line(line) and not self._interrupts:
            self._note()
