"""The rounds of learning, without any thought of processes: what is announced, awaited and recorded.

A round has up to four parts. *reports*: where a critic learns, what every agent says of its last update is
awaited; only after a new beginning is it not there already. *tables*: the agents' tables are awaited, because
theta_r is to be evaluated, or because the mode is exact; then too they are there already, but after a new
beginning. *steps*: states are announced and all agents' actions
awaited, step by step (sampled mode). *signal*: the shared signal is out, every agent's application is
awaited. The round's line is recorded before its signal goes out, and durable before the next one's, so at
most the line of the last update that was applied can be missing, after a crash of the machine.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bnpg_protocol.wire.addresses import name
from bnpg_protocol.wire.errors import Equivocation, OrderViolation
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsChosen,
    Message,
    ObservationsAnnounced,
    SignalApplied,
    SignalBroadcast,
    StatesAnnounced,
    TableRequested,
    TableShown,
    UpdateReported,
)

from bnpg_coordinator.ascent import Ascent
from bnpg_coordinator.central_critic import CentralCritic
from bnpg_coordinator.estimator import SampledRound
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.lanes import Turn
from bnpg_coordinator.line import Line
from bnpg_coordinator.orders import Orders, To, ToAll, ToKeep, ToRecord, ToSync
from bnpg_coordinator.worlds.interface import Seen, World
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.short_axis import total
from bnpg_math.dag.interface import Graph

if TYPE_CHECKING:
    from bnpg_coordinator.oracle import Oracle

_NO_MASK = np.zeros((0, 0), dtype=np.uint8)
_NO_FLAGS = np.zeros(0, dtype=np.uint8)
PARTS = ("reports", "tables", "steps", "signal")
"""The parts of a round, in their order."""


class CoordinatorRounds:
    """All rounds of a run.

    Parameters
    ----------
    experiment : Experiment
    world : World
    dag : Graph
    oracle : Oracle, optional
        Exact evaluation, for the exact mode and for measurements; None where the world has no model.
    ascent : Ascent, optional
        Decides on the exact rounds; None likewise.
    critic : CentralCritic, optional
        Makes the signals of sampled rounds, instead of weighted returns.
    """

    def __init__(
        self,
        experiment: Experiment,
        world: World,
        dag: Graph,
        oracle: "Oracle | None",
        ascent: Ascent | None,
        critic: CentralCritic | None = None,
    ) -> None:
        self._experiment = experiment
        self._direct = experiment.kind.is_direct
        self._world = world
        self._oracle = oracle
        self._ascent = ascent
        self._critic = critic
        self._agents = range(dag.agents)
        self._table_shapes = [
            (world.spaces[agent].values, *(world.actions[member] for member in (*dag.parents[agent], agent)))
            for agent in self._agents
        ]
        self.round = 0
        self.finished = False
        self.certified = False
        """Whether the rounds are finished because theta_round is certified."""
        self.digests: tuple[str, ...] = ()
        """Of theta_round of every agent; empty if nobody has reported them in this epoch."""
        self.metrics: dict[str, Any] = {}
        """What the last evaluation measured."""
        self._part = "steps"
        self._sampled: SampledRound | None = None
        self._tables: dict[int, FloatArray] = {}
        self._applied: dict[int, str] = {}
        self._ahead: dict[int, FloatArray] = {}
        self._reports: dict[int, UpdateReported] = {}
        """What agents say of the update of the round before."""
        self._reports_ahead: dict[int, UpdateReported] = {}
        """What they say of that of this round already."""
        self._said: dict[int, list[IntArray]] = {agent: [] for agent in self._agents}
        """What every agent chose in the turns of the round so far."""
        self._answers: list[int] = []
        """How many agents have acted in each of the turns so far."""
        self._passes: dict[int, int] = {}
        """How many passes of its update every agent has told of."""
        self._line = Line(0)

    @property
    def turn(self) -> int:
        """Turn of the present round whose actions are awaited."""
        return 0 if self._sampled is None else self._sampled.episodes.taken

    @property
    def outstanding(self) -> int:
        """How many turns are announced and not taken."""
        return 0 if self._sampled is None else len(self._sampled.episodes.turns) - self.turn

    @property
    def place(self) -> tuple[int, int, int]:
        """How far the run is: round, part of the round, turn; it only grows, but for rounds played again."""
        return self.round, PARTS.index(self._part), self.turn

    def answered(self, agent: int) -> tuple[int, ...]:
        """How far the run is, and what of an agent counts in it: its first answer to all that is asked.

        It changes with every message of the agent that is news, and with no other.
        """
        kinds = (self._tables, self._applied, self._ahead, self._reports, self._reports_ahead)
        return *self.place, len(self._said[agent]), *(agent in answers for answers in kinds)

    def awaited(self) -> tuple[list[int], str]:
        """Return the agents whose answer is awaited, and what they are to send."""
        parts: dict[str, tuple[Container[int], str]] = {
            "reports": (self._reports, "the report of the last update"),
            "tables": (self._tables, "the table"),
            "steps": ([agent for agent in self._agents if len(self._said[agent]) > self.turn], "the actions"),
            "signal": (self._applied, "the application of the signal"),
        }
        answers, what = parts[self._part]
        return [agent for agent in self._agents if agent not in answers], what

    def validate(self) -> None:
        """Assert what must hold between any two events of rounds that go on."""
        assert self._part in PARTS
        assert self._line.round == self.round
        if self._part == "reports":
            assert len(self._reports) < len(self._agents), "all reports are there, and nothing is done"
        elif self._part == "tables":
            assert len(self._tables) < len(self._agents), "all tables are there, and nothing is done"
        elif self._part == "signal":
            pending = len(self._applied) < len(self._agents)
            assert pending, "everybody has applied the signal, and nothing is done"
        else:
            assert self._sampled is not None
            episodes = self._sampled.episodes
            heard = [len(chosen) for chosen in self._said.values()]
            acted = [sum(many > turn for many in heard) for turn in range(len(episodes.turns))]
            assert acted == self._answers, "counted otherwise than heard"
            assert max(heard) <= len(episodes.turns), "acted in what was not announced"
            assert min(heard) == episodes.taken < len(episodes.turns), "a turn is complete, and not taken"

    def table_shape(self, agent: int) -> tuple[int, ...]:
        """Return the shape of an agent's theta and of its table: (S, *P, A)."""
        return self._table_shapes[agent]

    def restart(self, round_: int) -> Orders:
        """Begin a round anew in a new epoch: nothing said before counts."""
        self._ahead = {}
        self.digests = ()
        self._reports_ahead = {}
        return self.begin(round_)

    def begin(self, round_: int) -> Orders:
        """Begin a round, or the end if there is none left."""
        self.round = round_
        self.finished = self.certified = False
        self._sampled = None
        self._tables, self._ahead = self._ahead, {}
        self._applied = {}
        self._passes = {}
        self._said = {agent: [] for agent in self._agents}
        self._line = Line(round_)
        self._reports, self._reports_ahead = self._reports_ahead, {}
        if self._critic is not None and round_ and not self._all(self._reports):
            self._part = "reports"
            return []  # every agent reports without being asked
        return self._opened()

    def _opened(self) -> Orders:
        """Go on with a round of which all reports are there."""
        round_ = self.round
        if self._reports:
            self._line = self._line.holding(**_means(self._reports))
        if self._experiment.mode == "exact":
            self._part = "tables"
            # Every agent shows its table without being asked: with its last application, or after its Start.
            return self._measured() if self._all(self._tables) else []
        if self._experiment.evaluates(round_):
            self._part = "tables"
            return [ToAll(TableRequested(round_))]
        return self._end() if round_ == self._experiment.rounds else self._first_step()

    def prepare(self) -> None:
        """Do ahead what depends on no answer."""
        if self._sampled is not None:
            self._sampled.episodes.prepare()

    def receive(self, agent: int, message: Message) -> Orders:
        """Take in an agent's answer; return what is to be sent to everybody, and lines to record.

        Raises
        ------
        OrderViolation
            If the answer has no place in this part of the round.
        Equivocation
            If the agent gave another answer before.
        """
        match message:
            case ActionsChosen() if message.round == self.round and self._part != "tables":
                return self._actions(agent, message)
            case TableShown() if self._part == "tables" and message.round == self.round:
                return self._table(agent, message)
            case TableShown() if message.round == self.round and agent in self._tables:
                self._note(agent, self._tables, message.table, "tables")
                return []
            case UpdateReported() if self._critic is not None and message.round == self.round - 1:
                fresh = self._note(agent, self._reports, message, "reports")
                ready = fresh and self._part == "reports" and self._all(self._reports)
                return self._opened() if ready else []
            case UpdateReported() if self._critic is not None and (
                self._part == "signal" and message.round == self.round
            ):
                self._note(agent, self._reports_ahead, message, "reports")
                return []
            case SignalApplied() if self._part == "signal" and message.round == self.round:
                return self._application(agent, message)
            case ActionsChosen() | TableShown() | SignalApplied() | UpdateReported() if (
                message.round < self.round
            ):
                return []
            case ActionsAttested():
                where = f"round {message.round}, turn {message.turn}"
                raise OrderViolation(
                    f"{name(agent)} sent ActionsAttested at {where}, in a run without a relay"
                )
            case _:
                at = f"{type(message).__name__} of round {message.round}"  # type: ignore[attr-defined]
                raise OrderViolation(
                    f"{name(agent)} sent {at}; awaited: {self.awaited()[1]} of round {self.round}"
                )

    def is_further(self, agent: int, round_: int, passes: int) -> bool:
        """Take note of how many passes of its update an agent has made; return whether that is news.

        It is at the most as often as there are passes, and only where the agent is to make them now.
        """
        updates = self._critic is not None and self._part == "signal" and round_ == self.round
        if not updates or agent in self._applied:
            return False
        if not self._passes.get(agent, -1) < passes <= self._experiment.epochs:
            return False
        self._passes[agent] = passes
        return True

    def _actions(self, agent: int, message: ActionsChosen | ActionsAttested) -> Orders:
        where = f"round {message.round}, turn {message.turn}"
        chosen = self._said[agent]
        if message.turn < len(chosen):
            if not np.array_equal(chosen[message.turn], message.actions):
                raise Equivocation(f"{name(agent)} says two different things for the actions of {where}")
            return []
        sampled = self._sampled
        if message.turn != len(chosen) or self._part != "steps" or sampled is None:
            raise OrderViolation(
                f"{name(agent)} acts at {where}; "
                f"awaited: {self.awaited()[1]} of round {self.round}, turn {self.turn}"
            )
        episodes = sampled.episodes
        if message.turn >= len(episodes.turns):
            raise OrderViolation(f"{name(agent)} acts at {where}, whose states were not announced")
        self._check_actions(agent, message.actions, episodes.turns[message.turn].seen, where)
        chosen.append(message.actions)
        self._answers[message.turn] += 1
        return self._taken(sampled) if self._answers[episodes.taken] == len(self._agents) else []

    def play(self, actions: Sequence[IntArray]) -> Orders:
        """Take everybody's actions of the next turn at once; do what `receive` does with each of them.

        Parameters
        ----------
        actions : sequence of N arrays (n,) int
            In agent order. Nobody has acted in that turn, or in a later one.

        Raises
        ------
        OrderViolation
            If an agent may not take one of its actions.
        WorldFailed
            If the world does.
        """
        sampled = self._sampled
        assert self._part == "steps", "a turn is played outside of the steps"
        assert sampled is not None, "a turn is played and none is announced"
        episodes = sampled.episodes
        turn = episodes.taken
        assert self._answers[turn] == 0, "a turn is played at once in which somebody has acted"
        seen = episodes.turns[turn].seen
        for agent, chosen in enumerate(actions):
            self._check_actions(agent, chosen, seen, f"round {self.round}, turn {turn}")
            self._said[agent].append(chosen)
        self._answers[turn] = len(actions)
        return self._taken(sampled)

    def _taken(self, sampled: SampledRound) -> Orders:
        """Take the next turn, in which everybody has acted."""
        episodes = sampled.episodes
        taken = episodes.taken
        turn = episodes.advance([self._said[agent][taken] for agent in self._agents])
        if turn is not None:
            self._answers.append(0)
            return announcements(self.round, len(episodes.turns) - 1, turn, self._agents)
        if not episodes.done:
            return []
        if self._critic is not None:
            advantages, numbers, state = self._critic.signal(self.round, sampled)
            self._line = self._line.holding(**numbers)
            kept = ToKeep(self.round + 1, state)
            return [kept, *self._signal(SignalBroadcast(self.round, advantages))]
        weights, statistics = sampled.signal()
        self._line = self._line.holding(**statistics)
        return self._signal(SignalBroadcast(self.round, weights))

    @staticmethod
    def _check_actions(agent: int, actions: IntArray, seen: Seen, where: str) -> None:
        """Check that an agent acts in every lane, takes what it may, and 0 where it takes no part."""
        if len(actions) != len(seen):
            raise OrderViolation(
                f"{name(agent)} chose {len(actions)} actions for {len(seen)} lanes at {where}"
            )
        if not seen.legal and not seen.alive:
            return
        wrong = np.zeros(len(actions), dtype=bool)
        if seen.legal:
            wrong = seen.legal[agent][np.arange(len(actions)), actions] == 0
        if seen.alive:
            wrong = np.where(seen.alive[agent] != 0, wrong, actions != 0)
        if wrong.any():
            lane = int(wrong.argmax())
            raise OrderViolation(
                f"{name(agent)} takes action {actions[lane]} at {where}, lane {lane} of it, and may not"
            )

    def _table(self, agent: int, message: TableShown) -> Orders:
        self._check_table(agent, message.table)
        fresh = self._note(agent, self._tables, message.table, "tables")
        return self._measured() if fresh and self._all(self._tables) else []

    def _application(self, agent: int, message: SignalApplied) -> Orders:
        """Take in that an agent has applied the signal, in an exact round with the table it came to."""
        if self._experiment.mode == "exact":
            self._check_table(agent, message.table)
            self._note(agent, self._ahead, message.table, "tables")
        elif message.table.size:
            raise OrderViolation(
                f"{name(agent)} shows a table in round {message.round}, which nobody asked for"
            )
        if self._note(agent, self._applied, message.digest, "digests") and self._all(self._applied):
            self.digests = tuple(digest for _, digest in sorted(self._applied.items()))
            return self.begin(self.round + 1)
        return []

    def _measured(self) -> Orders:
        """Go on with a round of which all tables are there."""
        tables = [self._tables[agent] for agent in self._agents]
        experiment, oracle = self._experiment, self._oracle
        assert oracle is not None, "tables are asked for only where the world has a model"
        goal = experiment.stop_at_epsilon
        certified = goal > 0.0 and oracle.certifies(tables, experiment.stop_gap, goal)
        if certified or self._experiment.evaluates(self.round):
            self.metrics = oracle.measure(tables)
            self._line = self._line.holding(**self.metrics)
        if certified or self.round == self._experiment.rounds:
            self.certified = certified
            return self._end()
        if self._experiment.mode == "sampled":
            return self._first_step()
        assert self._ascent is not None
        signal, numbers = self._ascent.signal(self.round, tables)
        self._line = self._line.holding(**numbers)
        return self._signal(signal)

    def _first_step(self) -> Orders:
        self._part = "steps"
        self._sampled = SampledRound(self._world, self._experiment, self.round)
        turns = self._sampled.episodes.turns
        self._answers = [0] * len(turns)
        return [
            order
            for number, turn in enumerate(turns)
            for order in announcements(self.round, number, turn, self._agents)
        ]

    def _signal(self, signal: Message) -> Orders:
        """Record the round's line, then let the signal go out, and sync the record while it is followed."""
        self._part = "signal"
        return [ToRecord(self._line), ToAll(signal), ToSync()]

    def _end(self) -> Orders:
        self.finished = True
        return [ToRecord(self._line)]

    def _note(self, agent: int, answers: dict[int, Any], answer: Any, what: str) -> bool:
        """Keep an answer; return False for a duplicate."""
        if agent not in answers:
            answers[agent] = answer
            return True
        if not np.array_equal(answers[agent], answer):
            raise Equivocation(
                f"{name(agent)} says two different things for the {what} of round {self.round}"
            )
        return False

    def _all(self, answers: dict[int, Any]) -> bool:
        return len(answers) == len(self._agents)

    def _check_table(self, agent: int, table: FloatArray) -> None:
        shape = self._table_shapes[agent]
        if table.shape != shape:
            raise OrderViolation(f"the table of {name(agent)} must have shape {shape}, got {table.shape}")
        least, most = (0.0, 1.0) if self._direct else (-math.inf, 0.0)
        # First, since the sums of anything else may be more than a float holds.
        single = bool(table.min() >= least and table.max() <= most + 1e-9)
        if not single or not (abs(total(table if self._direct else np.exp(table)) - 1.0) < 1e-9).all():
            what = "probabilities" if self._direct else "log probabilities"
            raise OrderViolation(f"the table of {name(agent)} must hold {what}, its rows do not sum to 1")


def _means(reports: Mapping[int, UpdateReported]) -> dict[str, float]:
    """Return what the agents say of an update, as the line of the record has it: means, in their order."""
    updates = [reports[agent] for agent in sorted(reports)]
    return {
        "kl": _mean([report.kl for report in updates]),
        "clip_share": _mean([report.clipped for report in updates]),
        "entropy": _mean([report.entropy for report in updates]),
    }


def _mean(values: Sequence[float]) -> float:
    """Return a mean of what others report: nan where it has none, whatever they report."""
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # more than a float holds, or inf beside -inf
        return math.nan


def announcements(round_: int, number: int, turn: Turn, agents: Iterable[int]) -> Orders:
    """Return what the agents are told of a turn: everybody the same, or every agent its own.

    Parameters
    ----------
    round_, number : int
        Round, and number of the turn in it.
    turn : Turn
    agents : iterable of int
    """
    seen = turn.seen
    if not isinstance(seen.of, tuple) and seen.of.ndim == 1 and not seen.legal and not seen.alive:
        return [ToAll(StatesAnnounced(round_, number, turn.time, turn.lane, seen.of))]
    where = (round_, number, turn.time, turn.lane)
    return [
        To(
            agent,
            ObservationsAnnounced(
                *where,
                seen.by(agent),
                seen.legal[agent] if seen.legal else _NO_MASK,
                seen.alive[agent] if seen.alive else _NO_FLAGS,
            ),
        )
        for agent in agents
    ]
