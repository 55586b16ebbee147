"""Which agents' actions act together in a game: the reward and the transitions as sums of local terms.

Every function of the joint action is, in exactly one way, a sum of terms f_T over sets T of agents, where
f_T depends on the actions of T alone and averages to zero over the action of any member (Hoeffding's
decomposition for the uniform measure). In an orthonormal basis of every agent's axis whose first vector is
constant, f_T are the coordinates that are not first for exactly the agents in T. So a function is a sum of
functions of families ``F_1, .., F_N`` if and only if all coordinates vanish whose T is in no family, and the
rest is its least-squares projection onto such sums.

A game is *additive* over a DAG if r(s, .) and, unless it has one state or gamma = 0, every P(s'|s, .) are
such sums. The terms of P may be any real functions. Numbers in files are rounded, so "vanish" means: up to
the rounding of this very computation and a few units in the last place of the game's own numbers
(:func:`tolerance`). What is left over is never ignored where a guarantee is at stake: `price` measures it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.left_sum import left_sum
from bnpg_math.dag import Dag, Edge
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game

LARGEST = 1 << 30
"""Most numbers of P, S^2 A, that are looked at."""
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Additivity:
    """Whether a game is additive over a DAG.

    Parameters
    ----------
    additive : bool
        Whether both remainders are at most the tolerance.
    reward, transition : float
        Largest over the states s: length of what is left of r(s, .), and of P(.|s, .), relative to the
        length of the whole, for r without the middle of the state's rewards. 0 for transitions that do not
        matter.
    tolerance : float
        See :func:`tolerance`.
    """

    additive: bool
    reward: float
    transition: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class Interactions:
    """How strongly each set of agents acts together.

    Parameters
    ----------
    actions : tuple of N int
        A_1 .. A_N.
    sets : tuple of K tuples of int
        Every set T that can have a term, ascending, the empty one first.
    reward : (S, K) float
        Share of f_T in r(s, .), squared: the shares of a state sum to 1, or are all 0. The middle of the
        rewards of a state is taken off before, so that a constant in them makes nobody's share small.
    transition : (S, K) float
        The same for P(.|s, .), all next states together; 0 where transitions do not matter.
    """

    actions: tuple[int, ...]
    sets: tuple[tuple[int, ...], ...]
    reward: FloatArray
    transition: FloatArray

    @cached_property
    def together(self) -> tuple[tuple[int, ...], ...]:
        """The sets whose term does not vanish in some state, without those of less than two agents."""
        least = tolerance(self.actions) ** 2
        found = np.maximum(self.reward, self.transition).max(axis=0) > least
        return tuple(
            members for members, there in zip(self.sets, found, strict=True) if there and members[1:]
        )

    @cached_property
    def pairs(self) -> tuple[Edge, ...]:
        """Agents that act together in some set: a perfect DAG suffices if it has these edges, ascending."""
        return tuple(sorted({pair for members in self.together for pair in combinations(members, 2)}))

    def additivity(self, families: Iterable[Sequence[int]]) -> Additivity:
        """Whether the game is a sum of functions of these families.

        Parameters
        ----------
        families : iterable of sequences of int

        Returns
        -------
        Additivity
        """
        outside = self._outside(families)
        limit = tolerance(self.actions)
        reward, transition = (
            math.sqrt(float(shares[:, outside].sum(axis=1).max()))
            for shares in (self.reward, self.transition)
        )
        return Additivity(max(reward, transition) <= limit, reward, transition, limit)

    def missing(self, families: Iterable[Sequence[int]]) -> dict[Edge, float]:
        """Share of what these families leave over in which each pair of agents acts, in the worst state."""
        outside = self._outside(families)
        found: dict[Edge, float] = {}
        shares = np.maximum(self.reward, self.transition).max(axis=0)
        for at in np.flatnonzero(outside):
            for pair in combinations(self.sets[at], 2):
                found[pair] = found.get(pair, 0.0) + float(shares[at])
        return found

    def _outside(self, families: Iterable[Sequence[int]]) -> FloatArray:
        covers = [set(family) for family in families]
        return np.array([not any(cover.issuperset(members) for cover in covers) for members in self.sets])


def tolerance(actions: Sequence[int]) -> float:
    """Relative length of a remainder that rounding alone can leave.

    A product with an orthogonal n x n matrix errs by at most (n + 2) sqrt(n) units of rounding of the length
    of what it is applied to (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, section 3.5;
    two for the entries of the matrix). There is one for every axis, there and back. Eight units more are the
    game's own.

    Parameters
    ----------
    actions : sequence of N int
        A_1 .. A_N.

    Returns
    -------
    float
        Some 1e-14 for small games.
    """
    return _EPS * (8.0 + 2.0 * left_sum((count + 2) * math.sqrt(count) for count in actions))


def interactions(game: Game) -> Interactions:
    """Decompose the reward and the transitions of a game.

    Parameters
    ----------
    game : Game

    Returns
    -------
    Interactions

    Raises
    ------
    GameError
        If P has more than `LARGEST` numbers, or a set of agents too many terms to be told apart.
    """
    size = game.states**2 * game.joint_actions
    if size > LARGEST:
        raise GameError(
            f"game {game.name} has {size} transition probabilities; expected at most {LARGEST} to look for "
            "agents that act together"
        )
    sets, labels = _sets(game.actions)
    reward = np.square(_coordinates(_in_units_of_the_largest(levelled(game.reward))))
    transition = np.zeros_like(reward)
    if transitions_matter(game):
        for chance in chances(game):
            transition += np.square(_coordinates(chance))
    shares = [_shares(energy.reshape(game.states, -1), labels, len(sets)) for energy in (reward, transition)]
    return Interactions(game.actions, sets, *shares)


def levelled(table: FloatArray) -> FloatArray:
    """Return a table without what is constant in each state, which is in every family and costs digits.

    Parameters
    ----------
    table : (S, A_1, .., A_N) float

    Returns
    -------
    (S, A_1, .., A_N) float
        What is off from the middle between the least and the largest entry of its state.
    """
    joint = tuple(range(1, table.ndim))
    middle = table.min(axis=joint, keepdims=True) / 2.0 + table.max(axis=joint, keepdims=True) / 2.0
    level: FloatArray = table - middle
    return level


def _in_units_of_the_largest(level: FloatArray) -> FloatArray:
    """Return every state in units of its largest entry: squares of small numbers would seem to vanish."""
    largest = np.abs(level).max(axis=tuple(range(1, level.ndim)), keepdims=True)
    scaled: FloatArray = np.divide(level, largest, out=np.zeros_like(level), where=largest > 0.0)
    return scaled


def transitions_matter(game: Game) -> bool:
    """Whether what is worth most depends on where the state goes: not with one state, nor with gamma = 0."""
    return game.states > 1 and game.gamma > 0.0


def chances(game: Game) -> Iterator[FloatArray]:
    """P(s'|s, a) of every next state s' in turn.

    Parameters
    ----------
    game : Game

    Yields
    ------
    (S, A_1, .., A_N) float
        Or (1, A_1, .., A_N) where it is the same in every state.
    """
    for indicator in np.eye(game.states):
        chance = game.transition.expectation(indicator)
        yield chance[:1] if chance.strides[0] == 0 else chance


def additivity(game: Game, dag: Dag) -> Additivity:
    """Whether a game is additive over the families of a DAG.

    Parameters
    ----------
    game : Game
    dag : Dag

    Returns
    -------
    Additivity

    Raises
    ------
    GameError
        As in :func:`interactions`.
    """
    return interactions(game).additivity(dag.families)


def remainder(table: FloatArray, families: Iterable[Sequence[int]]) -> FloatArray:
    """What least squares leave of functions of the joint action by sums of functions of families.

    Parameters
    ----------
    table : (S, A_1, .., A_N) float
        A function of the joint action for every state.
    families : iterable of sequences of int

    Returns
    -------
    (S, A_1, .., A_N) float
    """
    coordinates = _coordinates(table)
    covers = [set(family) for family in families]
    sets, labels = _sets(table.shape[1:])
    inside = np.array([any(cover.issuperset(members) for cover in covers) for members in sets])
    coordinates[:, inside[labels]] = 0.0
    return _along_axes(coordinates, [basis.T for basis in _bases(table.shape[1:])])


def _bases(actions: Sequence[int]) -> list[FloatArray]:
    """Orthogonal matrices, the first row constant."""
    from scipy.linalg import helmert

    return [helmert(count, full=True) for count in actions]


def _coordinates(table: FloatArray) -> FloatArray:
    return _along_axes(table, _bases(table.shape[1:]))


def _along_axes(table: FloatArray, matrices: Sequence[FloatArray]) -> FloatArray:
    for axis, matrix in enumerate(matrices, 1):
        table = np.moveaxis(np.tensordot(matrix, table, axes=(1, axis)), 0, axis)
    return table


def _sets(actions: Sequence[int]) -> tuple[tuple[tuple[int, ...], ...], IntArray]:
    """Every set of agents that is the T of a coordinate, and for every coordinate which it is."""
    masks = np.zeros(tuple(actions), dtype=np.int64)
    for agent, count in enumerate(actions):
        axis = (np.arange(count) > 0).astype(np.int64) << agent
        masks |= axis.reshape([count if other == agent else 1 for other in range(len(actions))])
    kinds, labels = np.unique(masks, return_inverse=True)
    agents = range(len(actions))
    sets = tuple(tuple(agent for agent in agents if kind >> agent & 1) for kind in kinds.tolist())
    return sets, labels.reshape(masks.shape)


def _shares(energy: FloatArray, labels: IntArray, sets: int) -> FloatArray:
    rows = np.array([np.bincount(labels.reshape(-1), weights=row, minlength=sets) for row in energy])
    whole = rows.sum(axis=1, keepdims=True)
    shares: FloatArray = np.divide(rows, whole, out=np.zeros_like(rows), where=whole > 0.0)
    return shares
