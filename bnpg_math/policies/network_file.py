"""Teams of networks, and the `.npz` files they are kept in.

The format: ``edges`` int ``[E, 2]`` as for tables, and of agent i the parameters ``theta_i/0.weight``,
``theta_i/0.bias``, ``theta_i/2.weight`` and so on, named and laid out as those of
`torch.nn.Sequential(Linear, Tanh, Linear, ..)`. How many numbers an agent sees follows from the columns of
its first layer, less one for each action of each parent.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays, flat, frozen
from bnpg_math.arrays.npz import read_arrays, real, write_arrays
from bnpg_math.dag import Dag
from bnpg_math.errors import DagError, PolicyError
from bnpg_math.networks.mlp import checked, shapes
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.file import edges_of, is_of_network, is_table, load_policy, network_name, save_policy
from bnpg_math.policies.joint import Policy, policy_digest
from bnpg_math.policies.network import StateNetworkPolicy


@dataclass(frozen=True, eq=False)
class NetworkTeam:
    """A Bayesian-network policy whose local policies are perceptrons of one form.

    Parameters
    ----------
    dag : Dag
        Who conditions on whom.
    thetas : tuple of N dicts from str to array
        Everybody's parameters, as `bnpg_math.networks.mlp.shapes` names them.

    Raises
    ------
    PolicyError
        If the parameters are not those of such networks on this graph.
    """

    dag: Dag
    thetas: tuple[Arrays, ...]
    notices: tuple[str, ...] = ()
    """What a person should know of how the numbers were taken in, a line each."""

    def __post_init__(self) -> None:
        if len(self.thetas) != self.dag.agents:
            raise PolicyError(f"expected networks of {self.dag.agents} agents, got {len(self.thetas)}")
        for agent, theta in enumerate(self.thetas):
            first = theta.get("0.weight")
            if first is None or first.ndim != 2:
                raise PolicyError(f"the network of agent {agent} lacks 0.weight, (K, D)")
            try:
                checked(theta, shapes(first.shape[1], self.hidden, len(theta[_last(theta)])))
            except PolicyError as error:
                raise PolicyError(f"agent {agent}: {error}") from None
            if not all(np.isfinite(array).all() for array in theta.values()):
                raise PolicyError(f"the parameters of agent {agent} must be finite")
        for agent in range(self.dag.agents):
            if self.own(agent) < 1:
                raise PolicyError(
                    f"0.weight of agent {agent} must have more columns than its parents have actions, "
                    f"got {self.inputs(agent)}"
                )

    @cached_property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        theta = self.thetas[0]
        layers = sum(name.endswith(".bias") for name in theta)
        names = [f"{2 * layer}.bias" for layer in range(layers - 1)]
        if not names or not all(name in theta for name in names):
            raise PolicyError(f"expected a network with hidden layers, got {', '.join(sorted(theta))}")
        return tuple(len(theta[name]) for name in names)

    @property
    def text(self) -> str:
        """The kind of policy, as a person types it."""
        return f"mlp:{','.join(map(str, self.hidden))}"

    @cached_property
    def actions(self) -> tuple[int, ...]:
        """Action counts (A_1, .., A_N)."""
        return tuple(len(theta[_last(theta)]) for theta in self.thetas)

    def inputs(self, agent: int) -> int:
        """How many numbers go into the network of an agent."""
        return int(self.thetas[agent]["0.weight"].shape[1])

    def own(self, agent: int) -> int:
        """How many of them are of what it sees; the others are its parents' actions."""
        return self.inputs(agent) - sum(self.actions[parent] for parent in self.dag.parents[agent])

    @cached_property
    def parameters(self) -> tuple[FloatArray, ...]:
        """Everybody's numbers as one vector, layer by layer, as agents are told them."""
        return tuple(flat(theta) for theta in self.thetas)

    @cached_property
    def digest(self) -> str:
        """The `policy_digest` of all parameters."""
        return policy_digest(self.parameters)

    def check(self, hidden: Sequence[int], encodings: Sequence[Encoding], actions: Sequence[int]) -> None:
        """Check that these are networks of such sizes.

        Raises
        ------
        PolicyError
            Naming the first shape that does not fit.
        """
        if self.dag.agents != len(actions):
            raise PolicyError(f"policy must have {len(actions)} agents, got {self.dag.agents}")
        for agent, (theta, encoding, many) in enumerate(zip(self.thetas, encodings, actions, strict=True)):
            try:
                checked(theta, shapes(encoding.size, hidden, many))
            except PolicyError as error:
                raise PolicyError(f"agent {agent}: {error}") from None

    def tabulated(self, states: int) -> Policy:
        """Return the tables that the networks come to where everybody sees one of so many states.

        Raises
        ------
        PolicyError
            If one sees another number of inputs.
        """
        tables = []
        for agent, theta in enumerate(self.thetas):
            if self.own(agent) != states:
                raise PolicyError(
                    f"the network of agent {agent} sees {self.own(agent)} inputs, expected the {states} "
                    "states of the game"
                )
            parents = tuple(self.actions[parent] for parent in self.dag.parents[agent])
            encoding = Encoding(states, 0, parents)
            tables.append(StateNetworkPolicy(theta, encoding, self.hidden, self.actions[agent]).log_table)
        return Policy(self.dag, tuple(tables))


JointPolicy: TypeAlias = Policy | NetworkTeam
"""Everybody's policy, of either kind."""


def read_policy(path: str | os.PathLike[str]) -> JointPolicy:
    """Read a policy file, of tables or of networks.

    Raises
    ------
    PolicyError
        One line saying what is wrong.
    """
    source = Path(path)
    arrays = read_arrays(
        source,
        "policy file",
        PolicyError,
        lambda name: name == "edges" or is_table(name) or is_of_network(name),
    )
    if not any(is_of_network(name) for name in arrays):
        return load_policy(source)
    if "edges" not in arrays:
        raise PolicyError(f"policy file {source} lacks edges; expected edges and theta_0/0.weight, ..")
    thetas: dict[int, dict[str, FloatArray]] = {}
    for name, array in arrays.items():
        if is_of_network(name):
            agent, parameter = network_name(name)
            thetas.setdefault(agent, {})[parameter] = real(array, f"{name} of {source}", PolicyError)
    if sorted(thetas) != list(range(len(thetas))):
        raise PolicyError(
            f"policy file {source} must have networks of agents 0, 1, .. without a gap, got {sorted(thetas)}"
        )
    try:
        dag = Dag(len(thetas), edges_of(arrays["edges"]))
        ordered = tuple(frozen(_in_order(thetas[agent])) for agent in range(len(thetas)))
        return NetworkTeam(dag, ordered)
    except (DagError, PolicyError) as reason:
        raise PolicyError(f"policy file {source}: {reason}") from None


def write_policy(policy: JointPolicy, path: str | os.PathLike[str]) -> None:
    """Write a policy file; the path holds the old file or the new one, never a part.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    if isinstance(policy, Policy):
        save_policy(policy, path)
        return
    arrays: dict[str, NDArray[Any]] = {"edges": np.array(policy.dag.edges, dtype=np.int64).reshape(-1, 2)}
    for agent, theta in enumerate(policy.thetas):
        arrays |= {f"theta_{agent}/{name}": array for name, array in theta.items()}
    write_arrays(Path(path), arrays)


def _in_order(theta: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Return parameters layer by layer, weights before biases."""
    return dict(
        sorted(theta.items(), key=lambda item: (int(item[0].split(".")[0]), item[0].endswith("bias")))
    )


def _last(theta: Arrays) -> str:
    """Return the name of the last layer's bias."""
    return max((name for name in theta if name.endswith(".bias")), key=lambda name: int(name.split(".")[0]))
