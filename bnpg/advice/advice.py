"""The whole advice on a game: the DAG that was asked about, its edges, and proposals."""

from dataclasses import dataclass

import numpy as np

from bnpg.advice.action_values import ActionValues, optimal_values, policy_values, uniform_values
from bnpg.advice.assessment import Assessment, Assessor
from bnpg.advice.proposals import edge_values, exact_proposals, growing
from bnpg.one_thread import one_thread
from bnpg_math.dag import Dag, Edge
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.theory.additivity import Additivity, transitions_matter

MOST_AGENTS = 16
"""Beyond so many agents the pairs are too many to compare one by one."""


@dataclass(frozen=True)
class Proposal:
    """A DAG to consider, and what it is best at."""

    name: str
    assessment: Assessment


@dataclass(frozen=True)
class Advice:
    """What is said about a game and a DAG.

    Parameters
    ----------
    game : Game
    subject : Assessment
        Of the DAG that was asked about.
    at : str
        The policy at which prices are measured: `uniform`, `optimal`, or a file.
    one_policy : bool
        Whether the price depends on the policy at all.
    epsilon : float
        The gap for which rounds are predicted.
    additivity : Additivity
        How exactly the game is additive over the DAG.
    together : tuple of tuples of int
        Sets of agents that act together, the largest ones.
    present, missing : tuples of (edge, float)
        The value of every edge, and of those that could be added.
    budget : int or None
    proposals : tuple of Proposal
        Each other than those before it, and with a budget of no more edges.
    """

    game: Game
    subject: Assessment
    at: str
    one_policy: bool
    epsilon: float
    additivity: Additivity
    together: tuple[tuple[int, ...], ...]
    present: tuple[tuple[Edge, float], ...]
    missing: tuple[tuple[Edge, float], ...]
    budget: int | None
    proposals: tuple[Proposal, ...]


def advise(
    game: Game,
    dag: Dag,
    at: str = "uniform",
    pi: "np.ndarray | None" = None,
    budget: int | None = None,
    epsilon: float | None = None,
) -> Advice:
    """Look at a game's structure, assess a DAG, and propose others.

    Parameters
    ----------
    game : Game
    dag : Dag
    at : str
        Where prices are measured: `uniform`, `optimal` (at Q*), or the name of the policy `pi`.
    pi : (S, A_1, .., A_N) float, optional
        A joint policy.
    budget : int, optional
        Most edges of a proposal.
    epsilon : float, optional
        The optimality gap for which rounds are predicted; 2 % of R / (1-gamma) if left out.

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        If the game has too many agents, or transitions too large to look at.
    """
    if game.agents > MOST_AGENTS:
        raise InputError(
            f"game {game.name} has {game.agents} agents; expected at most {MOST_AGENTS} to advise on"
        )
    worst = game.reward_range / (1 - game.gamma)
    goal = epsilon if epsilon is not None else 0.02 * worst if worst > 0 else 1.0
    with one_thread():
        assessor = Assessor(game, _values(game, at, pi), goal)
        subject = assessor.assess(dag)
        present, missing = edge_values(assessor, dag)
        candidates = list(exact_proposals(assessor))
        fewest = len(candidates[0][1].edges)
        candidates += growing(assessor, fewest if budget is None else min(budget, fewest))
        proposals: dict[tuple[Edge, ...], Proposal] = {}
        for name, candidate in candidates:
            if candidate.edges not in proposals and (budget is None or len(candidate.edges) <= budget):
                proposals[candidate.edges] = Proposal(name, assessor.assess(candidate))
    found = assessor.interactions
    largest = sorted(
        group for group in found.together if not any(set(group) < set(other) for other in found.together)
    )
    return Advice(
        game=game,
        subject=subject,
        at=at,
        one_policy=transitions_matter(game),
        epsilon=goal,
        additivity=found.additivity(dag.families),
        together=tuple(largest),
        present=tuple(present),
        missing=tuple(missing),
        budget=budget,
        proposals=tuple(proposals.values()),
    )


def _values(game: Game, at: str, pi: "np.ndarray | None") -> ActionValues:
    if pi is not None:
        return policy_values(game, pi)
    return optimal_values(game) if at == "optimal" else uniform_values(game)
