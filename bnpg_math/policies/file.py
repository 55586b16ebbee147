"""Policies as `.npz` files.

The format: ``edges`` int ``[E, 2]`` (parent, child), ``theta_0`` .. ``theta_{N-1}``, each
``[S, A_p1, .., A_pk, A_i]`` with parent axes in ascending agent index and the own action last. Instead of
logits there may be probabilities, ``pi_0`` .. ``pi_{N-1}`` of the same shapes, zeros allowed. Further arrays
in the file are ignored.
"""

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpg_files.paths import as_path
from bnpg_files.quoting import quoted
from bnpg_math.arrays.npz import read_arrays, write_arrays
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError, PolicyError
from bnpg_math.policies.joint import Policy

_TABLE = re.compile(r"(theta|pi)_(0|[1-9]\d*)")
_OF_NETWORK = re.compile(r"theta_(0|[1-9]\d{0,5})/((?:0|[1-9]\d?)\.(?:weight|bias))")


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
    source = as_path(path, "a policy file", PolicyError)
    arrays = read_arrays(
        source,
        "policy file",
        PolicyError,
        lambda name: name == "edges" or is_table(name) or is_of_network(name),
    )
    if any(is_of_network(name) for name in arrays):
        raise PolicyError(f"policy file {source} holds networks; expected tables, theta_0, .. or pi_0, ..")
    # A file may hold both; then the logits are the policy, as the probabilities follow from them.
    kind = "theta" if any(name.startswith("theta") for name in arrays) else "pi"
    if "edges" not in arrays:
        raise PolicyError(
            f"policy file {source} lacks edges; expected edges and theta_0, theta_1, .. or pi_0, pi_1, .."
        )
    agents = sum(name.startswith(f"{kind}_") for name in arrays)
    if not agents:
        raise PolicyError(f"policy file {source} lacks theta_0 (or pi_0); expected an array of every agent")
    missing = [f"{kind}_{agent}" for agent in range(agents) if f"{kind}_{agent}" not in arrays]
    if missing:
        raise PolicyError(
            f"policy file {source} lacks {missing[0]}; expected {kind}_0, {kind}_1, .. without a gap"
        )
    try:
        dag = Dag(agents, edges_of(arrays["edges"]))
        tables = [arrays[f"{kind}_{agent}"] for agent in range(agents)]
        return Policy(dag, tuple(tables)) if kind == "theta" else Policy.from_tables(dag, tables)
    except (DagError, PolicyError) as reason:
        raise PolicyError(f"policy file {source}: {reason}") from None


def is_table(name: str) -> bool:
    """Whether an array's name is that of an agent's logits or probabilities."""
    return _TABLE.fullmatch(name) is not None


def is_of_network(name: str) -> bool:
    """Whether an array's name is that of a parameter of an agent's network."""
    return _OF_NETWORK.fullmatch(name) is not None


def network_name(name: str) -> tuple[int, str]:
    """Return the agent and the parameter that such a name is of."""
    match = _OF_NETWORK.fullmatch(name)
    assert match is not None, "asked of such names only"
    return int(match[1]), match[2]


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
    PolicyError
        If it is no policy, or the path is none.
    OSError
        If the file cannot be written.
    """
    if not isinstance(candidate, Policy):
        raise PolicyError(f"expected a Policy to write, got {quoted(candidate)}")
    write_arrays(as_path(path, "a policy file", PolicyError), policy_arrays(candidate))


def policy_arrays(candidate: Policy) -> dict[str, NDArray[Any]]:
    """The arrays of a policy file: the logits, or the probabilities that a policy was made of."""
    edges = np.array(candidate.dag.edges, dtype=np.int64).reshape(-1, 2)
    arrays: dict[str, NDArray[Any]] = {"edges": edges}
    if candidate.probabilities is None:
        return arrays | {f"theta_{agent}": theta for agent, theta in enumerate(candidate.thetas)}
    return arrays | {f"pi_{agent}": table for agent, table in enumerate(candidate.probabilities)}
