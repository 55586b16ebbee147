"""The whole algorithm in one file: Bayesian-network policy gradient without processes, messages and faults.

Reading begins here. What `bnpg train` does with one process an agent, whatever is lost, killed or delayed on
the way, comes to the very bits that `learn` comes to: it is the oracle of the tests. A team of agents sits on
a directed acyclic graph. In every step each agent sees the state, and the actions that its parents have just
drawn, and draws its own (eq. (1) of the paper). After a round, everybody is given the same signal: a weight
for every step of every lane, or in exact mode one tensor W(s, a). From it and from what it saw itself, each
agent forms the gradient in its own parameters, and steps along it (update (3)).

Steps of a chosen size and momentum, for exact rounds, are in `bnpg_coordinator.ascent` and not here.

>>> from bnpg.algorithm import learn
>>> from bnpg_coordinator.experiment import Experiment
>>> experiment = Experiment(game="climbing", dag="line", rounds=60, lanes=64, learning_rate=0.5, seed=3)
>>> *_, before, team = learn(experiment)
>>> len(team), team[1].table.shape  # agent 1 has a row for each action of agent 0
(2, (1, 3, 3))

A run of processes, or one in memory, is the same:

>>> import bnpg
>>> run = bnpg.train("climbing", dag="line", rounds=60, lanes=64, learning_rate=0.5, seed=3, out="the-same")
>>> all((policy.theta["theta"] == theta).all() for policy, theta in zip(team, run.thetas))
True
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from bnpg_coordinator.automatic import adam_epsilon, settled
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.loading import certified_learning_rate, load_game

from bnpg.one_thread import one_thread
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.arrays.named import Arrays
from bnpg_math.chance.sampling import cumulative, invert
from bnpg_math.chance.streams import Purpose, uniforms
from bnpg_math.dag import Dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.exact.values import evaluate
from bnpg_math.games.game import Game
from bnpg_math.learning.adam import Adam
from bnpg_math.learning.advantages import local_advantages
from bnpg_math.learning.direct import direct_gradients
from bnpg_math.learning.estimators import episode_lengths, signal_weights, visit_times
from bnpg_math.learning.gradient import flow, local_flow, local_flows
from bnpg_math.learning.optimiser import PlainAscent
from bnpg_math.learning.regularization import per_agent
from bnpg_math.learning.schedule import scheduled
from bnpg_math.policies.direct import TabularDirect
from bnpg_math.policies.file import load_policy
from bnpg_math.policies.simplex import nearest_distributions
from bnpg_math.policies.softmax import initial_normal, policy, theta_shape
from bnpg_math.policies.tabular import TabularSoftmax

Team = Sequence[TabularSoftmax | TabularDirect]
"""The agents' policies pi^1, .., pi^N, each at its own theta^i."""


def learn(experiment: Experiment) -> Iterator[Team]:
    """Train a team.

    Parameters
    ----------
    experiment : Experiment
        What is run; with updates (3) of a fixed step size, without momentum, or with Adam.

    Yields
    ------
    list of N policies
        The team at theta_0, theta_1, .., theta_rounds.

    Raises
    ------
    InputError
        If the experiment asks for chosen steps, momentum or an early end, or cannot be run.
    """
    if experiment.remembers or experiment.stop_at_epsilon:
        raise InputError("the algorithm in one file has steps of a fixed size, no momentum and no early end")
    if experiment.kind.is_network:
        raise InputError("the algorithm in one file is that of tables")
    game = load_game(experiment, Path())
    experiment = settled(experiment, game)
    dag = parse_dag(experiment.dag, game.agents)
    eta = certified_learning_rate(experiment, game, dag)
    optimiser = Adam(epsilon=adam_epsilon(game)) if experiment.by_adam else PlainAscent()
    states: list[Arrays] = [{}] * game.agents
    team: Team = initial_team(experiment, game, dag)
    yield team
    for round_ in range(experiment.rounds):
        with one_thread():
            if experiment.mode == "exact":
                gradients = exact_gradients(experiment, game, dag, team)
            else:
                gradients = sampled_gradients(experiment, game, dag, team, round_)
            step = scheduled(eta, experiment.schedule, round_, experiment.rounds)
            moved = [
                optimiser.step(policy.theta, gradient, state, step)
                for policy, gradient, state in zip(team, gradients, states, strict=True)
            ]
            thetas, states = [theta for theta, _ in moved], [state for _, state in moved]
            # A table of probabilities goes back to the nearest one.
            thetas = [
                policy.nearest(theta) if isinstance(policy, TabularDirect) else theta
                for policy, theta in zip(team, thetas, strict=True)
            ]
            team = [policy.at(theta) for policy, theta in zip(team, thetas, strict=True)]
        yield team


def initial_team(experiment: Experiment, game: Game, dag: Dag) -> Team:
    """Return the team at theta_0: logits of zero, keyed normal ones, or those of a policy file."""
    if experiment.initial.endswith(".npz"):
        given = load_policy(experiment.initial)
        if experiment.kind.is_direct:
            return [TabularDirect(table) for table in given.tables]
        logits = list(given.thetas)
    else:
        shapes = [
            theta_shape(game.states, game.actions, dag.parents[agent], agent) for agent in range(game.agents)
        ]
        normal = experiment.initial == "normal"
        logits = [
            initial_normal(experiment.seed, agent, shape) if normal else np.zeros(shape)
            for agent, shape in enumerate(shapes)
        ]
    if experiment.kind.is_direct:
        return [TabularDirect(nearest_distributions(policy(theta))) for theta in logits]
    weights = per_agent(experiment.weights(dag, game.actions), game.agents)
    return [TabularSoftmax(theta, weight) for theta, weight in zip(logits, weights, strict=True)]


def exact_gradients(experiment: Experiment, game: Game, dag: Dag, team: Team) -> list[Arrays]:
    """Return what every agent adds to its theta, up to eta, from the tensor W(s, a) = d(s) pi(a|s) Q(s, a).

    Agent i sums W over everybody outside its family, its parents and itself; that is all it needs (Lemma 1).
    The natural gradient is made of its advantages, and of how often each of its rows is met.
    """
    pi = joint_policy([policy.table for policy in team], dag)
    values = evaluate(game, pi)
    if experiment.kind.is_direct:
        tables = [policy.table for policy in team]
        return [{"theta": slope} for slope in direct_gradients(values.d, tables, values.Q, dag)]
    W = flow(values.d, pi, values.Q)
    if experiment.direction == "gradient":
        return [policy.ascent(local_flow(W, dag.families[agent])) for agent, policy in enumerate(team)]
    advantages = local_advantages(values.Q, [policy.log_table for policy in team], dag)
    visits = local_flows(flow(values.d, pi, np.ones_like(pi)), dag.families)
    return [
        policy.ascent(advantage, met) for policy, advantage, met in zip(team, advantages, visits, strict=True)
    ]


@dataclass
class Episodes:
    """What happened in the lanes of a round: a list over time, each over the lanes that still live."""

    states: list[IntArray] = field(default_factory=list)
    actions: list[list[IntArray]] = field(default_factory=list)
    """By time, then by agent."""
    rewards: list[FloatArray] = field(default_factory=list)


def sampled_gradients(experiment: Experiment, game: Game, dag: Dag, team: Team, round_: int) -> list[Arrays]:
    """Return what every agent adds to its theta, up to eta, from one weight for every lane and step."""
    episodes = play(experiment, game, dag, team, round_)
    horizon, lanes, seed = experiment.horizon, experiment.lanes, experiment.seed
    visits = visit_times(horizon, game.gamma, lanes, seed, round_)
    weights = signal_weights(
        episodes.rewards, episodes.states, game.gamma, horizon, experiment.subtracted, game.states, visits,
        experiment.sure_steps,
    )  # fmt: skip
    # Each agent has seen the states, its parents' actions and its own, and lays them end to end.
    states = np.concatenate(episodes.states)
    actions = [np.concatenate(drawn) for drawn in zip(*episodes.actions, strict=True)]
    found = []
    for agent, own in enumerate(team):
        seen = [actions[parent] for parent in dag.parents[agent]]
        gradient = own.gradient(states, seen, actions[agent], weights)
        if experiment.optimizer in ("natural", "normalised") and isinstance(own, TabularSoftmax):
            turned = own.natural if experiment.optimizer == "natural" else own.normalised
            gradient = turned(gradient, states, seen, actions[agent])
        found.append(gradient)
    return found


def play(experiment: Experiment, game: Game, dag: Dag, team: Team, round_: int) -> Episodes:
    """Play the episodes of a round, all lanes side by side.

    Every random number is addressed by what it is for, the round, the time and the lane, and never drawn
    "next"; so it is the same in whatever order, and how often, the round is played. Episodes are sorted by
    their lengths, so the lanes that live are always the first ones.
    """
    seed, lanes = experiment.seed, experiment.lanes
    lengths = episode_lengths(experiment.horizon, game.gamma, lanes, seed, round_, experiment.sure_steps)
    drawn = uniforms(seed, Purpose.INITIAL_STATE, 0, round_, 0, lanes)
    states = invert(cumulative(game.initial)[None, :], np.zeros(lanes, dtype=np.int64), drawn)
    episodes = Episodes()
    for time in range(int(lengths[0])):
        actions: dict[int, IntArray] = {}
        for agent in dag.order:
            drawn = uniforms(seed, Purpose.ACTIONS, agent, round_, time, len(states))
            seen = [actions[parent] for parent in dag.parents[agent]]
            actions[agent] = team[agent].draw(states, seen, drawn)
        joint = [actions[agent] for agent in range(game.agents)]
        episodes.states.append(states)
        episodes.actions.append(joint)
        episodes.rewards.append(game.reward[(states, *joint)])
        alive = int((lengths > time + 1).sum())
        numbers = [
            uniforms(seed, Purpose.TRANSITIONS, index, round_, time, alive)
            for index in range(game.transition.draws)
        ]
        if alive:
            flat = np.ravel_multi_index([taken[:alive] for taken in joint], game.actions)
            states = game.transition.sample(states[:alive], flat, np.array(numbers).reshape(-1, alive))
    return episodes
