"""What an agent is told when it is taken in."""

from typing import Any

import numpy as np
from bnpg_protocol.wire.messages import Welcome

from bnpg_coordinator.automatic import adam_epsilon
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.setup import CoordinatorSetup
from bnpg_coordinator.worlds.interface import Box
from bnpg_math.dag.routes import relayed
from bnpg_math.learning.regularization import per_agent


def welcome(setup: CoordinatorSetup, agent: int, version: int = 0) -> Welcome:
    """Return the Welcome of an agent, in a version of the protocol that both speak."""
    dag, actions = setup.dag, setup.world.actions
    space = setup.world.spaces[agent]
    width = space.width if isinstance(space, Box) else 0
    adam = setup.experiment.by_adam
    return Welcome(
        version=version,
        agent=agent,
        experiment=setup.digest,
        mode=setup.experiment.mode,
        states=0 if width else space.values,
        actions=actions[agent],
        parents=dag.parents[agent],
        parent_actions=tuple(actions[parent] for parent in dag.parents[agent]),
        children=dag.children[agent],
        rounds=setup.experiment.rounds,
        seed=setup.experiment.seed,
        learning_rate=setup.learning_rate,
        regularization=per_agent(setup.weights, dag.agents)[agent],
        initial="given" if setup.initial else setup.experiment.initial,
        width=width,
        theta=setup.initial[agent] if setup.initial else np.zeros(0),
        policy=setup.experiment.policy,
        **_of_critic(setup.experiment),
        optimizer=setup.experiment.steps_by,
        schedule=setup.experiment.schedule,
        epsilon=adam_epsilon(setup.world.model) if adam else 0.0,
        **_of_relay(setup, agent),
    )


def _of_relay(setup: CoordinatorSetup, agent: int) -> dict[str, Any]:
    """Return over which links an agent hears and tells actions, where some are handed on."""
    if not setup.relay:
        return {}
    routes = relayed(setup.dag)
    return {"relay": True, "hears": routes.hears[agent], "hands": routes.hands[agent]}


def _of_critic(experiment: Experiment) -> dict[str, Any]:
    """Return how agents follow advantages, where there are any."""
    if not experiment.has_critic:
        return {}
    return {
        "update": experiment.update,
        "epochs": experiment.epochs,
        "minibatches": experiment.minibatches,
        "clip": experiment.clip,
        "entropy": experiment.entropy,
        "longest": experiment.longest_gradient,
    }
