"""The processes of a trace: whose lives there are, whether they belong together, whether any is missing."""

from collections.abc import Sequence
from functools import cached_property

from bnpg_protocol.process.trace_line import ConcludeLine, EpochLine, JoinLine, SendLine, StartLine
from bnpg_protocol.wire.addresses import COORDINATOR, process_name
from bnpg_protocol.wire.exit_codes import ExitCode
from msgspec import UNSET

from bnpg.trace.reading import Life, TraceEvent, Violation
from bnpg_math.dag import Dag
from bnpg_math.dag.routes import Routes, relayed

Epoch = tuple[int, int]
"""Generation of the coordinator, and number of the epoch within it."""


_SETTINGS = ("agents", "edges", "mode", "rounds", "evaluate_every", "save_policy", "stops_early", "parts")
"""What the start of a coordinator says besides."""


class Lives:
    """All lives of all processes of one run.

    Parameters
    ----------
    lives : list of Life
        From `read_trace`.
    done : bool
        Whether the run folder says that all rounds are done.

    Raises
    ------
    Violation
        If there is no coordinator among them.
    """

    def __init__(self, lives: list[Life], done: bool) -> None:
        self.all = lives
        self.coordinators = [life for life in lives if life.agent is None]
        if not self.coordinators:
            raise Violation("there is no trace of the coordinator")
        # A resumed run may have been given more rounds: the last life knows.
        self.first = self.coordinators[-1].events[0]
        self.start = start = self.coordinators[-1].start
        for field in _SETTINGS:
            if getattr(start, field) is UNSET:
                raise Violation(f"the coordinator does not say its {field}", self.first)
        assert isinstance(start.agents, int)
        assert isinstance(start.edges, list)
        self.agents, self.edges = start.agents, start.edges
        self.parents = {agent: sorted(i for i, j in self.edges if j == agent) for agent in range(self.agents)}
        self.children = {
            agent: sorted(j for i, j in self.edges if i == agent) for agent in range(self.agents)
        }
        self.done = done
        self.relays = {life.life: life.start.relay is True for life in self.coordinators}
        """By generation: whether actions are handed on."""

    def links(self, generation: int) -> Routes | None:
        """Return over which links actions are handed on in a generation; None if they are not."""
        return relayed(Dag(self.agents, tuple(self.edges))) if self.relays.get(generation) else None

    def neighbours(self, agent: int, generation: int) -> tuple[Sequence[int], Sequence[int]]:
        """Return the agents that one hears directly in a generation, and those that hear it."""
        links = self.links(generation)
        if links is None:
            return self.parents[agent], self.children[agent]
        return links.parents[agent], links.children[agent]

    @cached_property
    def names(self) -> list[str]:
        """All processes of the run."""
        return [process_name(COORDINATOR), *self.agent_names]

    @cached_property
    def agent_names(self) -> list[str]:
        """All agents of the run."""
        return [process_name(agent) for agent in range(self.agents)]

    def of(self, process: str) -> list[Life]:
        """Return the lives of one process, in order."""
        return [life for life in self.all if life.process == process]

    @cached_property
    def concluded(self) -> TraceEvent | None:
        """The conclusion of the last coordinator; None if it was killed."""
        ends = [event for event in self.coordinators[-1].events if isinstance(event.line, ConcludeLine)]
        return ends[-1] if ends else None

    @property
    def conclusion(self) -> ConcludeLine | None:
        """What it says."""
        line = self.concluded.line if self.concluded is not None else None
        return line if isinstance(line, ConcludeLine) else None

    @cached_property
    def killed_after_finish(self) -> bool:
        """Whether all was done, and the coordinator was killed between its last message and its conclusion.

        What it did then is in its record, from which the folder says that the run is done; a life more, in
        which it would conclude, is not needed.
        """
        last = self.coordinators[-1]
        if not self.done or self.conclusion is not None or last.end is not None:
            return False
        lines = [event.line for event in last.events]
        informed = {line.peer for line in lines if isinstance(line, SendLine) and line.kind == "Finish"}
        return informed == set(self.agent_names)

    def check(self) -> None:
        """Prove that the files belong to one run, that none is missing, that missing ends are explained.

        Raises
        ------
        Violation
        """
        for life in self.all:
            self._check_start(life)
        self._check_joined()
        finished = self.conclusion is not None and self.conclusion.state == "done"
        if self.done and not finished and not self.killed_after_finish:
            last = self.coordinators[-1].events[-1]
            raise Violation("the run is done, but the trace of its coordinator ends before", last)
        for name in self.names:
            lives = self.of(name)
            if not lives:
                raise Violation(f"there is no trace of {name}")
            if finished:
                self._check_end(lives[-1])

    def _check_start(self, life: Life) -> None:
        start = life.events[0]
        if life.process not in self.names:
            raise Violation(f"{life.process} is no process of this run", start)
        for same in ("run", "experiment"):
            if getattr(life.start, same) != getattr(self.start, same):
                raise Violation(f"{life.process} belongs to another {same}", self.first, start)
        if life.agent is None:
            for same in ("agents", "edges", "mode"):
                if getattr(life.start, same) != getattr(self.start, same):
                    raise Violation(f"the coordinator changed its {same}", start, self.first)
        elif life.start.agent != life.agent or not life.start.held:
            raise Violation(f"{life.process} does not say who it is and what it holds", start)
        for event in life.events[1:]:
            if isinstance(event.line, StartLine):
                raise Violation(f"{life.process} starts twice in one life", start, event)

    def _check_joined(self) -> None:
        """Whoever the coordinator took in, and whoever is a neighbour in an epoch, has a trace.

        Only one who died before it was welcomed has none, and returned in a later life. (If it did anything
        that somebody heard of, `messages` finds the receive without its send.)
        """
        latest: dict[str, int] = {}
        for life in self.all:
            latest[life.process] = max(latest.get(life.process, 0), life.life)
        known = {(life.process, life.life) for life in self.all}
        for life in self.all:
            for event in life.events:
                match event.line:
                    case JoinLine(agent=agent, life=joined):
                        mentioned = {process_name(agent): joined}
                    case EpochLine(neighbours=neighbours):
                        mentioned = neighbours
                    case _:
                        continue
                for process, count in mentioned.items():
                    if (process, count) not in known and count >= latest.get(process, 0):
                        raise Violation(f"the trace of life {count} of {process} is missing", event)

    def _check_end(self, life: Life) -> None:
        """In a run that is done, the last life of every process has an end, and no bad one."""
        last = life.events[-1]
        if life.end is None:
            assert self.conclusion is not None
            if life.agent is not None and (_sent_farewell(life) or life.agent in self.conclusion.absent):
                return  # killed in its last moments, with all its work done
            if life.agent is None and isinstance(last.line, ConcludeLine):
                return  # killed after its last word
            raise Violation(f"the trace of {life.process} has no end, but the run is done", last)
        # Interrupted: its launcher went home while it waited for the answer to its farewell.
        excused = (ExitCode.DONE, *([ExitCode.INTERRUPTED] if life.agent is not None else []))
        if life.end.code not in excused:
            raise Violation(f"{life.process} failed, but the run is done", last)


def _sent_farewell(life: Life) -> bool:
    return any(isinstance(event.line, SendLine) and event.line.kind == "Farewell" for event in life.events)
