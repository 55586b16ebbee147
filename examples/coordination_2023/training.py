"""One training run of the experiment: exact updates (3), measured every few rounds."""

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import FAMILIES
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.gradient import update
from bnpg_math.policies.softmax import initial_normal, policy, theta_shape
from bnpg_math.theory.stationarity import gradients

SPEC = "coordination(agents={}, epsilon=0.1, gamma=0.95)"
LEARNING_RATE = 0.01


def train(
    agents: int, dag_name: str, seed: int, rounds: int, every: int, as_published: bool = False
) -> FloatArray:
    """Train from theta ~ N(0, 1), keyed by the seed; the numbers are those of `bnpg train`, to the last bit.

    Parameters
    ----------
    agents : int
    dag_name : str
    seed : int
    rounds : int
        Number of updates.
    every : int
        Rounds between two measurements.
    as_published : bool
        Learn as the code of the source does, whose initial distribution sums to 2^n / n instead of 1: the
        gradient is linear in it, so every update is that much larger.

    Returns
    -------
    (K, 3) float
        Round, fraction of the optimal value, Nash gap.
    """
    game = find_game(SPEC.format(agents))
    dag = FAMILIES[dag_name](agents)
    best = float(game.initial @ optimal_value(game).V)
    thetas = [
        initial_normal(seed, agent, theta_shape(game.states, game.actions, dag.parents[agent], agent))
        for agent in range(agents)
    ]
    learning_rate = LEARNING_RATE * (game.states / agents if as_published else 1.0)
    course = []
    for round_ in range(rounds + 1):
        tables = [policy(theta) for theta in thetas]
        values = evaluate(game, joint_policy(tables, dag))
        if round_ % every == 0 or round_ == rounds:
            course.append((round_, values.value / best, nash_gap(game, dag, tables, values).gap))
        grads = gradients(game, dag, tables, 0.0, values)
        thetas = [update(theta, grad, learning_rate) for theta, grad in zip(thetas, grads, strict=True)]
    return np.array(course)
