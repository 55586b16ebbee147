"""The local policy that an agent begins with, as the coordinator's Welcome describes it."""

import math
from collections.abc import Callable

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import Welcome

from bnpg_math.arrays import FloatArray
from bnpg_math.errors import PolicyError
from bnpg_math.networks.mlp import shapes
from bnpg_math.policies.direct import TabularDirect
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.interface import Policy
from bnpg_math.policies.network import NetworkPolicy, initial_network
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.policies.softmax import initial_normal, policy
from bnpg_math.policies.spec import parse_policy
from bnpg_math.policies.tabular import TabularSoftmax

LARGEST_THETA = 1 << 27
"""Numbers a theta may have: a message holds at most 1 GiB."""

MakePolicy = Callable[[Welcome], Policy]
"""Returns the policy at theta_0. The same Welcome gives the same bits in every life of the agent."""


def table_shape(welcome: Welcome) -> tuple[int, ...]:
    """Return the shape of the agent's conditional table, (S, *P, A)."""
    return (welcome.states, *welcome.parent_actions, welcome.actions)


def initial_theta(welcome: Welcome) -> FloatArray:
    """Return theta_0 of a table of logits as the experiment says: zeros, keyed normal, or given."""
    shape = table_shape(welcome)
    if welcome.initial == "given":
        return np.array(welcome.theta, dtype=np.float64)
    if welcome.initial == "normal":
        return initial_normal(welcome.seed, welcome.agent, shape)
    return np.zeros(shape)


def tabular(welcome: Welcome) -> Policy:
    """Return the tabular policy at theta_0: a softmax, or the probabilities of one if it is direct.

    Raises
    ------
    OrderViolation
        If the Welcome asks for a table that is too large, or gives one of another shape.
    PolicyError
        If it asks for a policy of an unknown kind.
    """
    spec = parse_policy(welcome.policy)
    shape = table_shape(welcome)
    if not 0 < math.prod(shape) <= LARGEST_THETA:
        raise OrderViolation(
            f"the Welcome asks for a theta of shape {shape}: expected 1 to {LARGEST_THETA} numbers"
        )
    theta = initial_theta(welcome)
    if theta.shape != shape:
        raise OrderViolation(f"theta must have shape {shape}, got {theta.shape}")
    if spec.is_direct:
        # As a distribution to the last digit, which a softmax is not: so it is read from a file as it was.
        table = theta if welcome.initial == "given" else nearest_distributions(policy(theta))
        return TabularDirect(table)
    return TabularSoftmax(theta, welcome.regularization)


def network(welcome: Welcome) -> NetworkPolicy:
    """Return the network at theta_0: drawn from the seed, or given as one vector, layer by layer.

    Raises
    ------
    OrderViolation
        If the Welcome asks for a network that is too large.
    PolicyError
        If it asks for none, or gives a theta of another length.
    """
    spec = parse_policy(welcome.policy)
    encoding = Encoding(welcome.states, welcome.width, welcome.parent_actions)
    named = shapes(encoding.size, spec.hidden, welcome.actions)
    if not spec.is_network or welcome.actions < 1:
        raise PolicyError(f"a network with an action is expected, got {welcome.policy} of {welcome.actions}")
    if sum(math.prod(shape) for shape in named.values()) > LARGEST_THETA:
        raise OrderViolation(f"the Welcome asks for a network of more than {LARGEST_THETA} numbers")
    drawn = initial_network(
        welcome.seed, welcome.agent, encoding, spec.hidden, welcome.actions, welcome.regularization
    )
    return drawn.of_vector(np.array(welcome.theta)) if welcome.initial == "given" else drawn


def local_policy(welcome: Welcome) -> Policy:
    """Return the policy at theta_0 that a Welcome asks for, whichever kind it is.

    Raises
    ------
    OrderViolation, PolicyError
        As of :func:`tabular` and :func:`network`.
    """
    return network(welcome) if parse_policy(welcome.policy).is_network else tabular(welcome)
