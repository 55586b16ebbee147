"""The vectors from which a certificate is proved: V^pi, BR_i and V*, as close as it takes.

Newton's method on the backups of `exact_check`, which is policy iteration: residuals are exact, and a float
solution of the linear system of the greedy policy corrects the vector, so that each step gains a dozen digits
whatever the condition. Nothing here has to be trusted: bad vectors prove less, never anything false.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu

from bnpg.certified.exact_check import Problem, Vectors
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.joint import spread

_MOST_STEPS = 60
_MOST_PARTS = 8
_DENSE_TO = 512
"""States up to which a chain is solved as a whole matrix."""
_NO_CHOICE: IntArray = np.empty(0, dtype=np.intp)

Step = Callable[[list[int]], tuple[list[int], IntArray]]
"""From a vector to its backup and to the greedy policy, empty where there is no choice."""


def find_vectors(problem: Problem) -> Vectors:
    """Find vectors that prove bounds next to the true gaps."""
    chains = _Chains(problem)
    zero = [0] * len(problem.reached)
    value = _newton(problem, lambda x: (problem.under_policy(x, False), _NO_CHOICE), chains.of_policy, zero)
    responses = [
        _newton(problem, _response_step(problem, agent), _of_response(chains, agent), value)
        for agent in range(len(problem.game.actions))
    ]
    optimum = _newton(problem, _optimum_step(problem), chains.of_choice, value)
    return Vectors(value, responses, optimum)


def as_arrays(problem: Problem, found: Vectors) -> dict[str, FloatArray]:
    """Return vectors as sums of float64 rows over all states, as a certificate keeps them."""
    named = {"value": found.value, "optimum": found.optimum}
    named |= {f"response_{agent}": vector for agent, vector in enumerate(found.responses)}
    return {name: _parts(problem, vector) for name, vector in named.items()}


def _parts(problem: Problem, vector: Sequence[int]) -> FloatArray:
    """Split integers over 2^scale into floats that add up to them, the largest first."""
    rows: list[FloatArray] = []
    left = list(vector)
    while len(rows) < _MOST_PARTS and (not rows or any(left)):
        row = np.zeros(len(problem.game.initial))
        row[problem.reached] = [_ratio(number, problem.scale) for number in left]
        taken = problem.vector([row.tolist()])
        left = [number - part for number, part in zip(left, taken, strict=True)]
        rows.append(row)
        if not any(taken):
            break  # what is left is below all floats
    return np.array(rows)


def _ratio(number: int, scale: int) -> float:
    return number / (1 << scale) if scale >= 0 else float(number << -scale)


def _newton(problem: Problem, step: Step, chain: Callable[[IntArray], Any], start: list[int]) -> list[int]:
    """Solve X = backup(X) until the residual is that of the rounding, or does not shrink any more."""
    gamma, x, best = problem.game.gamma, start, start
    smallest: int | None = None
    known: tuple[bytes, Callable[[FloatArray], FloatArray]] | None = None
    stalled = 0
    for _ in range(_MOST_STEPS):
        target, choice = step(x)
        residual = [new - old for new, old in zip(target, x, strict=True)]
        size = max(map(abs, residual))
        if smallest is None or size < smallest:
            # Policies may change without smaller residuals for a while; a solved one shrinks by digits.
            stalled = 0 if smallest is None or 2 * size < smallest else stalled + 1
            smallest, best = size, x
        else:
            stalled += 1
        if size <= 4 * len(problem.game.actions) or stalled > 12:
            break
        name = choice.tobytes()
        if known is None or known[0] != name:
            known = name, _solver(chain(choice), gamma)
        correction = known[1](np.array([number / size for number in residual]))
        if not np.isfinite(correction).all():
            break
        x = [old + _scaled(part, size) for old, part in zip(x, correction.tolist(), strict=True)]
    return best


def _scaled(part: float, size: int) -> int:
    above, below = part.as_integer_ratio()
    return above * size // below


def _response_step(problem: Problem, agent: int) -> Step:
    def step(x: list[int]) -> tuple[list[int], IntArray]:
        shift = problem.shift_of(agent)
        rows = list(problem.answers(agent, x, False))
        values = [sum(map(max, groups)) >> shift for groups in rows]
        return values, np.array([[row.index(max(row)) for row in groups] for groups in rows])

    return step


def _optimum_step(problem: Problem) -> Step:
    def step(x: list[int]) -> tuple[list[int], IntArray]:
        Q = problem.following(x, False)
        return [max(row) for row in Q], np.array([row.index(max(row)) for row in Q])

    return step


def _of_response(chains: "_Chains", agent: int) -> Callable[[IntArray], Any]:
    return lambda answer: chains.of_answer(agent, answer)


class _Chains:
    """The Markov chains of policies, in floats, over the reached states."""

    def __init__(self, problem: Problem) -> None:
        game, parents = problem.game, problem.policy.parents
        self._actions = game.actions
        self._families = [(*above, agent) for agent, above in enumerate(parents)]
        states = len(problem.reached)
        place = {state: number for number, state in enumerate(problem.reached)}
        weights, columns, starts = [], [], [0]
        for row, to in game.rows:
            total = sum(row)
            if all(state in place for state in to):  # others are rows of states out of reach
                weights += [weight / total for weight in row]
                columns += [place[state] for state in to]
            starts.append(len(weights))
        self._rows = csr_array((weights, columns, starts), shape=(len(game.rows), states))
        self._row_of = np.array(problem.row_of)
        self._tables = [
            np.array([[[n / (1 << problem.bits) for n in row] for row in rows] for rows in tables]).reshape(
                states, *(game.actions[member] for member in family)
            )
            for tables, family in zip(problem.tables, self._families, strict=True)
        ]

    def of_policy(self, _: IntArray) -> Any:
        return self._mix(self._joint(self._tables))

    def of_answer(self, agent: int, answer: IntArray) -> Any:
        own = np.eye(self._actions[agent])[answer].reshape(self._tables[agent].shape)
        return self._mix(self._joint([*self._tables[:agent], own, *self._tables[agent + 1 :]]))

    def of_choice(self, choice: IntArray) -> Any:
        return self._rows[self._row_of[np.arange(len(choice)), choice]]

    def _joint(self, tables: Sequence[FloatArray]) -> FloatArray:
        agents = len(self._actions)
        joint = np.ones((len(self._row_of), *self._actions))
        for table, family in zip(tables, self._families, strict=True):
            joint = joint * spread(table, family, agents)
        return joint

    def _mix(self, joint: FloatArray) -> Any:
        states, cells = self._row_of.shape
        starts = np.arange(0, states * cells + 1, cells)
        mixer = csr_array(
            (joint.reshape(-1), self._row_of.reshape(-1), starts), shape=(states, self._rows.shape[0])
        )
        return mixer @ self._rows


def _solver(chain: Any, gamma: float) -> Callable[[FloatArray], FloatArray]:
    states = chain.shape[0]
    if states > _DENSE_TO:
        factors: Any = splu((eye_array(states) - gamma * chain).tocsc())
        solve: Callable[[FloatArray], FloatArray] = factors.solve
        return solve
    try:
        inverse: FloatArray = np.linalg.inv(np.eye(states) - gamma * chain.toarray())
    except np.linalg.LinAlgError:
        return lambda x: x
    return lambda x: inverse @ x
