"""d. Rounds of the exact mode: in memory, as processes, and as the einsum of a textbook."""

import time

import numpy as np

from benchmarks.exact.einsum_twin import EinsumTwin
from bnpg.lab.bench.document import Benchmark, Case, Sample
from bnpg.lab.bench.effort import Effort
from bnpg.lab.bench.measured_run import BenchmarkFailed, Workload, measure
from bnpg.lab.bench.turns import Side, take_turns
from bnpg_math.dag import complete
from bnpg_math.games.game import Game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy

AGENTS = {"full": (2, 3, 5, 10), "quick": (2, 5), "tiny": (2,)}
MEMORY, UNIX, EINSUM = "ours in memory", "ours over unix sockets", "einsum"
EINSUM_BYTES = 2e9
"""Largest tensor that einsum is given."""
ABOUT = """\
Exact rounds of `coordination(agents=n)` on the complete DAG, where the tables are largest: every agent
shows its table, the coordinator evaluates the policy and broadcasts the flow W, every agent updates.
*Einsum* is one process that does the same arithmetic in the straightforward way, with the whole tensor P[s,
a_1, .., a_n, s'] and one einsum a formula; it sends, checks and stores nothing. With ten agents that tensor
has 8.6 GB, and it is left out."""


def exact_rounds(effort: Effort) -> Benchmark:
    """Measure."""
    cases = [_case(effort, agents) for agents in AGENTS[effort.sizes]]
    return Benchmark(letter="d", title="Exact rounds", about=ABOUT, unit="a round", cases=cases)


def _case(effort: Effort, agents: int) -> Case:
    game = find_game(f"coordination(agents={agents})")
    workload = effort.sized(
        Workload(game=f"coordination(agents={agents})", dag="complete", mode="exact"), launcher="memory"
    )
    sides: dict[str, Side] = {
        "ours": lambda: measure(workload),
        UNIX: lambda: measure(workload, transport="unix"),
        MEMORY: lambda: measure(workload, launcher="memory"),
    }
    needed = 8.0 * game.states**2 * game.joint_actions
    left_out = {}
    if needed <= EINSUM_BYTES:
        twin = _Twin(game)
        sides[EINSUM] = lambda: twin.measure(effort.seconds / 2)
    else:
        left_out[EINSUM] = f"its tensor needs {needed / 1e9:.1f} GB"
    samples = take_turns(sides, effort.repetitions, effort.budget)
    if len({sample.digest for side in ("ours", UNIX, MEMORY) for sample in samples[side]}) != 1:
        raise BenchmarkFailed(f"{agents} agents: two runs came to different policies")
    return Case(
        name=f"{agents} agents",
        parameters={"agents": agents, "dag": "complete", "states": game.states},
        samples=samples,
        left_out=left_out,
    )


class _Twin:
    """Update (3) by einsum, round after round."""

    def __init__(self, game: Game) -> None:
        dag = complete(game.agents)
        self._einsum = EinsumTwin(
            game.transition.to_dense(), game.reward, game.initial, game.gamma, dag.parents
        )
        shapes = [
            (game.states, *(game.actions[one] for one in (*dag.parents[agent], agent)))
            for agent in range(game.agents)
        ]
        self._thetas = [np.zeros(shape) for shape in shapes]

    def _round(self) -> None:
        tables = [policy(theta) for theta in self._thetas]
        gradients = self._einsum.gradients(tables, self._einsum.evaluate(tables), 0.0)
        for agent, gradient in enumerate(gradients):
            self._thetas[agent] += 0.1 * gradient

    def measure(self, seconds: float) -> Sample:
        """Return the time of a round."""
        self._round()
        rounds, started, cpu = 0, time.perf_counter(), time.process_time()
        while rounds == 0 or time.perf_counter() - started < seconds:
            self._round()
            rounds += 1
        return Sample(
            seconds=(time.perf_counter() - started) / rounds,
            steps=rounds,
            cpu_seconds=(time.process_time() - cpu) / rounds,
        )
