"""What can be seen of a run at one moment: where it is, who is up, who is waited for, how fast it goes.

It is put together from what the coordinator leaves anyway (lines of the run record, a status every half
second), so looking never slows a run and needs nothing from it.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from bnpg_coordinator.line import Line

from bnpg.durations import duration
from bnpg_math.dag import Dag

SILENT = 3.0
"""Seconds without a word after which somebody is not counted as up."""
MEASURED_OVER = 10.0
"""Seconds over which rates are measured."""

AgentState = Literal["up", "awaited", "down", "unknown"]
ReadStatus = Callable[[], dict[str, Any] | None]


@dataclass(frozen=True)
class AgentSeen:
    """One agent.

    Parameters
    ----------
    agent : int
    state : {'up', 'awaited', 'down', 'unknown'}
    words : str
        What it is doing, or for how long it has been silent.
    """

    agent: int
    state: AgentState
    words: str


@dataclass(frozen=True)
class Observation:
    """A run at one moment.

    Parameters
    ----------
    round, rounds : int
        Updates done, and to be done.
    phase, waiting_for : str
        As the coordinator says; empty if it says nothing.
    agents : tuple of AgentSeen
    latest : Line
        The latest recorded value of every number.
    messages_per_second : float or None
        Messages delivered to the coordinator.
    retransmitted, duplicates, refused : int
    silent : float or None
        Seconds since the coordinator's last word, if that is too long.
    generation : int
        Starts of the coordinator.
    """

    round: int
    rounds: int
    phase: str
    waiting_for: str
    agents: tuple[AgentSeen, ...]
    latest: Line
    messages_per_second: float | None
    retransmitted: int
    duplicates: int
    refused: int
    silent: float | None
    generation: int


@dataclass
class ObservedRun:
    """Puts observations together.

    Parameters
    ----------
    dag : Dag
    rounds : int
        R.
    status : callable
        Returns the coordinator's latest status; None if there is none.
    """

    dag: Dag
    rounds: int
    status: ReadStatus
    _latest: Line = Line(0)  # noqa: RUF009 (it is frozen)
    _delivered: "deque[tuple[float, int]]" = field(default_factory=deque)

    def take(self, line: Line) -> None:
        """Take in a line of the run record."""
        self._latest = line.after(self._latest)

    def now(self) -> Observation:
        """Return what there is to see now."""
        status = self.status() or {}
        written = status.get("written")
        silence = None if written is None else max(0.0, time.time() - float(written))
        over = status.get("phase") == "ended"
        silent = silence if silence is not None and silence > SILENT and not over else None
        return Observation(
            round=max(self._latest.round, int(status.get("round", 0))),
            rounds=self.rounds,
            phase=str(status.get("phase", "")),
            waiting_for=str(status.get("waiting_for", "")),
            agents=tuple(self._agent(agent, status, silent) for agent in range(self.dag.agents)),
            latest=self._latest,
            messages_per_second=self._rate(status),
            retransmitted=int(status.get("retransmitted", 0)),
            duplicates=int(status.get("duplicates", 0)),
            refused=sum(status.get("refused", {}).values()) + sum(status.get("turned_away", {}).values()),
            silent=silent,
            generation=int(status.get("generation", 1)),
        )

    def _agent(self, agent: int, status: dict[str, Any], silent: float | None) -> AgentSeen:
        if not status or silent is not None:
            return AgentSeen(agent, "unknown", "")
        state = status.get("agents", {}).get(str(agent))
        if state is None:
            return AgentSeen(agent, "down", "has not joined")
        life = "" if state["incarnation"] == 1 else f", life {state['incarnation']}"
        heard = float(state["heard_seconds_ago"])
        if status.get("phase") == "ended":
            return AgentSeen(agent, "up", f"done{life}")
        if heard > SILENT:
            return AgentSeen(agent, "down", f"silent for {duration(round(heard))}{life}")
        where = f"round {state['round']}, step {state['step']}{life}"
        if agent in status.get("awaited", ()):
            return AgentSeen(agent, "awaited", f"waited for; {where}")
        lacks = [peer for peer in state.get("lacks", ()) if peer != "coordinator"]
        return AgentSeen(agent, "up", where + (f", waits for {' and '.join(lacks)}" if lacks else ""))

    def _rate(self, status: dict[str, Any]) -> float | None:
        """Return messages a second over the last seconds; a new coordinator counts from 0 again."""
        if "delivered" not in status or "written" not in status:
            return None
        now, count = float(status["written"]), int(status["delivered"])
        if self._delivered and (count < self._delivered[-1][1] or now < self._delivered[-1][0]):
            self._delivered.clear()
        if not self._delivered or now > self._delivered[-1][0]:
            self._delivered.append((now, count))
        while len(self._delivered) > 2 and now - self._delivered[1][0] >= MEASURED_OVER:
            self._delivered.popleft()
        since, first = self._delivered[0]
        return (count - first) / (now - since) if now > since else None
