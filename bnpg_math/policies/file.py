"""Policies as `.npz` files.

The format: ``edges`` int ``[E, 2]`` (parent, child), ``theta_0`` .. ``theta_{N-1}``, each
``[S, A_p1, .., A_pk, A_i]`` with parent axes in ascending agent index and the own action last. Further arrays
in the file are ignored.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.npz import read_arrays, write_arrays
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError, PolicyError
from bnpg_math.games.game import Game
from bnpg_math.policies.softmax import policy, theta_shape, validate_theta

_THETA = re.compile(r"theta_(0|[1-9]\d*)")


@dataclass(frozen=True, eq=False)
class Policy:
    """A Bayesian-network policy: its graph and everyone's logits.

    Parameters
    ----------
    dag : Dag
        Who conditions on whom.
    thetas : tuple of N arrays (S, *P, A_i) float
        Logits; shapes fit the DAG.

    Raises
    ------
    PolicyError
        If the logits do not fit the DAG or are not finite.
    """

    dag: Dag
    thetas: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if len(self.thetas) != self.dag.agents:
            raise PolicyError(f"expected {self.dag.agents} arrays theta_i, got {len(self.thetas)}")
        for agent, theta in enumerate(self.thetas):
            if theta.ndim < 2 or min(theta.shape) < 1:
                raise PolicyError(f"theta_{agent} must have shape (S, *parents, A), got {theta.shape}")
        checked = tuple(
            validate_theta(theta, theta_shape(self.states, self.actions, parents, agent), agent)
            for agent, (theta, parents) in enumerate(zip(self.thetas, self.dag.parents, strict=True))
        )
        object.__setattr__(self, "thetas", checked)

    @property
    def states(self) -> int:
        """Number of states, S."""
        return int(self.thetas[0].shape[0])

    @property
    def actions(self) -> tuple[int, ...]:
        """Action counts (A_1, .., A_N)."""
        return tuple(int(theta.shape[-1]) for theta in self.thetas)

    @cached_property
    def tables(self) -> tuple[FloatArray, ...]:
        """The conditional tables pi^i, eq. (1)."""
        return tuple(policy(theta) for theta in self.thetas)

    @cached_property
    def digest(self) -> str:
        """See :func:`policy_digest`."""
        return policy_digest(self.thetas)


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
    if candidate.states != game.states:
        raise PolicyError(f"policy must have {game.states} states as the game, got {candidate.states}")
    if candidate.actions != game.actions:
        raise PolicyError(f"policy must have action counts {game.actions}, got {candidate.actions}")


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy.

    Parameters
    ----------
    path : path
        An ``.npz`` file.

    Returns
    -------
    Policy

    Raises
    ------
    PolicyError
        One line saying what is wrong: the file, the edges, an array's dtype, shape or content.
    """
    source = Path(path)
    arrays = read_arrays(source, "policy file", PolicyError, lambda name: name == "edges" or is_theta(name))
    if "edges" not in arrays:
        raise PolicyError(f"policy file {source} lacks edges; expected edges, theta_0, theta_1, ..")
    agents = len(arrays) - 1
    missing = [f"theta_{agent}" for agent in range(max(agents, 1)) if f"theta_{agent}" not in arrays]
    if missing:
        raise PolicyError(
            f"policy file {source} lacks {missing[0]}; expected theta_0, theta_1, .. without a gap"
        )
    try:
        dag = Dag(agents, edges_of(arrays["edges"]))
        return Policy(dag, tuple(arrays[f"theta_{agent}"] for agent in range(agents)))
    except (DagError, PolicyError) as reason:
        raise PolicyError(f"policy file {source}: {reason}") from None


def is_theta(name: str) -> bool:
    """Whether an array's name is that of an agent's logits."""
    return _THETA.fullmatch(name) is not None


def edges_of(array: NDArray[Any]) -> tuple[tuple[int, int], ...]:
    """Edges from their array form.

    Parameters
    ----------
    array : (E, 2) int
        Parent and child; (0, 2) when there are none.

    Returns
    -------
    tuple of (parent, child)

    Raises
    ------
    DagError
        If the array has another dtype or shape.
    """
    # An empty list saved by hand becomes float64: without rows the dtype says nothing.
    integral = array.dtype.kind in "iu" or array.size == 0
    if not integral or array.ndim != 2 or array.shape[1] != 2:
        raise DagError(
            f"edges must be integers of shape (E, 2), got dtype {array.dtype} and shape {array.shape}"
        )
    return tuple((int(parent), int(child)) for parent, child in array)


def save_policy(candidate: Policy, path: str | os.PathLike[str]) -> None:
    """Write a policy; the path holds the old file or the new one, never a part.

    Parameters
    ----------
    candidate : Policy
        Checked when it was made.
    path : path
        An ``.npz`` file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    edges = np.array(candidate.dag.edges, dtype=np.int64).reshape(-1, 2)
    arrays: dict[str, NDArray[Any]] = {"edges": edges}
    arrays |= {f"theta_{agent}": theta for agent, theta in enumerate(candidate.thetas)}
    write_arrays(Path(path), arrays)
