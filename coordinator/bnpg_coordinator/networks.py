"""The sizes of everybody's network in a world, and what the agents hand over of them."""

import math
from collections.abc import Sequence

from bnpg_coordinator.worlds.interface import Box, World
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import frozen, shaped
from bnpg_math.dag import Dag
from bnpg_math.errors import PolicyError
from bnpg_math.networks.mlp import shapes
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.joint import policy_of
from bnpg_math.policies.network_file import JointPolicy, NetworkTeam
from bnpg_math.policies.spec import PolicySpec


def encodings(world: World, dag: Dag) -> tuple[Encoding, ...]:
    """Return what goes into everybody's network: what it sees, and its parents' actions."""
    found = []
    for agent, space in enumerate(world.spaces):
        states, width = (0, space.width) if isinstance(space, Box) else (space.values, 0)
        parents = tuple(world.actions[parent] for parent in dag.parents[agent])
        found.append(Encoding(states, width, parents))
    return tuple(found)


def theta_shape(kind: PolicySpec, world: World, dag: Dag, agent: int) -> tuple[int, ...]:
    """Return the shape of an agent's theta as it is sent: its table, or the numbers of its network."""
    if not kind.is_network:
        family = (*dag.parents[agent], agent)
        return (world.spaces[agent].values, *(world.actions[member] for member in family))
    named = shapes(encodings(world, dag)[agent].size, kind.hidden, world.actions[agent])
    return (sum(math.prod(shape) for shape in named.values()),)


def joint_policy(kind: PolicySpec, world: World, dag: Dag, thetas: Sequence[FloatArray]) -> JointPolicy:
    """Return the policy of everybody's theta as it was sent.

    Raises
    ------
    PolicyError
        If they are none.
    """
    if not kind.is_network:
        return policy_of(kind, dag, thetas)
    named = [
        shapes(encoding.size, kind.hidden, actions)
        for encoding, actions in zip(encodings(world, dag), world.actions, strict=True)
    ]
    found = []
    for agent, (theta, expected) in enumerate(zip(thetas, named, strict=True)):
        try:
            found.append(frozen(shaped(theta, expected)))
        except ValueError as error:
            raise PolicyError(f"theta of agent {agent}, a network: {error}") from None
    return NetworkTeam(dag, tuple(found))


def check_kind(policy: JointPolicy, kind: PolicySpec, world: World, text: str) -> None:
    """Refuse tables for networks and networks for tables, and networks of other sizes than the world's.

    Parameters
    ----------
    policy : Policy or NetworkTeam
        What a run begins with.
    kind : PolicySpec
    world : World
    text : str
        `policy` of the experiment.

    Raises
    ------
    PolicyError
    """
    if isinstance(policy, NetworkTeam):
        if not kind.is_network:
            raise PolicyError(f"it holds networks, but policy is {text}: give policy {policy.text}")
        if policy.dag.agents == len(world.actions):
            policy.check(kind.hidden, encodings(world, policy.dag), world.actions)
        else:
            raise PolicyError(f"policy must have {len(world.actions)} agents, got {policy.dag.agents}")
    elif kind.is_network:
        raise PolicyError(f"it holds tables, but policy is {text}: give policy table, or a file of networks")
