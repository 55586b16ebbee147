"""How far the agents go in an exact round: the step size, the momentum, and what is remembered of them.

The coordinator holds every agent's table. log pi^i is as good a logit as theta^i, so it can look ahead: make
an update in its own copy of the tables and see what the objective becomes, before it announces a step size.
The agents make the announced update by themselves, each in its own theta.

What one round needs of the rounds before it are a few numbers. They stand in the line of the run record that
goes to disk before a signal goes out (docs/decisions/0008), so a coordinator that dies finds them there, and
announces to the bit what its predecessor would have.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import FlowBroadcast
from msgspec import UNSET, Struct

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_math.arrays import FloatArray
from bnpg_math.learning.momentum import momentum_after, pays
from bnpg_math.learning.step_size import GROWTH, backtrack, barzilai_borwein, longest_step
from bnpg_math.theory.constants import sizes, smoothness

if TYPE_CHECKING:
    from bnpg_coordinator.oracle import Climb, Oracle


class Memory(Struct, frozen=True):
    """What a round must know of the rounds before it."""

    next_step_size: float
    """Tried first."""
    momentum: float = 0.0
    """With which the present theta was extrapolated."""
    momentum_rounds: int = 0
    """Rounds since momentum began."""
    origin_objective: float = 0.0
    """L_lambda of the point that theta was extrapolated from; only of use if there is momentum."""


REMEMBERED = Memory.__struct_fields__
"""Fields of a line of the run record in which the memory of the next round stands."""


class Ascent:
    """The signals of the exact rounds.

    Parameters
    ----------
    experiment : Experiment
    oracle : Oracle
    learning_rate : float
        eta: of every step if the step size is fixed, else of the first one that is tried.
    certified : float
        1/beta of the tight Lemma 4, below which no chosen gradient step is cut; 0 if there is none.
    recorded : iterable of Line
        The run record of earlier lives of the coordinator.
    """

    def __init__(
        self,
        experiment: Experiment,
        oracle: "Oracle",
        learning_rate: float,
        certified: float = 0.0,
        recorded: Iterable[Line] = (),
    ) -> None:
        self._experiment = experiment
        self._oracle = oracle
        self._learning_rate = learning_rate
        self._direct = experiment.kind.is_direct
        self._natural = experiment.direction == "natural"
        self._certified = 0.0 if self._natural else certified
        self._memories = {0: Memory(learning_rate)}
        for line in recorded:
            remembered = {field: getattr(line, field) for field in REMEMBERED}
            if not {UNSET, None} & set(remembered.values()):
                self._memories[line.round + 1] = Memory(**remembered)

    def signal(self, round_: int, log_tables: Sequence[FloatArray]) -> tuple[FlowBroadcast, dict[str, float]]:
        """Return the signal of a round, and what its line is to hold.

        Parameters
        ----------
        round_ : int
        log_tables : sequence of N arrays (S, *P, A_i) float
            log pi^i of theta_round; pi^i itself of direct policies.

        Raises
        ------
        OrderViolation
            If the run record lacks the line of the round before.
        """
        if self._direct:
            value, gradients, starts = self._oracle.direct_signal(log_tables)
            return FlowBroadcast(round_, gradients, starts=starts), {"value": value}
        value, flow = self._oracle.signal(log_tables)
        plain = FlowBroadcast(round_, flow)
        if self._natural:
            advantage, occupancy, starts = self._oracle.natural_signal(log_tables)
            plain = FlowBroadcast(round_, advantage, occupancy, starts=starts)
        if not self._experiment.remembers:
            return plain, {"value": value}
        memory = self._memory(round_)
        climb = self._oracle.climb(log_tables, self._natural)
        eta, reached, then = self._step(climb, memory)
        retreat = False
        if self._experiment.momentum == "none":
            after = Memory(then)
        elif memory.momentum and not pays(reached, memory.origin_objective, eta * climb.slope):
            retreat, after = True, Memory(then, origin_objective=memory.origin_objective)
        else:
            rounds = memory.momentum_rounds + 1
            after = Memory(then, momentum_after(rounds), rounds, reached)
        self._memories = {round_: memory, round_ + 1: after}
        remembered = {field: getattr(after, field) for field in REMEMBERED}
        signal = msgspec.structs.replace(plain, step_size=eta, momentum=after.momentum, retreat=retreat)
        return signal, {"value": value, "step_size": 0.0 if retreat else eta} | remembered

    def _memory(self, round_: int) -> Memory:
        if round_ not in self._memories:
            raise OrderViolation(
                f"the run goes on at round {round_}, but the line of round {round_ - 1}, in which the step "
                "size stands, is not in the run record: metrics.jsonl was changed or belongs to another run"
            )
        return self._memories[round_]

    def _step(self, climb: "Climb", memory: Memory) -> tuple[float, float, float]:
        """Return the step size, the objective that it reaches, and what to try first in the next round."""
        if self._experiment.step_size == "fixed":
            return self._learning_rate, climb.objective_after(self._learning_rate), self._learning_rate
        longest = longest_step(climb.direction)
        first = min(max(memory.next_step_size, self._certified), longest)
        eta, reached = backtrack(climb.objective_after, climb.objective, climb.slope, first, self._certified)
        if self._experiment.step_size == "backtracking":
            return eta, reached, GROWTH * eta
        then = barzilai_borwein(eta, climb.direction, climb.gradient, climb.gradient_after(eta))
        return eta, reached, then


def ascent_of(setup: CoordinatorSetup, oracle: "Oracle") -> Ascent:
    """Return what decides on the exact rounds of a run."""
    beta = smoothness(sizes(setup.game, setup.dag), setup.weights)
    certified = 1.0 / beta if beta > 0.0 else 0.0
    return Ascent(setup.experiment, oracle, setup.learning_rate, certified, setup.recorded)
