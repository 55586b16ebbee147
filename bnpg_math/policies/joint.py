"""The policies of a whole team, as a value: what a policy file holds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.npz import real
from bnpg_math.chance.sampling import cumulative, sample_actions
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.errors import PolicyError
from bnpg_math.games.game import Game
from bnpg_math.games.probabilities import distributions, frozen, place
from bnpg_math.html_table import columns
from bnpg_math.policies.softmax import policy, theta_shape, validate_theta
from bnpg_math.policies.spec import PolicySpec

ROWS_SHOWN = 24
"""Rows of a policy's tables that a notebook shows."""


@dataclass(frozen=True, eq=False)
class Policy:
    """A Bayesian-network policy: its graph and everyone's logits, or probabilities (:meth:`from_tables`).

    Parameters
    ----------
    dag : Dag
        Who conditions on whom.
    thetas : sequence of N arrays (S, *P, A_i) float
        Logits; shapes fit the DAG. Of a policy from probabilities they are their logarithms, and -inf where
        an action is never taken.

    Raises
    ------
    PolicyError
        If the logits do not fit the DAG or are not finite.

    Examples
    --------
    Agent 1 does what agent 0 does, who tosses a coin:

    >>> from bnpg_math.dag import Dag
    >>> Policy.from_tables(Dag(2, ((0, 1),)), [[[0.5, 0.5]], [[[1, 0], [0, 1]]]]).is_deterministic
    False
    >>> Policy.deterministic(Dag(2, ((0, 1),)), [[1], [[0, 1]]], (2, 2)).tables[1].tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """

    dag: Dag
    thetas: tuple[FloatArray, ...]
    probabilities: tuple[FloatArray, ...] | None = field(default=None, init=False)
    """The conditional tables as they were given; None for logits."""
    notices: tuple[str, ...] = field(default=(), init=False, repr=False)
    """What a person should know of how the numbers were taken in, a line each."""

    def __post_init__(self) -> None:
        arrays = _checked(self.dag, self.thetas, "theta")
        checked = tuple(validate_theta(theta, theta.shape, agent) for agent, theta in enumerate(arrays))
        object.__setattr__(self, "thetas", checked)

    @classmethod
    def from_tables(cls, dag: Dag, tables: Sequence[Any]) -> "Policy":
        """Make a policy of probabilities.

        Parameters
        ----------
        dag : Dag
            Who conditions on whom.
        tables : sequence of N arrays (S, *P, A_i) float, or nested lists
            pi^i, parent axes ascending, own action last; zeros allowed. Rows sum to 1 as those of a game do:
            within the precision of their numbers they are divided by their sums.

        Returns
        -------
        Policy
            It can be measured and saved. To be trained further it must have no zeros.

        Raises
        ------
        PolicyError
            If the tables do not fit the DAG, or a row is no distribution.
        """
        taken = [
            distributions(table, f"pi_{agent}", PolicyError)
            for agent, table in enumerate(_checked(dag, tables, "pi"))
        ]
        probabilities = tuple(frozen(table) for table, _ in taken)
        self = object.__new__(cls)
        with np.errstate(divide="ignore"):
            logits = tuple(np.log(table) for table in probabilities)
        object.__setattr__(self, "dag", dag)
        object.__setattr__(self, "thetas", logits)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "notices", tuple(notice for _, notice in taken if notice))
        return self

    @classmethod
    def deterministic(cls, dag: Dag, choices: Sequence[Any], actions: Sequence[int]) -> "Policy":
        """Make a policy in which everybody's action is a function of the state and the parents' actions.

        Parameters
        ----------
        dag : Dag
            Who conditions on whom.
        choices : sequence of N arrays (S, *P) int, or nested lists
            The action of agent i, in 0..A_i - 1.
        actions : sequence of int
            Action counts (A_1, .., A_N).

        Returns
        -------
        Policy

        Raises
        ------
        PolicyError
            If the choices do not fit the DAG, or one is no action.
        """
        if not len(choices) == len(actions) == dag.agents:
            raise PolicyError(
                f"expected choices and action counts of {dag.agents} agents, "
                f"got {len(choices)} and {len(actions)}"
            )
        tables = []
        for agent, (choice, count) in enumerate(zip(choices, actions, strict=True)):
            chosen = real(choice, f"choice of agent {agent}", PolicyError)
            fits = (chosen >= 0) & (chosen < count) & (chosen == np.rint(chosen))
            if not fits.all():
                where = place(f"choice of agent {agent}", int(np.argmin(fits)), chosen.shape)
                value = chosen.reshape(-1)[int(np.argmin(fits))]
                raise PolicyError(f"{where} must be an action in 0..{count - 1}, got {value:g}")
            tables.append(np.eye(count)[chosen.astype(np.intp)])
        return cls.from_tables(dag, tables)

    def __repr__(self) -> str:
        edges = ", ".join(f"{parent}-{child}" for parent, child in self.dag.edges) or "no edges"
        return f"<Policy of {self.dag.agents} agents, {edges}; {self.states} states, actions {self.actions}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the probabilities, a row for each thing that an agent may see."""
        rows: list[list[Any]] = []
        for agent, (table, parents) in enumerate(zip(self.tables, self.dag.parents, strict=True)):
            for seen in np.ndindex(*table.shape[:-1]):
                sight = ", ".join(
                    [f"state {seen[0]}", *(f"{p} does {a}" for p, a in zip(parents, seen[1:], strict=True))]
                )
                rows.append([agent, sight, " ".join(f"{chance:.3f}" for chance in table[seen])])
                if len(rows) > ROWS_SHOWN:
                    break
        total = sum(table[..., 0].size for table in self.tables)
        return columns(repr(self)[1:-1], ["agent", "sees", "probabilities"], rows, ROWS_SHOWN, total)

    def __eq__(self, other: object) -> bool:
        """Whether another policy has the same graph and the same numbers, to the bit."""
        if not isinstance(other, Policy):
            return NotImplemented
        return self.dag == other.dag and self.digest == other.digest

    def __hash__(self) -> int:
        return hash((self.dag.edges, self.digest))

    def sample(self, states: Any, seed: int = 0) -> IntArray:
        """Draw the team's actions, each agent seeing its parents'.

        Parameters
        ----------
        states : (B,) int
            What all agents see, in every lane.
        seed : int
            The same seed draws the same actions.

        Returns
        -------
        (B, N) int

        Examples
        --------
        >>> from bnpg_math.dag import Dag
        >>> follower = Policy.from_tables(Dag(2, ((0, 1),)), [[[0.5, 0.5]], [[[1, 0], [0, 1]]]])
        >>> drawn = follower.sample([0, 0, 0], seed=1)
        >>> drawn.shape, bool((drawn[:, 0] == drawn[:, 1]).all())
        ((3, 2), True)
        """
        lanes = np.atleast_1d(np.asarray(states))
        if lanes.ndim != 1 or lanes.dtype.kind not in "iu":
            raise PolicyError(
                f"states must be integers of shape (B,), got {lanes.dtype} of shape {lanes.shape}"
            )
        if lanes.size and not 0 <= lanes.min() <= lanes.max() < self.states:
            raise PolicyError(f"states must be in 0..{self.states - 1}, got {lanes.min()} to {lanes.max()}")
        taken: dict[int, IntArray] = {}
        for agent in self.dag.order:
            drawn = uniforms(seed, Purpose.ACTIONS, agent, 0, 0, lanes.size)
            seen = [taken[parent] for parent in self.dag.parents[agent]]
            taken[agent] = sample_actions(cumulative(self.tables[agent]), lanes, seen, drawn)
        return np.stack([taken[agent] for agent in range(self.dag.agents)], axis=1)

    @property
    def parameters(self) -> tuple[FloatArray, ...]:
        """What it was made of: the probabilities, or the logits."""
        return self.thetas if self.probabilities is None else self.probabilities

    @property
    def is_deterministic(self) -> bool:
        """Whether every probability is 0 or 1."""
        return all(bool(((table == 0.0) | (table == 1.0)).all()) for table in self.tables)

    def as_logits(self) -> "Policy":
        """The same policy as finite logits, as training starts from.

        Raises
        ------
        PolicyError
            If an action is never taken: its logit is infinite.
        """
        if self.probabilities is None:
            return self
        for agent, table in enumerate(self.probabilities):
            if not table.all():
                where = place(f"pi_{agent}", int(np.argmin(table != 0.0)), table.shape)
                raise PolicyError(
                    f"{where} is 0, whose logit is infinite: training starts from probabilities "
                    "above 0, such as (1 - epsilon) pi + epsilon / A"
                )
        return Policy(self.dag, self.thetas)

    @property
    def states(self) -> int:
        """Number of states, S; of those that agent 0 sees, where each sees its own."""
        return int(self.thetas[0].shape[0])

    @property
    def actions(self) -> tuple[int, ...]:
        """Action counts (A_1, .., A_N)."""
        return tuple(int(theta.shape[-1]) for theta in self.thetas)

    @cached_property
    def tables(self) -> tuple[FloatArray, ...]:
        """The conditional tables pi^i, eq. (1)."""
        if self.probabilities is not None:
            return self.probabilities
        return tuple(policy(theta) for theta in self.thetas)

    @cached_property
    def digest(self) -> str:
        """See :func:`policy_digest`; of the probabilities, if it was made of them."""
        return policy_digest(self.parameters)


def policy_of(kind: PolicySpec, dag: Dag, thetas: Sequence[FloatArray]) -> Policy:
    """Return the policy of everybody's theta, as the kind of policy takes it.

    Parameters
    ----------
    kind : PolicySpec
    dag : Dag
    thetas : sequence of N arrays (S, *P, A_i) float
        Logits; of direct policies probabilities.

    Raises
    ------
    PolicyError
        If they are none.
    """
    return Policy.from_tables(dag, thetas) if kind.is_direct else Policy(dag, tuple(thetas))


def _checked(dag: Dag, tables: Sequence[Any], name: str) -> list[FloatArray]:
    """Return everybody's table as an array of numbers, its shape compared with the DAG and the others.

    In a game all agents see the same states, which :func:`check_policy` holds; in a simulator each its own.
    """
    if not isinstance(dag, Dag):
        raise PolicyError(f"a policy is over a Dag, such as Dag({len(tables)}, edges), got {quoted(dag)}")
    if len(tables) != dag.agents:
        raise PolicyError(f"expected {dag.agents} arrays {name}_i, got {len(tables)}")
    arrays = [real(table, f"{name}_{agent}", PolicyError) for agent, table in enumerate(tables)]
    for agent, array in enumerate(arrays):
        if array.ndim < 2 or min(array.shape) < 1:
            raise PolicyError(f"{name}_{agent} must have shape (S, *parents, A), got {array.shape}")
    actions = [array.shape[-1] for array in arrays]
    for agent, (array, parents) in enumerate(zip(arrays, dag.parents, strict=True)):
        expected = theta_shape(array.shape[0], actions, parents, agent)
        if array.shape != expected:
            raise PolicyError(f"{name}_{agent} must have shape {expected}, got {array.shape}")
    return arrays


def policy_digest(thetas: Sequence[FloatArray]) -> str:
    """SHA-256 over theta_0, theta_1, .. as little-endian float64 bytes in C order, in hexadecimal.

    Parameters
    ----------
    thetas : sequence of N arrays (S, *P, A_i) float
        Logits in agent order.

    Returns
    -------
    str
    """
    hasher = hashlib.sha256()
    for theta in thetas:
        hasher.update(np.ascontiguousarray(theta, dtype="<f8").tobytes())
    return hasher.hexdigest()


def check_policy(candidate: Policy, game: Game) -> None:
    """Check that a policy is one for this game.

    Parameters
    ----------
    candidate : Policy
        The policy.
    game : Game
        The game.

    Raises
    ------
    PolicyError
        Naming the first number that differs.
    """
    if candidate.dag.agents != game.agents:
        raise PolicyError(f"policy must have {game.agents} agents as the game, got {candidate.dag.agents}")
    for theta in candidate.thetas:
        if len(theta) != game.states:
            raise PolicyError(f"policy must have {game.states} states as the game, got {len(theta)}")
    if candidate.actions != game.actions:
        raise PolicyError(f"policy must have action counts {game.actions}, got {candidate.actions}")
