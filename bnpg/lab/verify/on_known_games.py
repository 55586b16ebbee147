"""Checks that need one small game each: certificates from episodes, and what edges do not remove."""

from collections.abc import Iterator

import numpy as np
from bnpg_coordinator.worlds.table import TableWorld

from bnpg.evaluation.from_samples import certify_from_samples
from bnpg.lab.verify.finding import Finding, at_most
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.dag import complete, empty
from bnpg_math.exact.equilibrium import nash_gap
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.learning.gradient import update
from bnpg_math.policies.softmax import policy, theta_shape
from bnpg_math.theory.constants import sizes, smoothness
from bnpg_math.theory.stationarity import gradients

_SEEDS = 3
_DELTA = 0.01


def certificates_from_samples() -> Iterator[Finding]:
    """What episodes certify, each wrong with probability 1 %, against the true Nash gap."""
    game, lam = find_game("climbing"), 4.0
    for name, dag in (("empty", empty(2)), ("complete", complete(2))):
        eta = 1.0 / smoothness(sizes(game, dag), lam)
        thetas: list[FloatArray] = [
            np.zeros(theta_shape(game.states, game.actions, parents, agent))
            for agent, parents in enumerate(dag.parents)
        ]
        for _ in range(100):
            steps = gradients(game, dag, [policy(theta) for theta in thetas], lam)
            thetas = [update(theta, step, eta) for theta, step in zip(thetas, steps, strict=True)]
        gap = nash_gap(game, dag, [policy(theta) for theta in thetas]).gap
        for seed in range(_SEEDS):
            found = certify_from_samples(
                TableWorld(game), dag, thetas, regularization=lam, seed=seed, delta=_DELTA,
                rewards=(float(game.reward.min()), float(game.reward.max())), initial=game.initial,
            ).outcome  # fmt: skip
            where = f"climbing, {name}, lambda {lam:g}, seed {seed}, {found.episodes} episodes"
            if found.certified:
                yield at_most("certificate from samples", "exact", where, gap, found.epsilon)


def threats() -> Iterator[Finding]:
    """All edges remove bad stationary points, not bad equilibria: a threat off the path keeps one up."""
    game, dag = find_game("climbing"), complete(2)
    answers = np.zeros((1, 3, 3))
    # To its last action the best answer; to the others the worst.
    answers[0, [0, 1, 2], [1, 0, 2]] = 1.0
    tables = [np.array([[0.0, 0.0, 1.0]]), answers]
    gap = nash_gap(game, dag, tables).gap
    missed = float(game.initial @ optimal_value(game).V) - evaluate(game, joint_policy(tables, dag)).value
    where = "climbing, complete, the leader on its last action"
    yield at_most("a threat is a Nash equilibrium", "exact", where, gap, 0.0, 0.0)
    yield Finding(
        "with all edges equilibria are optimal", "printed", where, missed, 0.0, missed <= 0.0, False
    )
