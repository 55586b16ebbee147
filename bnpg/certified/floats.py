"""Upper bounds on both gaps in floating point, every rounding included: for games too large to be exact.

The same inequalities as in `exact_check`, from the solvers' own vectors. A backup in floats is off by at most
`unit` times the number of operations, by what rows of P and of the policy lack to a sum of 1, and by the
rounding of the softmax, all relative to the largest reward and value.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.exact.equilibrium import best_response
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow
from bnpg_math.policies.file import Policy

_UNIT = 2.0**-53
_UP = 1.0 + 1e-12
"""Covers the rounding of the few operations by which bounds are put together."""


@dataclass(frozen=True)
class FloatBounds:
    """What each agent alone can gain at most, and the optimality gap; infinite where nothing is known."""

    gains: tuple[float, ...]
    optimality: float

    @property
    def nash(self) -> float:
        """Upper bound on the Nash gap."""
        return max(self.gains)


def upper_bounds(game: Game, policy: Policy) -> FloatBounds:
    """Bound both gaps of a policy.

    Parameters
    ----------
    game : Game
    policy : Policy
        For this game.

    Returns
    -------
    FloatBounds
    """
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        return _Bounding(game, policy).bounds()


class _Bounding:
    def __init__(self, game: Game, policy: Policy) -> None:
        self._game, self._policy = game, policy
        self._joint = joint_policy(policy.tables, policy.dag)
        self._reached = _reached(game, self._joint)
        rewards = game.reward[self._reached]
        self._middle = float(rewards.min()) / 2 + float(rewards.max()) / 2
        self._reward = game.reward - self._middle
        self._largest = float(np.abs(self._reward[self._reached]).max())
        # More operations than the sum over successors, over joint actions, and products of N tables take.
        operations = game.states + game.joint_actions + 8 * game.agents + 32
        rows = float(np.abs(game.transition.expectation(np.ones(game.states)) - 1.0).max())
        tables = sum(
            float(np.abs(table.sum(axis=-1) - 1.0).max()) + (6 * table.shape[-1] + 32) * _UNIT
            for table in policy.tables
        )
        self._relative = 2.0 * ((operations + game.states) * _UNIT + rows + tables)

    def bounds(self) -> FloatBounds:
        game, policy = self._game, self._policy
        V = self._centred(evaluate(game, self._joint).V)
        below = self._excess(V, self._mean(self._backup(V) * self._joint), V)
        gains = []
        for agent in range(game.agents):
            u = self._centred(best_response(game, policy.dag, policy.tables, agent).V)
            gains.append(self._gap(u, V, self._excess(self._responding(agent, u), u, u) + below))
        w = self._centred(optimal_value(game).V)
        best = self._backup(w).reshape(game.states, -1).max(axis=1)
        return FloatBounds(tuple(gains), self._gap(w, V, self._excess(best, w, w) + below))

    def _centred(self, V: FloatArray) -> FloatArray:
        """Values without the middle of the rewards, and 0 where nobody comes."""
        return np.where(self._reached, V - self._middle / (1.0 - self._game.gamma), 0.0)

    def _backup(self, V: FloatArray) -> FloatArray:
        Q: FloatArray = self._reward + self._game.transition.expectation(self._game.gamma * V)
        return Q

    def _mean(self, weighted: FloatArray) -> FloatArray:
        total: FloatArray = weighted.reshape(self._game.states, -1).sum(axis=1)
        return total

    def _responding(self, agent: int, u: FloatArray) -> FloatArray:
        dag, weighted = self._policy.dag, self._backup(u)
        for other, table in enumerate(self._policy.tables):
            if other != agent:
                weighted = weighted * spread(table, dag.families[other], dag.agents)
        return self._mean(local_flow(weighted, dag.families[agent]).max(axis=-1))

    def _excess(self, larger: FloatArray, smaller: FloatArray, vector: FloatArray) -> float:
        """max(larger - smaller)^+ / (1 - gamma), where one of them is a backup of `vector`."""
        most = float((larger - smaller)[self._reached].max())
        rounding = self._relative * (self._largest + float(np.abs(vector).max()))
        return _not_less(most + rounding) / (1.0 - self._game.gamma) * _UP

    def _gap(self, high: FloatArray, low: FloatArray, excess: float) -> float:
        start = self._game.initial
        rounding = (4 * self._game.states + 8) * _UNIT + abs(float(start.sum()) - 1.0)
        difference = float(start @ (high - low)) + rounding * float(np.abs(high).max() + np.abs(low).max())
        bound = _not_less((difference + excess) * _UP)
        return bound if math.isfinite(bound) else math.inf


def _not_less(number: float) -> float:
    """Return max(number, 0), but NaN stays NaN."""
    return number if number > 0.0 or math.isnan(number) else 0.0


def _reached(game: Game, joint: FloatArray) -> NDArray[np.bool_]:
    """Return which states some policy reaches."""
    # Weights of 1, not a policy: no product of theirs with a small probability is lost.
    chain = game.transition.under(np.ones_like(joint))
    reached = game.initial > 0.0
    while game.gamma > 0.0:
        more = reached | ((chain.T @ reached.astype(np.float64)) > 0.0)
        if (more == reached).all():
            break
        reached = more
    return reached
