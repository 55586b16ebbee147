"""Teams that play and learn in one process, by the same pure functions as a run's processes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from bnpg_coordinator.central_critic import KEEP
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.networks import encodings
from bnpg_coordinator.worlds.interface import End
from gates import Always, Gate, Open, Valued
from numpy.typing import NDArray
from worlds import DISCOUNT, EPOCHS, HIDDEN, LANES, Study

from bnpg.evaluation.episodes import stream
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.learning.actor import ActorSettings, actor_pass, played_rows
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.advantage_estimates import advantage_estimates, standardised
from bnpg_math.learning.critic import CriticSettings, critic_pass, critic_values
from bnpg_math.learning.value_normaliser import scale, updated
from bnpg_math.networks.mlp import initial
from bnpg_math.policies.network import NetworkPolicy, initial_network

USUAL = Experiment(game="")
"""What a run has unless told otherwise."""
CRITIC = (32, 32)


@dataclass(frozen=True)
class Critic:
    """What the coordinator expects, and what its optimiser and its scale remember."""

    theta: Arrays
    memory: Arrays = field(default_factory=dict)
    scale: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Team:
    """Networks on a graph; a gate where an edge is not always open."""

    dag: Dag
    policies: tuple[NetworkPolicy, ...]
    critic: Critic
    gate: Gate | None = None

    def opened(self, everything: FloatArray) -> Open:
        """Return which edges are open, (n, E)."""
        always = Always((True,) * len(self.dag.edges))
        return (self.gate or always).opened(everything)


@dataclass(frozen=True)
class Played:
    """A round, (T, B, ..): times along the first axis, lanes along the second."""

    everything: FloatArray
    opened: Open
    entered: tuple[FloatArray, ...]
    actions: tuple[IntArray, ...]
    rewards: FloatArray
    terminated: NDArray[np.bool_]


def beginning(study: Study, seed: int) -> Team:
    """Return a dense team of which nobody has learnt anything."""
    world = study.world
    policies = tuple(
        initial_network(seed, agent, encoding, HIDDEN, world.actions[agent])
        for agent, encoding in enumerate(encodings(world, study.dag))
    )
    width = sum(space.width for space in world.spaces) + 1
    return Team(study.dag, policies, Critic(initial(seed, study.dag.agents, width, CRITIC, 1, last_gain=1.0)))


def play(
    study: Study, team: Team, seed: int, round_: int, lanes: int, steps: int, greedy: bool = False
) -> Played:
    """Play all lanes for some steps."""
    world, dag = study.world, team.dag
    begun = world.begin(seed, round_, lanes)
    seen = begun.first
    kept: list[tuple[Any, ...]] = []
    for time in range(steps):
        views = [seen.by(agent).astype(np.float64) for agent in range(dag.agents)]
        everything = np.concatenate(views, axis=1)
        opened = team.opened(everything)
        actions: list[IntArray] = [np.zeros(0, dtype=np.int64)] * dag.agents
        for agent in dag.order:
            if team.gate is not None:
                views[agent] = np.concatenate([views[agent], opened[:, edges_of(dag, agent)]], axis=1)
            heard = [actions[parent] for parent in dag.parents[agent]]
            policy = team.policies[agent]
            if greedy:
                actions[agent] = policy.log_pi(views[agent], heard).argmax(axis=1)
            else:
                drawn = uniforms(seed, Purpose.ACTIONS, agent, round_, time, lanes)
                actions[agent] = policy.draw(views[agent], heard, drawn)
        following = begun.step(time, 0, seen, actions, lanes)
        assert following is not None
        kept.append((everything, opened, views, actions))
        seen = following
    ends = np.stack(begun.ends())
    return Played(
        np.stack([one[0] for one in kept]),
        np.stack([one[1] for one in kept]),
        tuple(np.stack([one[2][agent] for one in kept]) for agent in range(dag.agents)),
        tuple(np.stack([one[3][agent] for one in kept]) for agent in range(dag.agents)),
        np.stack(begun.rewards()),
        ends == End.TERMINATED,
    )


def edges_of(dag: Dag, child: int) -> list[int]:
    """Return the places of the edges into an agent, ascending by parent."""
    own = [(parent, place) for place, (parent, other) in enumerate(dag.edges) if other == child]
    return [place for _, place in sorted(own)]


def advantages(study: Study, critic: Critic, played: Played) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the advantage of every step, what the critic is to learn, and what it expected."""
    values = scale(critic.scale).real(critic_values(critic.theta, critic_inputs(study, played)))
    values = values.reshape(played.rewards.shape)
    none = np.zeros_like(values)
    # Rounds are whole episodes: after the last step of each nothing is to be gained.
    found = advantage_estimates(
        played.rewards, values, none, played.terminated, none != 0.0, DISCOUNT, USUAL.gae_lambda
    )
    return (*found, values)


def critic_inputs(study: Study, played: Played) -> FloatArray:
    """Return what the critic sees: what everybody sees, and how far the episode is."""
    steps, lanes, width = played.everything.shape
    into = np.repeat((np.arange(steps) % study.simulator.length) / study.steps, lanes)
    return np.concatenate([played.everything.reshape(-1, width), into[:, None]], axis=1)


def learnt(study: Study, team: Team, seed: int, stage: int, rounds: int, budget: int | None = None) -> Team:
    """Return a team after some rounds of PPO.

    Parameters
    ----------
    study : Study
    team : Team
    seed : int
    stage : int
        Which training it is: teams of one seed and stage meet the same luck.
    rounds : int
    budget : int, optional
        How many edges its gate may open on average; its price follows what the team sees.
    """
    own = stream(seed, 100 + stage)
    agents, optimiser = team.dag.agents, Adam()
    settings = ActorSettings(barrier=study.barrier, longest=USUAL.longest_gradient)
    memories: list[Arrays] = [{}] * agents
    for round_ in range(rounds):
        played = play(study, team, own, round_, LANES, study.steps)
        found, returns, values = advantages(study, team.critic, played)
        signal = standardised(found, np.ones(found.shape, dtype=bool)).reshape(-1)
        policies = list(team.policies)
        for agent, policy in enumerate(team.policies):
            rows = played_rows(
                policy,
                flat(played.entered[agent]),
                [flat(played.actions[parent]) for parent in team.dag.parents[agent]],
                flat(played.actions[agent]),
                signal,
            )
            for number in range(EPOCHS):
                theta, memories[agent], _ = actor_pass(
                    policies[agent], memories[agent], rows, settings, optimiser, study.learning_rate,
                    (own, agent, round_), number,
                )  # fmt: skip
                policies[agent] = policy.at(theta)
        critic = _criticised(study, team.critic, played, returns, values, (own, agents, round_))
        team = replace(team, policies=tuple(policies), critic=critic)
        if budget is not None and isinstance(team.gate, Valued) and study.simulator.length > 1:
            team = replace(team, gate=team.gate.within(flat(played.everything), budget))
    return team


def _criticised(
    study: Study,
    critic: Critic,
    played: Played,
    returns: FloatArray,
    values: FloatArray,
    address: tuple[int, int, int],
) -> Critic:
    following = updated(critic.scale, returns.reshape(-1), KEEP)
    now = scale(following)
    targets, expected = now.normal(returns.reshape(-1)), now.normal(values.reshape(-1))
    theta, memory, inputs = critic.theta, critic.memory, critic_inputs(study, played)
    settings, rate = CriticSettings(longest=USUAL.longest_gradient), USUAL.critic_learning_rate
    for number in range(EPOCHS):
        theta, memory = critic_pass(
            theta, memory, inputs, targets, expected, settings, Adam(), rate, address, number
        )  # fmt: skip
    return Critic(theta, memory, following)


def judged(study: Study, team: Team, seed: int, episodes: int) -> tuple[float, float, float, float]:
    """Return what a team earns greedily and as it draws, and how many edges are open in a greedy step.

    Last: how many are open in at least one of `LANES` lanes that take a step together, so that something must
    be sent along them.
    """
    own = stream(seed, 0)
    steps = study.simulator.length
    found = [play(study, team, own, 0, episodes, steps, greedy) for greedy in (True, False)]
    greedy, drawn = (float(one.rewards.sum(axis=0).mean()) for one in found)
    opened = found[0].opened
    together = opened.reshape(steps, -1, LANES, opened.shape[2]).any(axis=2)
    return greedy, drawn, float(opened.sum(axis=2).mean()), float(together.sum(axis=2).mean())


def flat(grid: NDArray[Any]) -> Any:
    """Lay the steps of all lanes end to end."""
    return grid.reshape(-1, *grid.shape[2:])


def parameters(policies: Sequence[NetworkPolicy]) -> tuple[Arrays, ...]:
    """Return everybody's theta."""
    return tuple(policy.theta for policy in policies)
