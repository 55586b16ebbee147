"""Gains as values: the game whose reward is the advantage over the policy that is judged.

For any vector V, the game with reward r(s, a) + gamma E V(s') - V(s) has the value V_pi' - V under every
policy pi' (potential-based shaping). With V close to the values of the present policy, what others gain is
what they earn there: no large values are subtracted from each other any more. Only the reward itself is such
a difference: it is computed with twice the digits. Probable actions have a reward next to 0, and improbable
ones count little; so errors are bounded by mixtures of |reward|, not by the largest one.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.double_double import Pair, add, scaled, total, two_product, two_sum
from bnpg_math.arrays.joint import spread
from bnpg_math.dag import Dag
from bnpg_math.exact.centred import reachable
from bnpg_math.exact.kernel_integers import kernel_rows
from bnpg_math.exact.rounding import UNIT, Enclosed, backup_rounding, left_over, row_defects, sum_upwards
from bnpg_math.exact.values import Values, factorise
from bnpg_math.games.game import Game
from bnpg_math.learning.gradient import local_flow

_GUARD = 120
_ROUNDS = 100


class Shaping:
    """Advantages over policies of a game, with twice the digits of a double on the way.

    Parameters
    ----------
    game : Game
        Small enough for its tensor.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.kept = reachable(game)
        self.longer = np.where(self.kept.reshape(-1, *(1,) * game.agents), game.reward, 0.0)
        self.longer = self.longer.reshape(game.states, -1)

    @cached_property
    def _kernel(self) -> Pair:
        """P(s'|s, a) with rows divided by their sums; (S, A, S)."""
        rows = kernel_rows(self.game.transition, _GUARD)
        whole = 1 << rows.bits
        shape = (self.game.states, self.game.joint_actions, self.game.states)
        high, low = np.zeros(shape), np.zeros(shape)
        found = [entry / whole for entry in rows.values.tolist()]
        left = []
        for entry, rounded in zip(rows.values.tolist(), found, strict=True):
            top, bottom = rounded.as_integer_ratio()
            # entry / whole - top / bottom; both denominators are powers of two
            left.append((entry * bottom - top * whole) / (whole * bottom))
        high.reshape(-1, shape[-1])[rows.rows, rows.columns] = found
        low.reshape(-1, shape[-1])[rows.rows, rows.columns] = left
        return Pair(high, low)

    def advantages(self, V: FloatArray) -> tuple[FloatArray, float]:
        """R + gamma P V - V, and the error that is left beside that of rounding to a double.

        Parameters
        ----------
        V : (S,) float

        Returns
        -------
        (S, A) float, float
        """
        V = np.where(self.kept, V, 0.0)
        kernel, gamma = self._kernel, np.array(self.game.gamma)
        # Rows sum to 1: E V(s') - V(s) is a sum of differences.
        apart = two_sum(V[None, :], -V[:, None])
        step = Pair(apart.high[:, None, :], apart.low[:, None, :])
        products = two_product(kernel.high, step.high)
        low = products.low + (kernel.high * step.low + kernel.low * step.high)
        expected = scaled(total(Pair(products.high, low)), gamma)
        survival = two_sum(np.ones(()), -gamma)
        lost = two_product(np.broadcast_to(survival.high, V.shape), -V)
        lost = Pair(lost.high[:, None], (lost.low - survival.low * V)[:, None])
        reward = add(add(expected, lost), Pair(self.longer, np.zeros_like(self.longer)))
        size = float(np.abs(self.longer).max()) + 4.0 * float(np.abs(V).max())
        return reward.rounded(), 8.0 * (self.game.states + 16) * 2.0**-104 * size


class Shaped:
    """What others gain over one policy.

    Parameters
    ----------
    shaping : Shaping
    dag : Dag
    tables : sequence of N arrays (S, *P, A_i) float
    present : Values
        Of the joint policy.
    defects : float
        Of the tables, from :func:`bnpg_math.exact.rounding.table_defects`.
    """

    def __init__(
        self, shaping: Shaping, dag: Dag, tables: Sequence[FloatArray], present: Values, defects: float
    ) -> None:
        self._game, self._dag, self._tables = shaping.game, dag, tables
        self._reward, self._error = shaping.advantages(present.V)
        self._size = np.abs(self._reward)
        self._relative = backup_rounding(self._game, defects)
        self._pi = present.pi.reshape(self._game.states, -1)
        self._kept = shaping.kept
        # mu is not divided by its sum here, and what both values share of that does not matter.
        self._mixing = 2.0 * self._game.states * UNIT + row_defects(self._game)[1]

    @cached_property
    def _now(self) -> tuple[FloatArray, float]:
        """The value of the policy itself, next to 0, and how far it may be off."""
        game = self._game
        V = factorise(game.transition.under(self._pi.reshape(-1, *game.actions)), game.gamma)[0](
            (self._pi * self._reward).sum(axis=1)
        )
        Q, size = self._backup(V)
        off = np.abs((self._pi * Q).sum(axis=1) - V) + (self._pi * size).sum(axis=1)
        return V, self._left(off, V)

    def _backup(self, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Q and the error of its entries, mixtures included."""
        Q = self._reward + self._game.transition.expectation(self._game.gamma * V).reshape(self._reward.shape)
        largest = float(np.abs(V[self._kept]).max())
        return Q, self._relative * (self._size + largest) + self._error

    def _left(self, off: FloatArray, V: FloatArray) -> float:
        """What Bellman differences of the states in reach amount to at the start."""
        worst = max(float(off[self._kept].max()), 0.0)
        return sum_upwards(left_over(self._game, worst), self._mixing * float(np.abs(V[self._kept]).max()))

    def _gain(self, V: FloatArray, error: float) -> Enclosed:
        now, off = self._now
        return Enclosed(max(float(self._game.initial @ (V - now)), 0.0), sum_upwards(error, off))

    def optimality_gap(self, start: NDArray[np.intp]) -> Enclosed:
        """V* - V, from a choice of a flat joint action (S,) to begin with."""
        game, states, choice = self._game, np.arange(self._game.states), start
        for _ in range(_ROUNDS):
            V = factorise(game.transition.under_choice(choice), game.gamma)[0](self._reward[states, choice])
            Q, size = self._backup(V)
            best = Q.argmax(axis=1)
            improves = Q[states, best] - Q[states, choice] > 2.0 * (size[states, best] + size[states, choice])
            if not improves.any():
                break
            choice = np.where(improves, best, choice)
        above = (Q + size).max(axis=1) - V
        below = V - (Q - size)[states, choice]
        return self._gain(V, self._left(np.maximum(above, below), V))

    def gain(self, agent: int) -> Enclosed:
        """What an agent's best response gains."""
        game, family, table = self._game, self._dag.families[agent], self._tables[agent].copy()
        shape, others = (game.states, *game.actions), self._others(agent)
        V = self._now[0]
        for _ in range(_ROUNDS):
            Q, size = self._backup(V)
            conditional = local_flow(others * Q.reshape(shape), family)
            errors = local_flow(others * size.reshape(shape), family)
            best = conditional.argmax(axis=-1)[..., None]
            most, mixed = (
                np.take_along_axis(conditional, best, -1)[..., 0],
                (table * conditional).sum(axis=-1),
            )
            doubt = np.take_along_axis(errors, best, -1)[..., 0] + (table * errors).sum(axis=-1)
            improves = most - mixed > 2.0 * doubt
            if not improves.any():
                break
            chosen = (np.arange(table.shape[-1]) == best).astype(np.float64)
            table = np.where(improves[..., None], chosen, table)
            joint = others * spread(table, family, self._dag.agents)
            reward = (joint.reshape(game.states, -1) * self._reward).sum(axis=1)
            V = factorise(game.transition.under(joint), game.gamma)[0](reward)
        above = (conditional + errors).max(axis=-1).reshape(game.states, -1).sum(axis=1) - V
        below = V - (table * (conditional - errors)).sum(axis=-1).reshape(game.states, -1).sum(axis=1)
        return self._gain(V, self._left(np.maximum(above, below), V))

    def _others(self, agent: int) -> FloatArray:
        """Product of everyone else's tables."""
        product = np.ones((self._game.states, *(1,) * self._dag.agents))
        for other, table in enumerate(self._tables):
            if other != agent:
                product = product * spread(table, self._dag.families[other], self._dag.agents)
        return np.array(np.broadcast_to(product, (self._game.states, *self._game.actions)))
