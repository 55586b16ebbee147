"""Policy iteration on a graph of agents: each agent in turn answers its parents, and those after it.

After Ding, Tang & Jing, *Action Dependency Graphs for Globally Optimal Coordinated Reinforcement Learning*
(2025, arXiv 2506.00797). A round evaluates the team's Q once. Then the agents, children before parents, take
in every row (s, aP) the action with the largest mean of Q, when all outside the family act as they do in
answer to it. What is proved of it is in docs/theory/baselines.md: no value falls on any DAG, the end is a
Nash equilibrium, and on the complete DAG, or where the game is additive over a perfect one, a round is one of
policy iteration over joint actions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag
from bnpg_math.exact.centred import centred
from bnpg_math.exact.values import Values, evaluate
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow

_TIE = 1e-12
"""An action must be better by more than this, relative to the largest |Q|, to replace the present one."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A team after some rounds.

    Parameters
    ----------
    tables : tuple of N arrays (S, *P, A_i) float
        pi^i: uniform at the beginning, then of zeros and ones.
    values : Values
        Its evaluation.
    """

    tables: tuple[FloatArray, ...]
    values: Values


def answers(Q: FloatArray, tables: Sequence[FloatArray], dag: Dag, agent: int) -> FloatArray:
    """Return the mean of Q where an agent's family acts as given, and all others as they do in answer.

    Parameters
    ----------
    Q : (S, A_1, .., A_N) float
    tables : sequence of N arrays (S, *P, A_i) float
    dag : Dag
    agent : int

    Returns
    -------
    (S, *P, A) float
    """
    family = dag.families[agent]
    weighted = Q
    for other, table in enumerate(tables):
        if other not in family:
            weighted = weighted * spread(table, dag.families[other], dag.agents)
    return local_flow(weighted, family)


def sweep(Q: FloatArray, tables: Sequence[FloatArray], dag: Dag) -> tuple[FloatArray, ...]:
    """Let every agent, children before parents, take its best answer in every row.

    Parameters
    ----------
    Q : (S, A_1, .., A_N) float
        Of the team before.
    tables : sequence of N arrays (S, *P, A_i) float
        The team before.
    dag : Dag

    Returns
    -------
    tuple of N arrays (S, *P, A_i) float
        Zeros and ones. An action stays that is as good as the best.
    """
    found, slack = list(tables), _TIE * float(np.abs(Q).max())
    for agent in reversed(dag.order):
        worth = answers(Q, found, dag, agent)
        best = worth.argmax(axis=-1)
        # What is played already stays, unless something is better.
        present = found[agent].argmax(axis=-1)
        certain = found[agent].max(axis=-1) == 1.0
        gained = worth.max(axis=-1) - np.take_along_axis(worth, present[..., None], axis=-1)[..., 0]
        choice = np.where(certain & (gained <= slack), present, best)
        found[agent] = np.eye(worth.shape[-1])[choice]
    return tuple(found)


def graph_policy_iteration(game: Game, dag: Dag, most: int = 10_000) -> Iterator[Stage]:
    """Iterate from the uniform team until no state's value rises.

    Parameters
    ----------
    game : Game
    dag : Dag
    most : int
        Rounds, at the most.

    Yields
    ------
    Stage
        At first the uniform team, then one a round; the last is the one that a round did not raise.
    """
    tables = tuple(
        np.full(
            (game.states, *(game.actions[parent] for parent in parents), game.actions[agent]),
            1.0 / game.actions[agent],
        )
        for agent, parents in enumerate(dag.parents)
    )
    # A constant in the rewards makes no action better; in Q it would only cost digits.
    level = centred(game)
    now = evaluate(level, joint_policy(tables, dag))
    yield Stage(tables, evaluate(game, joint_policy(tables, dag)))
    for done in range(most):
        tables = sweep(now.Q, tables, dag)
        after = evaluate(level, joint_policy(tables, dag))
        yield Stage(tables, evaluate(game, joint_policy(tables, dag)))
        # The first round replaces uniform rows: that it raises nothing says nothing yet.
        if done and (after.V - now.V).max() <= _TIE * float(np.abs(now.Q).max()):
            return
        now = after
